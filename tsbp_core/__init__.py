"""The gradient through a spiking neuron's reset: derived, proven, priced and tried."""

from tsbp_core.neuron import LIF

__all__ = ["LIF"]
__version__ = "0.1.0"
