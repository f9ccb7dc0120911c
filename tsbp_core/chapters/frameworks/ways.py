"""Ways of using other libraries, each with the neuron of ours that it should be."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from tsbp_core import LIF, plain_lif, torch_lif
from tsbp_core.chapters.frameworks.defaults import SURROGATES
from tsbp_core.chapters.frameworks.libraries import (
    delayed,
    iaf,
    leaky,
    leaky_attached,
    lif_adjoint,
    lif_box,
    lif_cell,
    lif_node,
    lif_recurrent,
    lif_sparse,
    over_time,
    sinabs_lif,
    spytorch,
    subtract,
    subtract_detached,
    synapse,
    value_detached,
    zero_attached,
)
from tsbp_core.neuron import charge, reset


@dataclass(frozen=True)
class Match:
    """Our neuron for a library's.

    Parameters
    ----------
    lif : LIF
        With any rho, which is to be fitted.
    current : callable, optional
        What the library makes of its input before it is added to the membrane; nothing if None.
    late : bool, default False
        The reset comes after the next charge, u[t+1] = reset(lambda u[t] + x[t+1], s[t]): the two
        step equations in the other order, which no setting of LIF does.
    """

    lif: LIF
    current: Callable | None = None
    late: bool = False

    def spikes(self, x, rho):
        """Spikes [T, n] of the input ``x`` [T, n], with the gradient of ``rho``."""
        lif = replace(self.lif, reset_gradient=float(rho))
        current = self.current(x) if self.current else x
        if not self.late:
            return torch_lif.lif(current, lif, "eager")

        def step(x_t, state):
            u, s = state
            s = rho * s + (1 - rho) * s.detach()
            u = reset(charge(x_t, u, lif), s, lif)
            s = plain_lif.Spike.apply(u - lif.threshold, lif.surrogate)
            return s, (u, s)

        return over_time(step, current, (torch.zeros_like(x[0]),) * 2)


CALLS = {
    spytorch: "loop",
    leaky: "Leaky",
    leaky_attached: "Attached",
    lif_node: "LIFNode",
    lif_cell: "LIFCell",
    lif_recurrent: "lif_step",
    lif_sparse: "lif_step_sparse",
    lif_adjoint: "lif_feed_forward_adjoint_step",
    lif_box: "lif_box_feed_forward_step",
    iaf: "iaf_feed_forward_step",
    sinabs_lif: "LIF",
}
"""What each function calls in its library."""


@dataclass(frozen=True)
class Way:
    """A way of using a library: a layer with options, and the neuron of ours that it should be.

    ``gain`` multiplies the study's currents where the library makes them smaller. ``default`` says
    that nothing but the time constant is set.
    """

    library: str
    layer: Callable
    options: dict
    match: Match
    gain: float = 1.0
    default: bool = False

    @property
    def name(self):
        """Layer and options, as one writes them."""
        words = [
            f"{key}={getattr(value, '__name__', value if key.endswith('_fn') else repr(value))}"
            for key, value in self.options.items()
        ]
        return f"{CALLS[self.layer]}({', '.join(words)})"


def ways():
    """All ways of using the libraries that the study looks at."""
    ways = []

    def add(library, layer, reset="zero", /, options=None, default=False, decay=0.8, gain=1.0,
            current=None, late=False):  # fmt: skip
        options = options or {}
        threshold = 1.0 - (options.get("v_reset") or 0.0)
        lif = LIF(decay, threshold, reset, SURROGATES[library])
        match = Match(lif, current, late)
        ways.append(Way(library, layer, options, match, gain, default))

    loop = {"current": delayed, "late": True}
    add("spytorch style", spytorch, default=True, **loop)
    add("spytorch style", spytorch, options={"detach": False}, **loop)

    zero, at_once = {"reset_mechanism": "zero"}, {"reset_delay": False}
    add("snnTorch", leaky, "subtract", default=True, late=True)
    add("snnTorch", leaky_attached, "subtract", late=True)
    add("snnTorch", leaky, "subtract", options=at_once)
    add("snnTorch", leaky, options=zero)
    add("snnTorch", leaky_attached, options=zero)
    add("snnTorch", leaky, options=zero | at_once)

    leak = {"current": lambda x: x / 5, "gain": 5.0}
    dropped, soft = {"detach_reset": True}, {"v_reset": None}
    add("SpikingJelly", lif_node, default=True, **leak)
    add("SpikingJelly", lif_node, options=dropped, **leak)
    add("SpikingJelly", lif_node, "subtract", options=soft, **leak)
    add("SpikingJelly", lif_node, "subtract", options=soft | dropped, **leak)
    add("SpikingJelly", lif_node, options={"v_reset": 0.2, "decay_input": False})

    cell = {"decay": 0.9, "current": synapse, "gain": 2.0}
    box = {"decay": 0.9, "current": lambda x: x / 10, "gain": 10.0}
    add("Norse", lif_cell, default=True, **cell)
    add("Norse", lif_recurrent, default=True, **cell)
    add("Norse", lif_sparse, default=True, **cell)
    add("Norse", lif_adjoint, **cell)
    add("Norse", iaf, default=True, decay=1.0)
    add("Norse", lif_box, default=True, **box)
    add("Norse", lif_box, options={"reset_method": value_detached}, **box)
    add("Norse", lif_box, "subtract", options={"reset_method": subtract}, **box)

    add("sinabs", sinabs_lif, "subtract", default=True, **leak)
    add("sinabs", sinabs_lif, "subtract", options={"reset_fn": subtract_detached}, **leak)
    add("sinabs", sinabs_lif, options={"reset_fn": "MembraneReset"}, **leak)
    add("sinabs", sinabs_lif, options={"reset_fn": zero_attached}, **leak)
    add("sinabs", sinabs_lif, "subtract", options={"spike_fn": "SingleSpike"}, **leak)
    return ways
