"""The LIF neuron over time in NumPy: forward, backward, and the synaptic trace. For reading.

Arrays are time-major, ``[T, ...]``: the first axis is time, the others are neurons, batch, seeds.
"""

from typing import NamedTuple

import numpy as np

from tsbp_core.neuron import charge, credit, reset, reset_slope
from tsbp_core.surrogates import heaviside


class Run(NamedTuple):
    """What a forward pass leaves behind: ``spikes`` s and ``membrane`` u, both ``[T, ...]``."""

    spikes: np.ndarray
    membrane: np.ndarray


def forward(x, lif, *, smooth=False, reset_spikes=None):
    """Run LIF neurons over time.

    Parameters
    ----------
    x : ndarray [T, ...], float32 or float64 (complex only with ``smooth``)
        Input current, in units of the threshold a step.
    lif : LIF
        The neuron.
    smooth : bool, default False
        Replace the step H by sigma, the antiderivative of h, in the output and in the reset. The
        run is then differentiable, and ``backward`` with rho = 1 is its exact gradient.
    reset_spikes : ndarray [T, ...], optional
        Spikes that the reset uses in place of this run's own: the reset "frozen".

    Returns
    -------
    Run
        Spikes and membrane before the spike, both of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``x`` has no time axis, is empty, is not of a floating dtype or is not finite.
    """
    x = _checked("x", x, complex_ok=smooth)
    if reset_spikes is not None and np.shape(reset_spikes) != x.shape:
        raise ValueError(f"reset_spikes has shape {np.shape(reset_spikes)}, x has {x.shape}")
    spike = lif.surrogate.primitive if smooth else heaviside
    s, u = np.empty_like(x), np.empty_like(x)
    v = np.zeros_like(x[0])
    for t in range(len(x)):
        u[t] = charge(x[t], v, lif)
        s[t] = spike(u[t] - lif.threshold)
        v = reset(u[t], s[t] if reset_spikes is None else reset_spikes[t], lif)
    return Run(s, u)


def backward(g, run, lif):
    """Back-propagate through a run.

    Parameters
    ----------
    g : ndarray [T, ...]
        dL/ds, the credit each spike gets from the layer above.
    run : Run
        What ``forward`` returned.
    lif : LIF
        The neuron; its ``reset_gradient`` is rho.

    Returns
    -------
    ndarray [T, ...]
        delta = dL/du = dL/dx.

    Raises
    ------
    ValueError
        If ``g`` is not a finite floating array of the run's shape.
    """
    s, u = run
    g = _checked("g", g)
    if g.shape != u.shape:
        raise ValueError(f"g has shape {g.shape}, the run has {u.shape}; they must be equal")
    h = lif.surrogate.derivative(u - lif.threshold)
    slope = np.broadcast_to(reset_slope(u, s, h, lif), u.shape)
    delta = np.empty_like(u)
    eps = np.zeros_like(u[0])
    for t in reversed(range(len(u))):
        delta[t] = credit(g[t], eps, h[t], slope[t])
        eps = lif.decay * delta[t]
    return delta


def trace(s, tau):
    """Synaptic trace a[t] = (1 - 1/tau) a[t-1] + s[t]/tau of spikes ``s`` [T, ...]; tau >= 1."""
    keep = _keep(tau)
    a = np.empty_like(s)
    previous = np.zeros_like(s[0])
    for t in range(len(s)):
        previous = a[t] = keep * previous + s[t] / tau
    return a


def trace_backward(e, tau):
    """dL/ds of the trace, given ``e`` = dL/da [T, ...]: the same filter, run backward in time."""
    return trace(e[::-1], tau)[::-1]


class TraceLoss:
    """L = 1/2 sum over t of (a[t] - a*[t])^2 between synaptic traces (van Rossum's distance).

    Parameters
    ----------
    target : ndarray [T, ...]
        Target spikes; broadcasts against the spikes it is compared with.
    tau : float, default 3.0
        Time constant of the trace in steps, at least 1.
    """

    def __init__(self, target, tau=3.0):
        self.tau = tau
        self.target_trace = trace(np.asarray(target), tau)

    def __call__(self, spikes):
        """Return the loss of each neuron, ``[...]``, and its gradient dL/ds, ``[T, ...]``."""
        error = trace(spikes, self.tau) - self.target_trace
        return 0.5 * (error**2).sum(axis=0), trace_backward(error, self.tau)


def _keep(tau):
    if not 1.0 <= tau < np.inf:
        raise ValueError(f"tau must be at least 1 step and finite, got {tau}")
    return 1.0 - 1.0 / tau


def _checked(name, x, complex_ok=False):
    x = np.asarray(x)
    kinds = "fc" if complex_ok else "f"
    if x.dtype.kind not in kinds:
        raise ValueError(
            f"{name} must be a floating array, got dtype {x.dtype}; use .astype(float)"
        )
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"{name} must be [T, ...] with at least one step, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} has {(~np.isfinite(x)).sum()} NaN or infinite values of {x.size}")
    return x
