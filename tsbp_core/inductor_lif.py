"""Kernels for blocks of steps, made by torch's compiler: C++ on a CPU, Triton on a GPU."""

import functools
import shutil
import warnings

import torch
from torch.utils import _pytree as pytree

TYPICAL = 1 << 16
"""Neurons that kernels are made for: few would make a kernel without threads. They take any."""
NO_COMPILER = "torch.compile needs a working C++ compiler, such as g++ or clang++ (Triton on a GPU)"


def runner(function, key, x):
    """``function`` compiled, at its first call, for what it is called with.

    ``key`` tells apart functions that differ; ``x`` gives the dtype and the device. Arguments are
    tensors and tuples of tensors, the first of them with a block's steps as its first axis.
    """
    kernels = _kernels(*key, x.dtype, x.device, torch.get_num_threads())

    def run(*arguments):
        tensors, size = [], (len(arguments[0]),)
        for argument in arguments:
            several = isinstance(argument, tuple)
            tensors += argument if several else (argument,)
            size += (len(argument),) if several else ()
        if size not in kernels:
            kernels[size] = _compile(function, arguments)
        return kernels[size](tensors)

    return run


@functools.cache
def _kernels(*key):
    """Kernels compiled for one neuron and kind of input, by the lengths of its arguments."""
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


@functools.cache
def works(device_type):
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
            stacklevel=4,
        )
        return False
    return True
