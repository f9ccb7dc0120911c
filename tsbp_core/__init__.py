"""The gradient through a spiking neuron's reset: derived, proven, priced and tried."""

import importlib

from tsbp_core.neuron import LIF

__all__ = ["LIF"]
__version__ = "0.1.0"


def __getattr__(name):
    """``tsbp_core.results``: what the studies found, by name; loaded when asked for."""
    if name == "results":
        return importlib.import_module("tsbp_core.lab.results")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
