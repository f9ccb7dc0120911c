"""The LIF neuron over time in torch: the same step equations, eager or compiled, on any device.

On a CPU torch's compiler fuses blocks of steps (``block_lif``, ``inductor_lif``); on a GPU all
steps are one Triton kernel (``triton_lif``).

Arrays are time-major, ``[T, ...]``. Unlike the NumPy code, values are not checked for NaN: that
would cost a pass over memory and, on a GPU, a wait. They pass through as in any torch operation.
"""

import functools
import warnings

import torch

from tsbp_core import block_lif, inductor_lif
from tsbp_core.block_lif import backward_steps as backward_steps
from tsbp_core.block_lif import forward_steps as forward_steps
from tsbp_core.block_lif import run_steps as run_steps
from tsbp_core.neuron import LIF
from tsbp_core.surrogates import heaviside

BACKENDS = ("auto", "eager", "compiled")
SMALL = 1 << 16
"""Inputs of fewer elements stay eager under "auto": compiling them costs more than it saves."""


@torch.compiler.disable
def lif(x, lif, backend="auto", smooth=False, steps=None):
    """Spikes of LIF neurons over time, differentiable in ``x``.

    Parameters
    ----------
    x : Tensor [T, ...] of a floating dtype
        Input current, in any memory format, which the spikes keep. For float16 and bfloat16 the
        membrane is computed and kept in float32.
    lif : LIF
        The neuron and its gradient (``reset_gradient`` is rho).
    backend : {"auto", "eager", "compiled"}, default "auto"
        "eager" takes one torch operation after the other. "compiled" runs all steps in one kernel
        on a GPU, and needs Triton (``smooth`` aside); on a CPU it fuses blocks of steps with
        torch's compiler, and needs a C++ compiler. The first call takes seconds, and so does the
        first with another neuron, dtype, number of threads or length of block; other numbers of
        neurons take none. "auto" is "compiled" on a GPU, and for large inputs on a CPU, where that
        works, with one warning where it does not, else "eager".
    smooth : bool, default False
        Replace the step H by the surrogate's antiderivative, as in ``numpy_lif.forward``.
    steps : int, optional
        T, for a current that is the same at every step: then ``x`` is [...], and is read in place
        of T copies of it.

    Returns
    -------
    Tensor [T, ...]
        Spikes, of the dtype and on the device of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is not a floating tensor with a time axis, ``steps`` is not a positive whole
        number, or the backend is unknown.
    RuntimeError
        If the backend is "compiled" and compiling does not work here; in the backward pass, if a
        second derivative is asked for.
    """
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise ValueError(f"x must be a floating tensor, got {getattr(x, 'dtype', type(x))}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"steps must be a positive whole number, got {steps!r}")
    if x.numel() == 0 or (steps is None and x.ndim == 0):
        raise ValueError(f"x must be [T, ...] with at least one step, got shape {tuple(x.shape)}")
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}")
    path = _path(backend, x.numel() * (steps or 1), x.device.type, smooth)
    if steps is not None:
        x = x[None]
    order = sorted(range(1, x.ndim), key=x.stride, reverse=True)
    in_memory_order = x.permute(0, *order)
    s = _LIF.apply(in_memory_order.reshape(len(x), -1), steps or len(x), lif, smooth, path)
    back = [0, *(1 + order.index(d) for d in range(1, x.ndim))]
    return s.view(len(s), *in_memory_order.shape[1:]).permute(back)


def _path(backend, numel, device_type, smooth):
    """The name in ``PATHS`` for a backend; "auto" looks at the input's size."""
    if backend != "eager" and device_type == "cuda" and not smooth:
        if gpu_kernels():
            return "triton"
        if backend == "compiled":
            raise RuntimeError(f"backend 'compiled' does not work here: {NO_TRITON}")
        return "eager"
    if backend == "eager" or (backend == "auto" and numel < SMALL):
        return "eager"
    if inductor_lif.works(device_type):
        return "compiled"
    if backend == "compiled":
        raise RuntimeError(f"backend 'compiled' does not work here: {inductor_lif.NO_COMPILER}")
    return "eager"


NO_TRITON = "kernels for a GPU need Triton and a C compiler, such as gcc"


@functools.cache
def gpu_kernels():
    """The module ``triton_lif``, or None, with one warning, where its kernels do not run."""
    try:
        from tsbp_core import triton_lif

        triton_lif.forward(torch.zeros(1, 1, device="cuda"), 1, LIF(), keep=False)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        warnings.warn(
            f"{NO_TRITON}; they failed with: {reason}. Spiking layers run eagerly, with the same "
            "numbers but slower",
            stacklevel=4,
        )
        return None
    return triton_lif


class LIFLayer(torch.nn.Module):
    """A layer of LIF neurons: input current [T, B, ...] to spikes [T, B, ...]. No parameters.

    With ``steps`` = T the current is [B, ...], the same at every step.
    """

    def __init__(self, lif=None, backend="auto", steps=None):
        super().__init__()
        self.lif = lif or LIF()
        self.backend = backend
        self.steps = steps

    def forward(self, x):
        """Spikes [T, B, ...] of the current ``x``."""
        return lif(x, self.lif, self.backend, steps=self.steps)

    def extra_repr(self):
        return f"{self.lif}, backend={self.backend!r}, steps={self.steps}"


class _LIF(torch.autograd.Function):
    """Neurons [T, n], by one of ``PATHS``. ``x`` is [T, n], or [1, n] where it never changes."""

    @staticmethod
    def forward(ctx, x, T, lif, smooth, path):
        forward, _ = PATHS[path]
        x = x.contiguous()  # an expanded x is not; the kernels rely on it
        s, kept = forward(x, T, lif, smooth, keep=ctx.needs_input_grad[0])
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(x, *kept)
        ctx.settings = lif, smooth, path
        return s

    @staticmethod
    def backward(ctx, g):
        if torch.is_grad_enabled():
            raise RuntimeError("lif can be differentiated once: leave create_graph=True out")
        x, *kept = ctx.saved_tensors
        lif, smooth, path = ctx.settings
        _, backward = PATHS[path]
        return backward(g.contiguous(), x, kept, lif, smooth), None, None, None, None


PATHS = {
    "eager": (
        functools.partial(block_lif.forward, compiled=False),
        functools.partial(block_lif.backward, compiled=False),
    ),
    "compiled": (
        functools.partial(block_lif.forward, compiled=True),
        functools.partial(block_lif.backward, compiled=True),
    ),
    "triton": (
        lambda x, T, lif, smooth, keep: gpu_kernels().forward(x, T, lif, keep),
        lambda g, x, kept, lif, smooth: gpu_kernels().backward(g, x, kept, lif),
    ),
}
"""What runs neurons [T, n], by name: ``forward(x, T, lif, smooth, keep)`` returns the spikes and a
list of what ``backward(g, x, kept, lif, smooth)`` takes as ``kept`` and returns dL/dx of."""


def autograd_lif(x, lif):
    """The same neuron as most code on the web writes it: a loop under plain autograd.

    Only the spike has a hand-made derivative; autograd finds the rest, the missing term included.
    With rho < 1 the share 1 - rho of the reset's spike is detached. For comparison and tests: it
    is slow, and it keeps the arrays that the derivatives of its operations need.
    """
    v = torch.zeros_like(x[0])
    spikes = []
    for x_t in x.unbind(0):
        u = lif.decay * v + x_t
        s = _Spike.apply(u - lif.threshold, lif.surrogate)
        s_reset = s if lif.reset_gradient == 1.0 else s.detach()
        if 0.0 < lif.reset_gradient < 1.0:
            s_reset = lif.reset_gradient * s + (1.0 - lif.reset_gradient) * s_reset
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
