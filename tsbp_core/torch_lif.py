"""The LIF neuron over time in torch: the same step equations, eager or compiled, on any device.

Arrays are time-major, ``[T, ...]``. Unlike the NumPy code, values are not checked for NaN: that
would cost a pass over memory and, on a GPU, a wait. They pass through as in any torch operation.
"""

import functools
import itertools
import shutil
import warnings

import torch
from torch.utils import _pytree as pytree

from tsbp_core.neuron import LIF, charge, credit, reset, reset_slope
from tsbp_core.surrogates import heaviside

BACKENDS = ("auto", "eager", "compiled")
BLOCK = 5
"""Steps, about, that one compiled kernel fuses: enough to keep v in registers, few enough
that its reads and writes do not crowd each other out of the cache. Whole runs compile for long and
run slower."""
TYPICAL = 1 << 16
"""Neurons that kernels are made for: few would make a kernel without threads. They take any."""
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
        torch's compiler and needs a C++ compiler (Triton on a GPU). The first call takes seconds,
        and so does the first with another neuron, dtype, number of threads or length of block;
        other numbers of neurons take none. "auto" is "compiled" for large inputs where that works,
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


class _LIF(torch.autograd.Function):
    """Neurons [T, n]. Saves the input, and v before each block; backward runs the block again."""

    @staticmethod
    def forward(ctx, x, lif, smooth, compiled, steps):
        x = x.contiguous()  # an expanded x is not; the kernels rely on it
        s = torch.empty(steps or len(x), x.shape[1], dtype=x.dtype, device=x.device)
        wide = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
        v = torch.zeros(x.shape[1], dtype=wide, device=x.device)
        # Spikes depend on neither surrogate nor rho: neurons that differ in these share a kernel.
        neuron = lif if smooth else LIF(lif.decay, lif.threshold, lif.reset)
        run = _runner(forward_steps, neuron, smooth, compiled, x, steps)
        blocks = _blocks(len(s), compiled)
        rows = s.unbind(0)
        starts = []
        for x_block, (i, j) in zip(_split(x, blocks), blocks, strict=True):
            if ctx.needs_input_grad[0]:
                starts.append(v)
            (v,) = run(x_block, v, rows[i:j])
        if starts:
            ctx.save_for_backward(x, *starts)
        ctx.settings = lif, smooth, compiled, steps
        return s

    @staticmethod
    def backward(ctx, g):
        if torch.is_grad_enabled():
            raise RuntimeError("lif can be differentiated once: leave create_graph=True out")
        x, *starts = ctx.saved_tensors
        lif, smooth, compiled, steps = ctx.settings
        g = g.contiguous()
        run = _runner(backward_steps, lif, smooth, compiled, x, steps)
        blocks = _blocks(len(g), compiled)
        dx = None if steps else torch.empty_like(g)
        rows = () if steps else dx.unbind(0)
        carry = (torch.zeros_like(starts[0]),) * (2 if steps else 1)
        pieces = zip(_split(g, blocks), _split(x, blocks), starts, blocks, strict=True)
        for g_block, x_block, v, (i, j) in reversed(list(pieces)):
            carry = run(g_block, x_block, v, carry, rows[i:j])
        dx = carry[1].to(g.dtype)[None] if steps else dx
        return dx, None, None, None, None


def _blocks(T, compiled):
    """Split T steps into blocks of nearly equal length, as (start, stop)."""
    count = max(1, round(T / BLOCK)) if compiled else 1
    edges = [T * k // count for k in range(count + 1)]
    return list(itertools.pairwise(edges))


def _split(x, blocks):
    """The part of ``x`` for each block, which is all of it where it is the same at every step."""
    same = len(x) < blocks[-1][1]
    return [x] * len(blocks) if same else x.split([j - i for i, j in blocks])


def _runner(steps, lif, smooth, compiled, x, static):
    """Fix the neuron of ``steps``: its parameters are constants in the compiled kernel."""
    fixed = functools.partial(steps, lif=lif, smooth=smooth)
    if not compiled:
        return fixed
    threads = torch.get_num_threads()
    kernels = _kernels(steps, lif, smooth, bool(static), x.dtype, x.device, threads)

    def run(*arguments):
        tensors = []
        for argument in arguments:
            tensors += argument if isinstance(argument, tuple) else (argument,)
        size = len(arguments[0]), len(tensors)
        if size not in kernels:
            kernels[size] = _compile(fixed, arguments)
        return kernels[size](tensors)

    return run


@functools.cache
def _kernels(steps, lif, smooth, static, dtype, device, threads):
    """Kernels compiled for one neuron and kind of input, by block length and number of tensors."""
    return {}


def _compile(function, arguments):
    """Compile for the arguments' structure and dtypes, and any number of neurons.

    ``torch.compile`` would do, but the checks it makes at each call take longer than a block of
    a few hundred thousand elements; here the caller's choice of the kernel takes their place. The
    imports are heavy, and only needed here.
    """
    from torch._guards import TracingContext, tracing
    from torch._inductor.compile_fx import compile_fx_inner
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    tensors, structure = pytree.tree_flatten(arguments)
    shapes = [(*t.shape[:-1], TYPICAL) for t in tensors]
    examples = [
        torch.empty(shape, dtype=t.dtype, device=t.device)
        for shape, t in zip(shapes, tensors, strict=True)
    ]

    def flat(*tensors):
        return function(*pytree.tree_unflatten(tensors, structure))

    with torch.no_grad():
        graph = make_fx(flat, select_decomp_table(), tracing_mode="symbolic")(*examples)
        inputs = [node.meta["val"] for node in graph.graph.find_nodes(op="placeholder")]
        with tracing(TracingContext(inputs[0].fake_mode)):
            return compile_fx_inner(graph, inputs).current_callable


NO_COMPILER = "torch.compile needs a working C++ compiler, such as g++ or clang++ (Triton on a GPU)"


@functools.cache
def _compiles(device_type):
    """Whether compiling works for this device; warns, once, where it does not."""
    try:
        if device_type == "cpu" and not (shutil.which("c++") or shutil.which("g++")):
            raise RuntimeError("no C++ compiler found")
        zero = torch.zeros(1, 3, device=device_type)
        _compile(lambda x: (-x,), (zero,))([zero])
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
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
