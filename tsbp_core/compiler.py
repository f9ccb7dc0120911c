"""torch's compiler, called directly: one thread at a time, with true reasons where it fails."""

import contextlib
import functools
import hashlib
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

TYPICAL = 1 << 16
"""Length of the last axis that kernels are made for: a short one would make a kernel without
threads. They take any."""
PATIENCE = 100
"""A failure is believed for so many times as long as it took: trying again then costs 1 %."""


class CannotCompile(RuntimeError):
    """There is no kernel; the message says why."""


class Kernels(dict):
    """Kernels, by what tells them apart; each is made when it is first needed."""

    def __init__(self):
        super().__init__()
        self.failures = {}

    def make(self, key, make, believe):
        """Keep what ``make`` returns under ``key``; what it raises becomes CannotCompile.

        ``believe``: do not try again what failed a moment ago.
        """
        why, until = self.failures.get(key, ("", 0.0))
        if believe and time.monotonic() < until:
            raise CannotCompile(why)
        start = time.monotonic()
        try:
            with _lock():
                if key not in self:  # another thread may have made it meanwhile
                    self[key] = make()
        except Exception as error:
            end, why = time.monotonic(), f"cannot compile: {reason(error)}"
            self.failures[key] = why, end + PATIENCE * (end - start)
            raise CannotCompile(why) from error
        return self[key]


def not_traced(why):
    """As ``torch.compiler.disable(reason=why)``, for a function that torch.compile leaves alone.

    That loads torch's compiler, which takes longer than torch itself; this waits until it is there.
    """

    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            if "torch._dynamo" not in sys.modules:
                return function(*args, **kwargs)
            if not hasattr(call, "apart"):
                call.apart = torch.compiler.disable(function, reason=why)
            return call.apart(*args, **kwargs)

        return call

    return decorate


def _lock():
    """The lock that torch.compile takes: tracing changes variables of the whole process."""
    from torch._dynamo.convert_frame import compile_lock

    return compile_lock


@functools.cache
def warn_once(text):
    """Warn of what cannot be compiled."""
    warnings.warn(
        f"{text}. Spiking layers run eagerly, with the same numbers but slower", stacklevel=2
    )


def compiled(function, arguments):
    """Compile for the arguments' structure and dtypes, and any length of their last axis.

    ``torch.compile`` would do, but the checks it makes at each call take longer than a block of
    a few hundred thousand elements; here the caller's choice of the kernel takes their place. The
    imports are heavy, and only needed here.
    """
    from torch._guards import TracingContext, tracing
    from torch._inductor.compile_fx import compile_fx_inner
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    tensors, structure = pytree.tree_flatten(arguments)
    examples = [
        torch.empty((*t.shape[:-1], *[TYPICAL][: t.ndim]), dtype=t.dtype, device=t.device)
        for t in tensors
    ]

    def flat(*tensors):
        return function(*pytree.tree_unflatten(tensors, structure))

    cpp = _cpp() if tensors[0].device.type == "cpu" else contextlib.nullcontext()
    with torch.no_grad(), _disable_current_modes(), cpp:
        graph = make_fx(flat, select_decomp_table(), tracing_mode="symbolic")(*examples)
        inputs = [node.meta["val"] for node in graph.graph.find_nodes(op="placeholder")]
        with tracing(TracingContext(inputs[0].fake_mode)):
            return compile_fx_inner(graph, inputs).current_callable


@contextlib.contextmanager
def _cpp():
    """Find a C++ compiler and a folder for kernels first; go round two faults of torch."""
    from torch._inductor import config, exc
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.runtime.cache_dir_utils import cache_dir
    from torch.utils import cpp_extension

    try:
        compiler = get_cpp_compiler()
    except exc.InvalidCxxCompiler as error:
        names = config.cpp.cxx if isinstance(config.cpp.cxx, (list, tuple)) else [config.cpp.cxx]
        raise RuntimeError(
            f"torch finds no C++ compiler: there is no {' or '.join(filter(None, names))} that "
            "runs; install it, or name yours in the environment variable CXX"
        ) from error
    if " " in cache_dir():
        raise RuntimeError(
            f"torch cannot compile in a folder with a space in its path, {cache_dir()!r}; "
            "name another in the environment variable TORCHINDUCTOR_CACHE_DIR"
        )
    libraries = cpp_extension.TORCH_LIB_PATH
    if " " in libraries:  # torch leaves out the quotes
        cpp_extension.TORCH_LIB_PATH = _link(libraries, cache_dir())
    try:
        yield
    except Exception:
        _forget_instructions()
        _try(compiler, cache_dir())
        raise
    finally:
        cpp_extension.TORCH_LIB_PATH = libraries


def _link(path, folder):
    """A link to ``path`` in ``folder``, as a string."""
    link = Path(folder) / f"lib-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    with contextlib.suppress(FileExistsError):
        link.symlink_to(path)
    return str(link)


def _try(compiler, folder):
    """Raise RuntimeError if one line of C++ does not compile: a truer reason than torch's."""
    with tempfile.TemporaryDirectory(dir=folder) as there:
        command = [compiler, "-shared", "-fPIC", "-x", "c++", "-", "-o", f"{there}/one.so"]
        code = 'extern "C" int one() { return 1; }\n'
        run = subprocess.run(command, input=code, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"{compiler} fails: {run.stderr.strip()}")


def _forget_instructions():
    """Let torch look again for vector instructions: it remembers that they did not compile."""
    from torch._inductor import cpu_vec_isa

    families = {type(isa) for isa in cpu_vec_isa.supported_vec_isa_list} | {cpu_vec_isa.VecISA}
    for owner in (cpu_vec_isa, *families):
        for remembers in vars(owner).values():
            if hasattr(remembers, "cache_clear"):
                remembers.cache_clear()


def reason(error):
    """The line that says most: of a C++ compiler's error its own first line."""
    text = str(error)
    _, _, output = text.partition("Output:\n")
    lines = (output or text).strip().splitlines()
    return lines[0] if lines else type(error).__name__
