"""The libraries' default surrogates as ours, and when a way of using one counts as reproduced."""

import math
from dataclasses import dataclass

from tsbp_core.surrogates import Arctan, FastSigmoid, Sigmoid, Surrogate, namespace

TOLERANCE = 1e-6
"""Where spikes agree and the largest relative error is below it, a layer counts as reproduced."""


@dataclass(frozen=True)
class Exponential(Surrogate):
    """h(z) = exp(-abs(z)/width) / width, the default of sinabs. Its unit is neither of ours.

    The peak is 1/width and the area 2, whatever the width; ``unit`` must stay "peak".
    """

    width: float = 0.5

    def _h(self, z):
        return namespace(z).exp(-abs(z) / self.width) / self.width


SURROGATES = {
    "spytorch style": FastSigmoid(slope=100.0),
    "snnTorch": Arctan(width=1 / math.pi),
    "SpikingJelly": Sigmoid(width=0.25),
    "Norse": FastSigmoid(slope=1.0),
    "sinabs": Exponential(width=0.5),
}
"""Ours for each library's default."""


def reproduced(way):
    """Whether a measured way has our neuron's spikes, and its gradient at the rho found."""
    return way["spikes"] == 0 and way["error"] < TOLERANCE
