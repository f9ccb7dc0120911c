"""The LIF neuron over time in torch: the same step equations, eager or compiled, on any device.

Arrays are time-major, ``[T, ...]``. Unlike the NumPy code, values are not checked for NaN: that
would cost a pass over memory and, on a GPU, a wait. They pass through as in any torch operation.
"""

import functools
import shutil
import warnings

import torch

from tsbp_core.neuron import LIF, charge, credit, reset
from tsbp_core.surrogates import heaviside

BACKENDS = ("auto", "eager", "compiled")
BLOCK = 10
"""Steps that one compiled kernel fuses; all of a long run at once compiles and runs slower."""
SMALL = 1 << 16
"""Inputs of fewer elements stay eager under "auto": compiling them costs more than it saves."""


def lif(x, lif, backend="auto", smooth=False):
    """Spikes of LIF neurons over time, differentiable in ``x``.

    Parameters
    ----------
    x : Tensor [T, ...] of a floating dtype
        Input current.
    lif : LIF
        The neuron and its gradient (``reset_gradient`` is rho).
    backend : {"auto", "eager", "compiled"}, default "auto"
        "eager" takes one torch operation after the other. "compiled" fuses blocks of steps with
        ``torch.compile`` and needs a C++ compiler (Triton on a GPU). "auto" is "compiled" for
        large inputs where a compiler is found, with one warning where none is, else "eager".
    smooth : bool, default False
        Replace the step H by the surrogate's antiderivative, as in ``numpy_lif.forward``.

    Returns
    -------
    Tensor [T, ...]
        Spikes, of the dtype and on the device of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is not a floating tensor with a time axis, or the backend is unknown.
    """
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise ValueError(f"x must be a floating tensor, got {getattr(x, 'dtype', type(x))}")
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(f"x must be [T, ...] with at least one step, got shape {tuple(x.shape)}")
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}")
    if backend == "auto":
        backend = "compiled" if x.numel() >= SMALL and _compiler(x.device.type) else "eager"
    order = sorted(range(1, x.ndim), key=x.stride, reverse=True)
    in_memory_order = x.permute(0, *order)
    s = _LIF.apply(in_memory_order.reshape(len(x), -1), lif, smooth, backend == "compiled")
    back = [0, *(1 + order.index(d) for d in range(1, x.ndim))]
    return s.view(in_memory_order.shape).permute(back)


class LIFLayer(torch.nn.Module):
    """A layer of LIF neurons: input current [T, B, ...] to spikes [T, B, ...]. No parameters."""

    def __init__(self, lif=None, backend="auto"):
        super().__init__()
        self.lif = lif or LIF()
        self.backend = backend

    def forward(self, x):
        """Spikes of the current ``x`` [T, B, ...]."""
        return lif(x, self.lif, self.backend)

    def extra_repr(self):
        return f"{self.lif}, backend={self.backend!r}"


def forward_steps(x, v, lif, smooth):
    """Take ``len(x)`` steps from ``v``; return spikes s, membranes u and the last v."""
    spike = lif.surrogate.primitive if smooth else heaviside
    spikes, membranes = [], []
    for x_t in x.unbind(0):
        u = charge(x_t, v, lif)
        s = spike(u - lif.threshold)
        v = reset(u, s, lif)
        spikes.append(s)
        membranes.append(u)
    return torch.stack(spikes), torch.stack(membranes), v


def backward_steps(g, u, eps, lif, smooth):
    """Take ``len(g)`` steps back from ``eps``; return delta and the eps of the step before."""
    spike = lif.surrogate.primitive if smooth else heaviside
    deltas = []
    for g_t, u_t in zip(reversed(g.unbind(0)), reversed(u.unbind(0)), strict=True):
        delta = credit(g_t, eps, u_t, spike(u_t - lif.threshold), lif)
        eps = lif.decay * delta
        deltas.append(delta)
    return torch.stack(deltas[::-1]), eps


class _LIF(torch.autograd.Function):
    """Neurons [T, n]. Saves the membrane u alone; backward finds the spikes from it again."""

    @staticmethod
    def forward(ctx, x, lif, smooth, compiled):
        steps = _steps(forward_steps, lif, smooth, compiled)
        v = torch.zeros_like(x[0])
        spikes, membranes = [], []
        for block in x.split(BLOCK if compiled else len(x)):
            s, u, v = steps(block, v)
            spikes.append(s)
            membranes.append(u)
        s, u = _joined(spikes), _joined(membranes)
        ctx.save_for_backward(u)
        ctx.settings = lif, smooth, compiled
        return s

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        lif, smooth, compiled = ctx.settings
        steps = _steps(backward_steps, lif, smooth, compiled)
        eps = torch.zeros_like(u[0])
        deltas = []
        size = BLOCK if compiled else len(g)
        for g_block, u_block in zip(reversed(g.split(size)), reversed(u.split(size)), strict=True):
            delta, eps = steps(g_block, u_block, eps)
            deltas.append(delta)
        return _joined(deltas[::-1]), None, None, None


def _joined(blocks):
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


@functools.cache
def _steps(steps, lif, smooth, compiled):
    """Fix the neuron, so that its parameters are constants in the compiled kernel."""
    fixed = functools.partial(steps, lif=lif, smooth=smooth)
    if not compiled:
        return fixed
    return torch.compile(fixed, fullgraph=True, dynamic=True, isolate_recompiles=True)


@functools.cache
def _compiler(device_type):
    found = device_type != "cpu" or shutil.which("c++") or shutil.which("g++")
    if not found:
        warnings.warn(
            "no C++ compiler found: spiking layers run eagerly, with the same numbers but slower; "
            "install g++ or clang++ for the compiled backend",
            stacklevel=3,
        )
    return bool(found)


def autograd_lif(x, lif):
    """The same neuron as most code on the web writes it: a loop under plain autograd.

    Only the spike has a hand-made derivative; autograd finds the rest, the missing term included.
    With rho < 1 the share 1 - rho of the reset's spike is detached. For comparison and tests: it
    is slow, and it keeps every intermediate array.
    """
    v = torch.zeros_like(x[0])
    spikes = []
    for x_t in x.unbind(0):
        u = lif.decay * v + x_t
        s = _Spike.apply(u - lif.threshold, lif.surrogate)
        s_reset = lif.reset_gradient * s + (1.0 - lif.reset_gradient) * s.detach()
        if lif.reset == "zero":
            v = u * (1.0 - s_reset)
        elif lif.reset == "subtract":
            v = u - lif.threshold * s_reset
        else:
            v = u
        spikes.append(s)
    return torch.stack(spikes)


class _Spike(torch.autograd.Function):
    """Heaviside forward, surrogate derivative backward."""

    @staticmethod
    def forward(ctx, z, surrogate):
        ctx.save_for_backward(z)
        ctx.surrogate = surrogate
        return heaviside(z)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * ctx.surrogate.derivative(z), None
