"""The LIF neuron over time in torch: the same step equations, eager or compiled, on any device.

Arrays are time-major, ``[T, ...]``. Unlike the NumPy code, values are not checked for NaN: that
would cost a pass over memory and, on a GPU, a wait. They pass through as in any torch operation.
"""

import functools
import itertools
import shutil
import warnings

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from tsbp_core.neuron import LIF, charge, credit, reset
from tsbp_core.surrogates import heaviside

BACKENDS = ("auto", "eager", "compiled")
BLOCK = 4
"""Steps, or a few more, that one compiled kernel fuses: enough to keep v in registers, few enough
that its reads and writes do not crowd each other out of the cache. Whole runs compile for long and
run slower."""
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
        "eager" takes one torch operation after the other. "compiled" fuses blocks of steps with
        torch's compiler and needs a C++ compiler (Triton on a GPU); the first call takes seconds,
        later ones with other shapes none. "auto" is "compiled" for large inputs where that works,
        with one warning where it does not, else "eager".
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
        If the backend is "compiled" and compiling does not work here.
    """
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise ValueError(f"x must be a floating tensor, got {getattr(x, 'dtype', type(x))}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"steps must be a positive whole number, got {steps!r}")
    if x.numel() == 0 or (steps is None and x.ndim == 0):
        raise ValueError(f"x must be [T, ...] with at least one step, got shape {tuple(x.shape)}")
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}")
    if backend == "auto":
        large = x.numel() * (steps or 1) >= SMALL
        compiled = large and _compiles(x.device.type)
    else:
        compiled = backend == "compiled"
        if compiled and not _compiles(x.device.type):
            raise RuntimeError(f"backend 'compiled' does not work here: {NO_COMPILER}")
    if steps is not None:
        x = x[None]
    order = sorted(range(1, x.ndim), key=x.stride, reverse=True)
    in_memory_order = x.permute(0, *order)
    s = _LIF.apply(in_memory_order.reshape(len(x), -1), lif, smooth, compiled, steps)
    back = [0, *(1 + order.index(d) for d in range(1, x.ndim))]
    return s.view(len(s), *in_memory_order.shape[1:]).permute(back)


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


def forward_steps(x, v, spikes, membranes, lif, smooth):
    """Take a step from ``v`` for each tensor in ``spikes``; write s and u; return the last v.

    ``x`` is [steps, n], or [1, n] for the same current at every step. ``membranes`` is empty where
    no backward pass will need them.
    """
    spike = lif.surrogate.primitive if smooth else heaviside
    currents = x.unbind(0) if len(x) == len(spikes) else x.unbind(0) * len(spikes)
    for t, x_t in enumerate(currents):
        u = charge(x_t.to(v.dtype), v, lif)
        s = spike(u - lif.threshold)
        v = reset(u, s, lif)
        spikes[t].copy_(s)
        if membranes:
            membranes[t].copy_(u)
    return (v,)


def backward_steps(g, u, carry, deltas, lif, smooth):
    """Take ``len(g)`` steps back from ``carry`` = (eps,); write delta; return the next carry.

    With ``carry`` = (eps, total), delta is added to total and written nowhere.
    """
    spike = lif.surrogate.primitive if smooth else heaviside
    eps, *total = carry
    pairs = list(zip(g.unbind(0), u.unbind(0), strict=True))
    for t, (g_t, u_t) in reversed(list(enumerate(pairs))):
        delta = credit(g_t.to(u.dtype), eps, u_t, spike(u_t - lif.threshold), lif)
        eps = lif.decay * delta
        if total:
            total = [total[0] + delta]
        else:
            deltas[t].copy_(delta)
    return (eps, *total)


class _LIF(torch.autograd.Function):
    """Neurons [T, n]. Saves the membrane u alone; backward finds the spikes from it again."""

    @staticmethod
    def forward(ctx, x, lif, smooth, compiled, steps):
        x = x.contiguous()  # an expanded x is not; the kernels rely on it
        s = torch.empty(steps or len(x), x.shape[1], dtype=x.dtype, device=x.device)
        wide = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
        u = torch.empty_like(s, dtype=wide) if ctx.needs_input_grad[0] else None
        v = torch.zeros(x.shape[1], dtype=wide, device=x.device)
        # Spikes depend on neither surrogate nor rho: neurons that differ in these share a kernel.
        neuron = lif if smooth else LIF(lif.decay, lif.threshold, lif.reset)
        run = _runner(forward_steps, neuron, smooth, compiled)
        for i, j in _blocks(len(s), compiled):
            membranes = () if u is None else u[i:j].unbind(0)
            (v,) = run(x if steps else x[i:j], v, s[i:j].unbind(0), membranes)
        if u is not None:
            ctx.save_for_backward(u)
        ctx.settings = lif, smooth, compiled, steps
        return s

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        lif, smooth, compiled, steps = ctx.settings
        g = g.contiguous()
        run = _runner(backward_steps, lif, smooth, compiled)
        dx = () if steps else torch.empty_like(g)
        carry = [torch.zeros_like(u[0])] * (2 if steps else 1)
        for i, j in reversed(_blocks(len(g), compiled)):
            carry = run(g[i:j], u[i:j], tuple(carry), () if steps else dx[i:j].unbind(0))
        dx = carry[1].to(g.dtype)[None] if steps else dx
        return dx, None, None, None, None


def _blocks(T, compiled):
    """Split T steps into blocks of nearly equal length, as (start, stop)."""
    count = max(1, T // BLOCK) if compiled else 1
    edges = [T * k // count for k in range(count + 1)]
    return list(itertools.pairwise(edges))


def _runner(steps, lif, smooth, compiled):
    """Fix the neuron of ``steps``: its parameters are constants in the compiled kernel."""
    fixed = functools.partial(steps, lif=lif, smooth=smooth)
    if not compiled:
        return fixed
    threads = torch.get_num_threads()

    def run(*arguments):
        groups = [a if isinstance(a, tuple) else (a,) for a in arguments]
        tensors = [tensor for group in groups for tensor in group]
        kinds = tuple((len(group), group[0].dtype if group else None) for group in groups)
        key = len(arguments[0]), kinds, tensors[0].device, threads
        kernels = _kernels(steps, lif, smooth)
        if key not in kernels:
            kernels[key] = _compile(fixed, arguments)
        return kernels[key](*tensors)

    return run


@functools.cache
def _kernels(steps, lif, smooth):
    """Kernels compiled for one neuron, by block length, dtypes, device and threads."""
    return {}


def _compile(function, arguments):
    """Compile for the arguments' structure and dtypes, and any number of neurons.

    ``torch.compile`` would do, but the checks it makes at each call take longer than a block of
    a few hundred thousand elements; here the caller's key takes their place.
    """
    tensors, structure = pytree.tree_flatten(arguments)
    examples = [torch.empty((*t.shape[:-1], 64), dtype=t.dtype, device=t.device) for t in tensors]

    def flat(*tensors):
        return function(*pytree.tree_unflatten(tensors, structure))

    with torch.no_grad():
        graph = make_fx(flat, tracing_mode="symbolic")(*examples)
        return torch._inductor.standalone_compile(graph, examples)


NO_COMPILER = "torch.compile needs a working C++ compiler, such as g++ or clang++ (Triton on a GPU)"


@functools.cache
def _compiles(device_type):
    """Whether compiling works for this device; warns, once, where it does not."""
    try:
        if device_type == "cpu" and not (shutil.which("c++") or shutil.which("g++")):
            raise RuntimeError("no C++ compiler found")
        zero = torch.zeros(1, 3, device=device_type)
        _compile(lambda x: (-x,), (zero,))(zero)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(
            f"{NO_COMPILER}; it failed with: {reason}. Spiking layers run eagerly, with the same "
            "numbers but slower",
            stacklevel=3,
        )
        return False
    return True


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
