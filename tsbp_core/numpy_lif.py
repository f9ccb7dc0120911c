"""The LIF neuron over time in NumPy: forward, backward, and the synaptic trace. For reading.

Arrays are time-major, ``[T, ...]``: the first axis is time, the others are neurons, batch, seeds.
"""

from typing import NamedTuple

import numpy as np

from tsbp_core import checks
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
    reset_spikes : ndarray [T, ...] of the shape of ``x``, optional
        Spikes that the reset uses in place of this run's own: the reset "frozen".

    Returns
    -------
    Run
        Spikes and membrane before the spike, both of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``x`` has no time axis, is empty, is not of these dtypes or is not finite, or if
        ``reset_spikes`` is not a finite array of its shape.
    """
    x = checks.floating("x", x, complex_ok=smooth)
    if reset_spikes is not None:
        reset_spikes = checks.spikes("reset_spikes", reset_spikes).astype(x.dtype, copy=False)
        checks.same_shape("reset_spikes", reset_spikes, "x", x)
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
    g : ndarray [T, ...], float32 or float64
        dL/ds, what each spike gets from the layer above.
    run : Run
        What ``forward`` returned for a real current.
    lif : LIF
        The neuron; its ``reset_gradient`` is rho.

    Returns
    -------
    ndarray [T, ...]
        delta = dL/du = dL/dx, of the dtype of the run.

    Raises
    ------
    ValueError
        If ``g`` is not finite, or ``g`` and the run are not real floating arrays of one shape.
    """
    s, u = (np.asarray(part) for part in run)
    if u.dtype.char not in "fd":
        raise ValueError(f"the run must be of float32 or float64, got dtype {u.dtype}")
    g = checks.floating("g", g).astype(u.dtype, copy=False)
    checks.same_shape("g", g, "the run", u)
    checks.same_shape("the run's spikes", s, "its membrane", u)
    s = s.astype(u.dtype, copy=False)
    h = lif.surrogate.derivative(u - lif.threshold)
    slope = np.broadcast_to(reset_slope(u, s, h, lif), u.shape)
    delta = np.empty_like(u)
    eps = np.zeros_like(u[0])
    for t in reversed(range(len(u))):
        delta[t] = credit(g[t], eps, h[t], slope[t])
        eps = lif.decay * delta[t]
    return delta


def trace(s, tau):
    """Synaptic trace a[t] = (1 - 1/tau) a[t-1] + s[t]/tau of spikes.

    Parameters
    ----------
    s : ndarray [T, ...]
        Spikes, or any signal. Whole numbers and booleans are cast to float64.
    tau : float
        Time constant in steps, at least 1, where the trace is the spikes themselves.

    Returns
    -------
    ndarray [T, ...]
        Of the dtype of ``s``, once cast.

    Raises
    ------
    ValueError
        If ``s`` has no time axis, is empty or not finite, or ``tau`` is out of its range.
    """
    tau = checks.number("tau", tau)
    if not 1.0 <= tau < np.inf:
        raise ValueError(f"tau must be at least 1 step and finite, got {tau}")
    s = checks.spikes("s", s, complex_ok=True)
    keep = 1.0 - 1.0 / tau
    a = np.empty_like(s)
    previous = np.zeros_like(s[0])
    for t in range(len(s)):
        previous = a[t] = keep * previous + s[t] / tau
    return a


def trace_backward(error, tau):
    """dL/ds of the trace, given ``error`` = dL/da [T, ...]: the same filter, backward in time.

    Takes, casts and refuses what ``trace`` does.
    """
    return trace(checks.spikes("error", error, complex_ok=True)[::-1], tau)[::-1]


class TraceLoss:
    """L = 1/2 sum over t of (a[t] - a*[t])^2 between synaptic traces (van Rossum's distance).

    Both are computed in double precision, whatever the dtype of the spikes.

    Parameters
    ----------
    target : ndarray [T, ...]
        Target spikes. An axis of length 1, but the first, stands for any length in the spikes: one
        target for S neurons is ``[T, 1]``.
    tau : float, default 3.0
        Time constant of the trace in steps, at least 1.

    Raises
    ------
    ValueError
        As ``trace`` does; when called, also if the shape of the spikes does not fit.
    """

    def __init__(self, target, tau=3.0):
        self.tau = tau
        self.target_trace = trace(_double(checks.spikes("target", target)), tau)

    def __call__(self, spikes):
        """Return the loss of each neuron, ``[...]``, and its gradient dL/ds, ``[T, ...]``."""
        spikes = _double(checks.spikes("spikes", spikes, complex_ok=True))
        target = self.target_trace
        if not _fits(target.shape, spikes.shape):
            raise ValueError(
                f"spikes have shape {spikes.shape}, the target {target.shape}; they must be equal, "
                "but for axes of length 1 in the target, not the first"
            )
        error = trace(spikes, self.tau) - target
        return 0.5 * (error**2).sum(axis=0), trace_backward(error, self.tau)


def _fits(target, spikes):
    """Whether shapes are equal, but for axes of length 1 in the target that are not the first."""
    alike = len(target) == len(spikes) and target[0] == spikes[0]
    return alike and all(own in (1, n) for own, n in zip(target, spikes, strict=True))


def _double(x):
    return x.astype(np.result_type(x, float), copy=False)
