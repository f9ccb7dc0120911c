"""Chapter 5: one neuron learns spike times."""
