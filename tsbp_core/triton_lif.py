"""The LIF neuron over time on a GPU: all steps in one Triton kernel forward, one backward.

The kernels hold the loops and the loads; the neuron in them is ``neuron.py`` and ``surrogates.py``
themselves. Triton takes those functions as they stand: ``triton_copy`` gives it a copy of each
whose ``exp`` and ``clip`` are Triton's. Arrays are time-major, [T, n], and contiguous.

A thread keeps the membrane of its neuron in a register. Forward reads x and writes s, and with
``keep`` also writes v before every ``STEPS``-th step. Backward reads x, g and these v, runs STEPS
steps again, then goes back through them, and writes dx. In float32 that moves 20 + 8 / STEPS = 21
bytes an element, and 8 + 8 / STEPS = 9 where the current is the same at every step. For float16 and
bfloat16 the membrane is float32, as in ``torch_lif``.
"""

import contextlib
import functools
import os
import types

import torch
import triton
import triton.language as tl

from tsbp_core import neuron, surrogates

STEPS = 8
"""Steps whose currents are loaded at once, and between two saved membranes."""
WIDTH = 128
"""Neurons of one program."""
WARPS = 4
"""Of 32 threads each in a program."""
FUSED = False
"""A fused multiply-add rounds once where NumPy rounds twice, which turns a few spikes."""


def forward(x, T, lif, keep):
    """Spikes [T, n] and, to ``keep`` for the backward pass, v before every ``STEPS``-th step.

    Parameters
    ----------
    x : Tensor [T, n], contiguous
        Input current, or [1, n] where it is the same at every step.
    T : int
    lif : LIF
    keep : bool
        Whether a backward pass will follow; without, nothing is kept.
    """
    n = x.shape[1]
    s = torch.empty(T, n, dtype=x.dtype, device=x.device)
    starts = []
    if keep:
        starts = [torch.empty(triton.cdiv(T, STEPS), n, dtype=_wide(x.dtype), device=x.device)]
    # Spikes depend on neither surrogate nor rho: neurons that differ in these share a kernel.
    plain = neuron.LIF(lif.decay, lif.threshold, lif.reset)
    _launch("forward", plain, (x, s, starts[0] if keep else s, T, n), same=len(x) < T, keep=keep)
    return s, starts


def backward(g, x, kept, lif):
    """dL/dx, of the shape and dtype of ``x``, given ``g`` = dL/ds [T, n] and what forward kept."""
    dx = torch.empty_like(x)
    same = len(x) < len(g)
    _launch("backward", lif, (g, x, *kept, dx, len(g), x.shape[1]), same=same)
    return dx


def _launch(name, lif, arguments, **settings):
    x, n = arguments[0], arguments[-1]
    kernel = kernels(type(lif.surrogate))[name]
    settings |= {"lif": lif, "surrogate": lif.surrogate, "STEPS": STEPS, "WIDTH": WIDTH}
    settings["wide"] = tl.float64 if x.dtype == torch.float64 else tl.float32
    with torch.cuda.device_of(x):
        kernel[(triton.cdiv(n, WIDTH),)](
            *arguments, **settings, num_warps=WARPS, enable_fp_fusion=FUSED
        )


def _wide(dtype):
    """Dtype of the membrane."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


@contextlib.contextmanager
def interpreter():
    """Within this context the kernels run in Triton's interpreter: on a CPU, in NumPy, slowly."""
    before = os.environ.get("TRITON_INTERPRET", "0")
    os.environ["TRITON_INTERPRET"] = "1"
    kernels.cache_clear()
    try:
        yield
    finally:
        os.environ["TRITON_INTERPRET"] = before
        kernels.cache_clear()


@functools.cache
def kernels(family):
    """Both kernels, for a family of surrogates (a class): {"forward": ..., "backward": ...}."""
    equations = (neuron.charge, neuron.reset, neuron.reset_slope, neuron.credit)
    names = {function.__name__: triton_copy(function) for function in equations}
    names |= {"heaviside": triton_copy(surrogates.heaviside), "shape": triton_copy(family._h)}
    return {
        "forward": triton_copy(forward_kernel, **names),
        "backward": triton_copy(backward_kernel, **names),
    }


def triton_copy(function, **names):
    """A copy of ``function`` for Triton, with ``names`` and ``OWN`` among its globals."""
    names |= {"tl": tl, "__name__": function.__module__}
    names |= {name: triton.jit(own) for name, own in OWN.items()}
    copy = types.FunctionType(function.__code__, names, function.__name__)
    copy.__annotations__ = function.__annotations__  # they say what is constant
    return triton.jit(copy, do_not_specialize=["T"])


def _abs(z):
    return tl.abs(z)


def _exp(z):
    return tl.exp(z)


def _clip(z, low, high):
    return tl.clamp(z, low, high, propagate_nan=tl.PropagateNan.ALL)


OWN = {"abs": _abs, "exp": _exp, "clip": _clip}
"""What stands, in Triton, for the functions that ``surrogates`` calls by these names."""


def forward_kernel(
    x, s, starts, T, n, lif: tl.constexpr, surrogate: tl.constexpr, wide: tl.constexpr,
    same: tl.constexpr, keep: tl.constexpr, STEPS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Spikes s of currents x, and with ``keep`` v before every ``STEPS``-th step in starts."""
    at = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    n = tl.cast(n, tl.int64)
    v = tl.full((WIDTH,), 0.0, wide)
    if same:
        current = tl.load(x + at, at < n)
    for start in range(0, T, STEPS):
        if keep:
            tl.store(starts + start // STEPS * n + at, v, at < n)
        currents = ()
        for k in tl.static_range(STEPS):
            if not same:
                current = tl.load(x + (start + k) * n + at, (at < n) & (start + k < T))
            currents += (current.to(wide),)
        for k in tl.static_range(STEPS):
            u = charge(currents[k], v, lif)
            spike = heaviside(u - lif.threshold)
            v = reset(u, spike, lif)
            tl.store(s + (start + k) * n + at, spike, (at < n) & (start + k < T))


def backward_kernel(
    g, x, starts, dx, T, n, lif: tl.constexpr, surrogate: tl.constexpr, wide: tl.constexpr,
    same: tl.constexpr, STEPS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """dL/dx of credits g from above; ``starts`` as the forward kernel kept them."""
    at = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    n = tl.cast(n, tl.int64)
    eps = tl.full((WIDTH,), 0.0, wide)
    total = tl.full((WIDTH,), 0.0, wide)
    if same:
        current = tl.load(x + at, at < n)
    for done in range(0, T, STEPS):
        start = (T - 1) // STEPS * STEPS - done
        v = tl.load(starts + start // STEPS * n + at, at < n)
        currents, gs, us = (), (), ()
        for k in tl.static_range(STEPS):
            here = (at < n) & (start + k < T)
            if not same:
                current = tl.load(x + (start + k) * n + at, here)
            currents += (current.to(wide),)
            gs += (tl.load(g + (start + k) * n + at, here).to(wide),)
        for k in tl.static_range(STEPS):
            u = charge(currents[k], v, lif)
            v = reset(u, heaviside(u - lif.threshold), lif)
            us += (u,)
        for k in tl.static_range(STEPS - 1, -1, -1):
            u = us[k]
            spike = heaviside(u - lif.threshold)
            h = surrogate.scale * shape(surrogate, u - lif.threshold)
            delta = credit(gs[k], eps, h, reset_slope(u, spike, h, lif))
            delta = tl.where(start + k < T, delta, 0.0)  # past the end, whatever v is there
            eps = lif.decay * delta
            if same:
                total += delta
            else:
                tl.store(dx + (start + k) * n + at, delta, (at < n) & (start + k < T))
    if same:
        tl.store(dx + at, total, at < n)
