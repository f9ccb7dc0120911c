"""The GPU's kernels against NumPy: on a GPU where there is one, else in Triton's interpreter."""

import contextlib
import re
import subprocess
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from conftest import RESETS, SURROGATES, name, neurons

from tsbp_core import LIF, neuron, numpy_lif, surrogates, torch_lif
from tsbp_core.surrogates import exp

triton = pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 and arm64")
triton_lif = pytest.importorskip("tsbp_core.triton_lif")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIGMOID = LIF(surrogate=surrogates.Sigmoid())
NARROW = (torch.float16, torch.bfloat16)
ROUNDING = {torch.float64: 1e-12, torch.float32: 3e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}
"""Of a gradient, relative to its largest entry; a GPU's own exp and division included."""


@pytest.fixture(autouse=True)
def interpreted():
    """Without a GPU, Triton runs its kernels in NumPy; no test leaves its own kernels behind."""
    with triton_lif.interpreter() if DEVICE == "cpu" else contextlib.nullcontext():
        yield
    triton_lif.kernels.cache_clear()


def batch(T, n, dtype, seed=3):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(0.4, 0.8, (T, n)), rng.normal(size=(T, n))
    return (torch.tensor(a, dtype=dtype, device=DEVICE) for a in (x, g))


def numbers(tensor):
    """As NumPy's; of 16 bits as float32."""
    return (tensor.float() if tensor.dtype in NARROW else tensor).cpu().numpy()


def reference(x, g, lif):
    run = numpy_lif.forward(numbers(x), lif)
    return run.spikes, numpy_lif.backward(numbers(g), run, lif)


def kernels(x, g, lif):
    s, kept = triton_lif.forward(x, len(g), lif, keep=True)
    return s, triton_lif.backward(g, x, kept, lif)


def assert_agree(result, expected):
    """Spikes bit for bit, gradients to rounding; return the gradients' difference."""
    s, dx = result
    np.testing.assert_array_equal(numbers(s), expected[0])
    scale = np.abs(expected[1]).max() or 1.0
    difference = np.abs(numbers(dx) - expected[1]).max() / scale
    assert difference < ROUNDING[dx.dtype]
    return difference


@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_neurons_agree_with_numpy(surrogate, measured):
    x, g = batch(19, 37, torch.float32)
    for lif in neurons(surrogate):
        expected = reference(x, g, lif)
        assert expected[0].any()
        difference = assert_agree(kernels(x, g, lif), expected)
        measured(f"Triton ({DEVICE}) against NumPy, float32, worst", difference)


@pytest.mark.parametrize("T, n", [(1, 1), (1, 130), (7, 128), (8, 3), (9, 129), (33, 256)])
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
def test_sizes_and_dtypes(dtype, T, n, measured):
    x, g = batch(T, n, dtype)
    for reset in RESETS:
        lif = replace(SIGMOID, reset=reset)
        difference = assert_agree(kernels(x, g, lif), reference(x, g, lif))
        measured(f"Triton ({DEVICE}) against NumPy, {dtype}, worst", difference)


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("T", [2, 8, 19])
def test_the_same_current_at_every_step(T, dtype):
    x, _ = batch(1, 70, dtype)
    _, g = batch(T, 70, dtype)
    spikes, gradient = reference(x.expand(T, -1), g, SIGMOID)
    assert_agree(kernels(x, g, SIGMOID), (spikes, gradient.sum(axis=0, keepdims=True)))


def test_inference_keeps_nothing_and_has_the_same_spikes():
    x, _ = batch(19, 37, torch.float32)
    s, kept = triton_lif.forward(x, 19, SIGMOID, keep=False)
    assert kept == []
    assert torch.equal(s, triton_lif.forward(x, 19, SIGMOID, keep=True)[0])


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("surrogate", [surrogates.Rectangle(), surrogates.Sigmoid()], ids=name)
def test_what_is_not_a_number_goes_where_it_goes_in_torch(surrogate, reset):
    x, g = batch(11, 6, torch.float32)
    x[4, 1], x[10, 2], x[0, 3] = torch.nan, torch.inf, -torch.inf
    lif = LIF(reset=reset, surrogate=surrogate)
    leaf = x.clone().requires_grad_()
    s = torch_lif.lif(leaf, lif, "eager")
    s.backward(g)
    ours = kernels(x, g, lif)
    np.testing.assert_array_equal(numbers(ours[0]), numbers(s.detach()))
    np.testing.assert_allclose(numbers(ours[1]), numbers(leaf.grad), rtol=1e-5, atol=1e-6)


def test_the_kernels_are_made_of_the_steps_of_neuron(monkeypatch):
    x, g = batch(19, 37, torch.float32)
    expected = reference(x, g, SIGMOID)

    def credit(g, eps, h, slope):
        return g * h - eps * slope

    monkeypatch.setattr(neuron, "credit", credit)
    triton_lif.kernels.cache_clear()
    s, dx = kernels(x, g, SIGMOID)
    np.testing.assert_array_equal(numbers(s), expected[0])
    assert np.abs(numbers(dx) - expected[1]).max() > 0.1


@dataclass(frozen=True)
class Laplace(surrogates.Surrogate):
    width: float = 0.3
    peak_area = 0.6

    def _h(self, z):
        return exp(-abs(z) / self.width)


def test_ones_own_surrogate():
    x, g = batch(19, 37, torch.float32)
    for width in (0.2, 0.4):
        lif = LIF(surrogate=Laplace(width))
        assert_agree(kernels(x, g, lif), reference(x, g, lif))


@pytest.mark.skipif(DEVICE == "cuda", reason="counted in the interpreter")
def test_bytes_an_element(monkeypatch, measured):
    from triton.runtime.interpreter import InterpreterBuilder

    moved = 0

    def counted(name, mask_at):
        original = getattr(InterpreterBuilder, name)

        def access(self, pointers, *arguments):
            nonlocal moved
            bits = pointers.get_element_ty().primitive_bitwidth
            moved += arguments[mask_at].data.sum() * bits // 8
            return original(self, pointers, *arguments)

        monkeypatch.setattr(InterpreterBuilder, name, access)

    counted("create_masked_load", 0)
    counted("create_masked_store", 1)
    T, n = 64, 300
    for dtype, expected in ((torch.float32, 21), (torch.bfloat16, 11), (torch.float64, 42)):
        x, g = batch(T, n, dtype)
        moved = 0
        kernels(x, g, SIGMOID)
        measured(f"bytes an element, {dtype}", moved / (T * n))
        assert moved == expected * T * n
    x, _ = batch(1, n, torch.float32)
    _, g = batch(T, n, torch.float32)
    moved = 0
    kernels(x, g, SIGMOID)
    assert moved == (8 * T + 8 * T // triton_lif.STEPS + 12) * n  # x twice, and dx
    moved = 0
    triton_lif.forward(g, T, SIGMOID, keep=False)
    assert moved == 8 * T * n


def compile_ahead(name, lif, dtype, capability, **more):
    """Compile a kernel for a GPU that need not be there; return its assembler's report."""
    from triton.backends.compiler import GPUTarget
    from triton.backends.nvidia.compiler import get_ptxas
    from triton.compiler import ASTSource

    kernel = triton_lif.kernels(type(lif.surrogate))[name]
    types = {"T": "i32", "n": "i32", "starts": "*fp64" if dtype == "fp64" else "*fp32"}
    constants = {"lif": lif, "surrogate": lif.surrogate, "same": False, "keep": True}
    constants |= {"STEPS": triton_lif.STEPS, "WIDTH": triton_lif.WIDTH}
    constants |= more
    constants["wide"] = triton.language.float64 if dtype == "fp64" else triton.language.float32
    signature = {
        a: "constexpr" if a in constants else types.get(a, f"*{dtype}") for a in kernel.arg_names
    }
    constants = {a: value for a, value in constants.items() if a in signature}
    divisible = {(i,): [["tt.divisibility", 16]] for i, a in enumerate(signature) if a in "xsg"}
    made = triton.compile(
        ASTSource(kernel, signature, constants, divisible),
        target=GPUTarget("cuda", capability, 32),
        options={"enable_fp_fusion": False},
    )
    assert made.asm["cubin"]
    target = f"--gpu-name=sm_{capability}{'a' if capability >= 90 else ''}"
    done = subprocess.run(
        [get_ptxas(capability).path, "-v", target, "-", "-o", "/dev/null"],
        input=made.asm["ptx"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("lif", neurons(SIGMOID.surrogate, rhos=(0.0, 1.0)), ids=str)
def test_every_neuron_compiles_ahead_of_time(lif, monkeypatch):
    """The interpreter runs what the compiler refuses, such as two returns of unlike types."""
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    triton_lif.kernels.cache_clear()
    compile_ahead("backward", lif, "fp32", 90)


def test_compiles_for_one_neuron_where_triton_makes_n_a_constant(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    triton_lif.kernels.cache_clear()
    for kernel in ("forward", "backward"):
        compile_ahead(kernel, SIGMOID, "fp32", 90, n=1)


@pytest.mark.parametrize("capability", [80, 90, 100])
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp64"])
def test_compiles_ahead_of_time_without_spills(dtype, capability, monkeypatch, measured):
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    triton_lif.kernels.cache_clear()
    for kernel in ("forward", "backward"):
        report = compile_ahead(kernel, SIGMOID, dtype, capability)
        assert re.search(r"\b0 bytes spill stores, 0 bytes spill loads", report), report
        registers = int(re.search(r"Used (\d+) registers", report)[1])
        measured(f"registers of a thread, {kernel}, {dtype}, at most", registers)
