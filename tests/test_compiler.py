"""torch's compiler, called directly: threads, failures, and what a machine may lack."""

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch._inductor import config
from torch._inductor.cpu_vec_isa import pick_vec_isa
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from tsbp_core import LIF, compiler, inductor_lif, surrogates, torch_lif

LARGE = torch.randn(8, torch_lif.SMALL // 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def forgetful():
    """Start without kernels, failures and warnings given; leave none."""
    inductor_lif._kernels.cache_clear()
    compiler.warn_once.cache_clear()
    yield
    inductor_lif._kernels.cache_clear()
    compiler.warn_once.cache_clear()


@pytest.fixture
def no_compiler():
    with config.patch({"cpp.cxx": (None, "no-such-compiler")}):
        yield


def fails(error):
    def compiled(*arguments):
        raise error

    return compiled


def assert_torch_compiles():
    """As it did before: nothing of its state is left changed."""
    assert _get_current_dispatch_mode_stack() == []
    assert torch.nn.Module.__call__ is PLAIN_CALL
    torch._dynamo.reset()
    x = torch.rand(5)
    torch.testing.assert_close(torch.compile(lambda x: x.sin() + 1, fullgraph=True)(x), x.sin() + 1)


PLAIN_CALL = torch.nn.Module.__call__


@pytest.mark.skipif(" " in torch.__file__, reason="torch.compile fails in such a folder")
@pytest.mark.needs_compiler
def test_threads_compile_at_once():
    neurons = [LIF(surrogate=family()) for family in surrogates.FAMILIES[:4]]
    start = threading.Barrier(len(neurons))
    spikes, errors = {}, []

    def work(lif):
        x = torch.rand(3, 5, generator=torch.Generator().manual_seed(2)).requires_grad_()
        start.wait()
        try:
            torch_lif.lif(x, lif, "compiled").sum().backward()
            spikes[lif] = x.grad
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(lif,)) for lif in neurons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for lif in neurons:
        x = torch.rand(3, 5, generator=torch.Generator().manual_seed(2)).requires_grad_()
        torch_lif.lif(x, lif, "eager").sum().backward()
        torch.testing.assert_close(spikes[lif], x.grad)
    assert_torch_compiles()


@dataclass(frozen=True)
class Broken(surrogates.Triangle):
    """Its formula fails wherever it is called."""

    def derivative(self, z):
        raise ValueError("this formula is broken")


@pytest.mark.skipif(" " in torch.__file__, reason="torch.compile fails in such a folder")
@pytest.mark.needs_compiler
def test_a_failure_leaves_torch_as_it_was(monkeypatch, tmp_path):
    """While it traces, while it writes C++, and in the C++ compiler."""
    instructions = str(pick_vec_isa())
    bad = tmp_path / "c++"
    bad.write_text('#!/bin/sh\ntest "$1" = --version || { echo it is broken >&2; exit 1; }\n')
    bad.chmod(0o755)
    x = torch.rand(3, 5, requires_grad=True)
    s = torch_lif.lif(x, LIF(surrogate=Broken()), "compiled")
    with pytest.raises(compiler.CannotCompile, match="cannot compile: this formula is broken"):
        s.sum().backward()
    assert_torch_compiles()
    with monkeypatch.context() as patch:
        patch.setattr("torch._inductor.graph.GraphLowering.codegen", fails(OSError("disk full")))
        with pytest.raises(compiler.CannotCompile, match="disk full"):
            torch_lif.lif(x, LIF(reset="none"), "compiled")
    assert_torch_compiles()
    with config.patch({"cpp.cxx": (None, str(bad))}):
        compiler._forget_instructions()
        with pytest.raises(
            compiler.CannotCompile, match=re.escape(f"cannot compile: {bad} fails: it is broken")
        ):
            torch_lif.lif(x.double(), LIF(reset="subtract"), "compiled")
    assert str(pick_vec_isa()) == instructions
    torch_lif.lif(x.double(), LIF(reset="subtract"), "compiled")
    assert_torch_compiles()


def test_a_failure_is_believed_for_a_while(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(compiler.time, "monotonic", lambda: clock[0])
    kernels, tries = compiler.Kernels(), []

    def make():
        tries.append(clock[0])
        clock[0] += 2.0
        if len(tries) < 3:
            raise OSError("no space left on device")
        return "kernel"

    for now in (0.0, 3.0, 201.9):
        clock[0] = now
        with pytest.raises(compiler.CannotCompile, match="cannot compile: no space left on device"):
            kernels.make("key", make, believe=True)
    assert tries == [0.0]
    clock[0] = 202.1
    with pytest.raises(compiler.CannotCompile):
        kernels.make("key", make, believe=True)
    assert tries == [0.0, 202.1]
    assert kernels.make("key", make, believe=False) == "kernel"  # asked for, it is tried at once
    assert kernels["key"] == "kernel"


def test_another_threads_kernel_is_taken():
    kernels = compiler.Kernels()
    kernels["key"] = "kernel"
    assert kernels.make("key", fails(AssertionError()), believe=True) == "kernel"


def test_without_a_compiler_auto_says_so_once_and_runs_eagerly(no_compiler):
    x = LARGE.clone().requires_grad_()
    with pytest.warns(UserWarning, match="torch finds no C\\+\\+ compiler: there is no ") as said:
        s = torch_lif.lif(x, LIF())
        torch_lif.lif(x, LIF())
        s.backward(LARGE)
    (ours,) = (str(w.message) for w in said if "C++ compiler" in str(w.message))
    assert "no-such-compiler that runs; install it, or name yours in" in ours
    y = LARGE.clone().requires_grad_()
    eager = torch_lif.lif(y, LIF(), "eager")
    eager.backward(LARGE)
    torch.testing.assert_close(s, eager, rtol=0, atol=0)
    torch.testing.assert_close(x.grad, y.grad, rtol=0, atol=0)


def test_without_a_compiler_compiled_is_an_error(no_compiler):
    with pytest.raises(RuntimeError, match="cannot compile: torch finds no C\\+\\+ compiler"):
        torch_lif.lif(torch.zeros(3), LIF(), "compiled")
    assert "torch finds no C++ compiler" in torch_lif.why_not_compiled()


@pytest.mark.needs_compiler
def test_why_not_compiled_is_empty_where_it_is():
    assert torch_lif.why_not_compiled() == ""


@pytest.mark.needs_compiler
def test_what_failed_once_works_the_next_time(monkeypatch):
    """A disk that was full for a moment."""
    monkeypatch.setattr(compiler, "PATIENCE", 0)
    with monkeypatch.context() as patch:
        patch.setattr(inductor_lif, "compiled", fails(OSError("No space left on device")))
        with pytest.warns(
            UserWarning, match="cannot compile: No space left on device. Spiking lay"
        ):
            torch_lif.lif(LARGE, LIF())
    made = []
    original = inductor_lif.compiled
    monkeypatch.setattr(inductor_lif, "compiled", lambda *a: made.append(a) or original(*a))
    torch_lif.lif(LARGE, LIF())
    torch_lif.lif(LARGE, LIF())
    assert len(made) == 1  # for blocks of 4 steps


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AssertionError(), "AssertionError"),
        (RuntimeError("the linker crashed\nand more"), "the linker crashed"),
        (RuntimeError("C++ compile error\n\nCommand:\ng++\n\nOutput:\nld: no\nmore"), "ld: no"),
    ],
)
def test_a_failure_is_named(error, reason):
    with pytest.raises(compiler.CannotCompile) as caught:
        compiler.Kernels().make("key", fails(error), believe=True)
    assert str(caught.value) == f"cannot compile: {reason}"


@pytest.mark.needs_compiler
def test_a_folder_with_a_space_for_kernels_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "a cache"))
    with pytest.raises(RuntimeError, match="a space in its path, .*a cache'; name another in"):
        torch_lif.lif(torch.zeros(3), LIF(), "compiled")


@pytest.mark.needs_compiler
def test_torch_in_a_folder_with_a_space(tmp_path):
    """As a virtual environment is in "a new reader/.venv"; its vector instructions are found."""
    spaced = tmp_path / "a new reader"
    spaced.symlink_to(Path(torch.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {str(spaced)!r})\n"
        "import torch; from tsbp_core import LIF, surrogates, torch_lif\n"
        "x = torch.linspace(0, 2, 30).view(5, 6).requires_grad_()\n"
        "lif = LIF(surrogate=surrogates.Sigmoid())\n"
        "torch_lif.lif(x, lif, 'compiled').sum().backward()\n"
        "from torch._inductor.cpu_vec_isa import pick_vec_isa\n"
        "print(torch.__file__, pick_vec_isa())"
    )
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "kernels")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | cache, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert str(spaced) in run.stdout
    assert str(pick_vec_isa()) in run.stdout
