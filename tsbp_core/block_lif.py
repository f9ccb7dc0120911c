"""LIF neurons [T, n] in torch, in blocks of steps: one block eagerly, short ones compiled."""

import functools
import itertools

import torch

from tsbp_core import buffers, inductor_lif
from tsbp_core.neuron import LIF, charge, credit, reset, reset_slope
from tsbp_core.surrogates import heaviside

BLOCK = 5
"""Steps, about, that one compiled kernel fuses: enough to keep v in registers, few enough
that its reads and writes do not crowd each other out of the cache. Whole runs compile for long and
run slower."""


def run_steps(x, v, steps, lif, smooth):
    """Take steps from ``v``: the list of (u, s), and the last v.

    ``x`` is [steps, n], or [1, n] for the same current at every step.
    """
    spike = lif.surrogate.primitive if smooth else heaviside
    currents = x.unbind(0) if len(x) == steps else x.unbind(0) * steps
    run = []
    for x_t in currents:
        u = charge(x_t.to(v.dtype), v, lif)
        s = spike(u - lif.threshold)
        v = reset(u, s, lif)
        run.append((u, s))
    return run, v


def forward_steps(x, v, spikes, lif, smooth):
    """Take a step from ``v`` for each tensor in ``spikes``; write s there; return the last v."""
    run, v = run_steps(x, v, len(spikes), lif, smooth)
    for written, (_, s) in zip(spikes, run, strict=True):
        written.copy_(s)
    return (v,)


def backward_steps(g, x, v, carry, deltas, lif, smooth):
    """Take the steps from ``v`` again, then back from ``carry`` = (eps,); return the next carry.

    Writes delta to ``deltas``. With ``carry`` = (eps, total), delta is added to total instead.
    """
    run, _ = run_steps(x, v, len(g), lif, smooth)
    eps, *total = carry
    for t, (u, s) in reversed(list(enumerate(run))):
        h = lif.surrogate.derivative(u - lif.threshold)
        delta = credit(g[t].to(u.dtype), eps, h, reset_slope(u, s, h, lif))
        eps = lif.decay * delta
        if total:
            total = [total[0] + delta]
        else:
            deltas[t].copy_(delta)
    return (eps, *total)


def rest(x):
    """The membrane before the first step, [n], at least float32."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.zeros(x.shape[1], dtype=dtype, device=x.device)


def forward(x, T, lif, smooth, keep, how):
    """Spikes [T, n] and, to ``keep`` for the backward pass, v before each block of steps."""
    s = _empty((T, x.shape[1]), x, how)
    v = rest(x)
    # Spikes depend on neither surrogate nor rho: neurons that differ in these share a kernel.
    neuron = lif if smooth else LIF(lif.decay, lif.threshold, lif.reset)
    run = _runner(forward_steps, neuron, smooth, how, x)
    blocks = _blocks(T, 1 if how == "eager" else max(1, round(T / BLOCK)))
    rows = s.unbind(0)
    starts = []
    for x_block, (i, j) in zip(_split(x, blocks), blocks, strict=True):
        if keep:
            starts.append(v)
        (v,) = run(x_block, v, rows[i:j])
    return s, starts


def backward(g, x, starts, lif, smooth, how):
    """dL/dx, of the shape of ``x``. Takes the steps of each block again, from its start."""
    run = _runner(backward_steps, lif, smooth, how, x)
    blocks = _blocks(len(g), len(starts))
    same = len(x) < len(g)
    dx = None if same else _empty(g.shape, g, how)
    rows = () if same else dx.unbind(0)
    carry = (torch.zeros_like(starts[0]),) * (2 if same else 1)
    pieces = zip(_split(g, blocks), _split(x, blocks), starts, blocks, strict=True)
    for g_block, x_block, v, (i, j) in reversed(list(pieces)):
        carry = run(g_block, x_block, v, carry, rows[i:j])
    return carry[1].to(g.dtype)[None] if same else dx


def _empty(shape, like, how):
    if how == "eager" or like.device.type != "cpu":
        return like.new_empty(shape)
    return buffers.empty(shape, like.dtype)


def _blocks(T, count):
    """Split T steps into ``count`` blocks of nearly equal length, as (start, stop)."""
    edges = [T * k // count for k in range(count + 1)]
    return list(itertools.pairwise(edges))


def _split(x, blocks):
    """The part of ``x`` for each block, which is all of it where it is the same at every step."""
    same = len(x) < blocks[-1][1]
    return [x] * len(blocks) if same else x.split([j - i for i, j in blocks])


def _runner(steps, lif, smooth, how, x):
    if how == "eager":
        return functools.partial(steps, lif=lif, smooth=smooth)
    return inductor_lif.runner(steps, lif, smooth, x, fall_back=how == "auto")
