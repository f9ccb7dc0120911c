"""The LIF neuron over time in torch: the same step equations, eager or compiled, on any device.

On a CPU torch's compiler fuses blocks of steps (``block_lif``, ``inductor_lif``); on a GPU all
steps are one Triton kernel (``triton_lif``).

Arrays are time-major, ``[T, ...]``. Unlike the NumPy code, values are not checked for NaN: that
would cost a pass over memory and, on a GPU, a wait. They pass through: from a membrane that is not
finite on, a neuron's spikes are NaN, and so is its gradient.
"""

import torch
from torch.utils._python_dispatch import any_torch_dispatch_mode_on_stack

from tsbp_core.compiler import CannotCompile, Kernels, not_traced, reason, warn_once
from tsbp_core.function_lif import Neurons, needs_gradient, triton_kernels
from tsbp_core.neuron import LIF
from tsbp_core.plain_lif import autograd_lif as autograd_lif

BACKENDS = ("auto", "eager", "compiled")
SMALL = 1 << 16
"""Inputs of fewer elements stay eager under "auto": compiling them costs more than it saves."""


@not_traced("lif compiles its own kernels; leave fullgraph=True out")
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
        first with another reset, family of surrogates, dtype, number of threads or length of
        block. On a CPU other numbers take none: of neurons, or the values of decay, threshold,
        rho (but for 0) and width, which may change as training goes. On a GPU other values
        compile anew. "auto" is "compiled" on a GPU, and for large inputs on a CPU, where that
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
        If ``x`` is not a floating tensor, has no time axis or an axis of length 0, ``steps`` is
        not a positive whole number, or the backend is unknown.
    CannotCompile
        A RuntimeError, if the backend is "compiled" and compiling does not work here; in the
        backward pass, too.
    RuntimeError
        If a second derivative is asked for, or a forward-mode one.

    Notes
    -----
    Compiled on a CPU, large spikes and gradients take the memory of earlier ones that were freed
    (``buffers``; 1 GiB waits at most), since fresh pages cost more than the arithmetic. What else a
    network makes is beyond its reach: with the environment variables that the project's Makefile
    sets, before Python starts, the C library keeps freed memory for all (glibc on Linux).
    """
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise ValueError(f"x must be a floating tensor, got {getattr(x, 'dtype', type(x))}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"steps must be a positive whole number, got {steps!r}")
    if x.numel() == 0 or (steps is None and x.ndim == 0):
        axes = "[T, ...]" if steps is None else "[...]"
        raise ValueError(f"x must be {axes}, no axis of length 0, got shape {tuple(x.shape)}")
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}")
    if backend == "auto" and not _is_plain(x):
        backend = "eager"
    path = path_name(backend, x.device, x.numel() * (steps or 1), lif, smooth)
    if steps is not None:
        x = x[None]
    order = sorted(range(1, x.ndim), key=x.stride, reverse=True)
    in_memory_order = x.permute(0, *order)
    flat = in_memory_order.reshape(len(x), -1).contiguous()  # the kernels rely on it
    s, *_ = Neurons.apply(flat, steps or len(x), lif, smooth, path, needs_gradient(flat))
    back = [0, *(1 + order.index(d) for d in range(1, x.ndim))]
    return s.view(len(s), *in_memory_order.shape[1:]).permute(back)


def why_not_compiled(device="cpu"):
    """Why the backend "compiled" does not work on a device, in a sentence; "" where it does."""
    try:
        lif(torch.zeros(1, 1, device=device), LIF(), "compiled")
    except CannotCompile as error:
        return str(error)
    return ""


def _is_plain(x):
    """Whether ``x`` has memory that a kernel can read, and nobody looks at each operation."""
    kind = type(x) in (torch.Tensor, torch.nn.Parameter) and x.device.type != "meta"
    return kind and not any_torch_dispatch_mode_on_stack()


def path_name(backend, device, size, lif, smooth):
    """The name in ``PATHS``; ``size`` counts the spikes."""
    on_gpu = device.type == "cuda" and not smooth
    if backend == "eager" or (backend == "auto" and not on_gpu and size < SMALL):
        return "eager"
    if not on_gpu:
        return "compiled" if backend == "compiled" else "compiled or eager"
    family = type(lif.surrogate)
    try:
        GPU.get(family) or GPU.make(family, lambda: _try_gpu(device, lif), backend == "auto")
    except CannotCompile as failure:
        if backend == "compiled":
            raise
        warn_once(str(failure))
        return "eager"
    return "triton"


GPU = Kernels()
"""Families of surrogates whose kernels were seen to run on a GPU."""


def _try_gpu(device, lif):
    """Run the GPU's kernels on one neuron."""
    try:
        kernels = triton_kernels()
        x = torch.zeros(1, 1, device=device)
        s, kept = kernels.forward(x, 1, lif, keep=True)
        kernels.backward(s, x, kept, lif)
    except Exception as error:
        raise RuntimeError(
            f"kernels for a GPU need Triton and a C compiler, such as gcc: {reason(error)}"
        ) from error
    return True


class LIFLayer(torch.nn.Module):
    """A layer of LIF neurons: input current [T, B, ...] to spikes [T, B, ...]. No parameters.

    Parameters
    ----------
    lif : LIF, optional
        The neuron; by default ``LIF()``.
    backend : {"auto", "eager", "compiled"}, default "auto"
        As in ``lif``, which refuses others when the layer runs.
    steps : int, optional
        T; then the current is [B, ...], the same at every step.
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
