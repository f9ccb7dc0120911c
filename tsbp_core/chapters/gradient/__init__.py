"""Chapters 1 to 4: the neuron, its surrogate, the missing term and its proof."""
