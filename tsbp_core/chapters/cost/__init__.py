"""Chapters 6 and 8: the neuron under autograd, what it keeps and what the term costs."""
