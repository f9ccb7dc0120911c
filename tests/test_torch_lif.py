"""NumPy, eager torch, compiled torch and plain autograd are the same neuron."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import RESETS, SURROGATES, name, neurons
from hypothesis import given, settings
from hypothesis import strategies as st

import tsbp_core
from tsbp_core import LIF, block_lif, compiler, numpy_lif, surrogates, torch_lif

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
BACKENDS = ["eager", pytest.param("compiled", marks=pytest.mark.needs_compiler)]
SIGMOID = LIF(surrogate=surrogates.Sigmoid())


def spikes_and_gradient(function, x, g):
    x = x.clone().requires_grad_()
    s = function(x)
    s.backward(g)
    return s.detach().cpu().numpy(), x.grad.cpu().numpy()


def reference(x, g, lif):
    run = numpy_lif.forward(x.cpu().numpy(), lif)
    return run.spikes, numpy_lif.backward(g.cpu().numpy(), run, lif)


def assert_agree(result, expected):
    """Spikes bit for bit, gradients to 1e-12 of the largest entry; return the difference."""
    np.testing.assert_array_equal(result[0], expected[0])
    scale = np.abs(expected[1]).max() or 1.0
    difference = np.abs(result[1] - expected[1]).max() / scale
    assert difference < 1e-12
    return difference


def batch(T, device="cpu", seed=3):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(0.4, 0.8, (T, 7)), rng.normal(size=(T, 7))
    return torch.tensor(x, device=device), torch.tensor(g, device=device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_eager_and_plain_autograd_agree_with_numpy(surrogate, device, measured):
    x, g = batch(23, device)
    for lif in neurons(surrogate):
        expected = reference(x, g, lif)
        assert expected[0].any()
        eager = spikes_and_gradient(lambda x, p=lif: torch_lif.lif(x, p, "eager"), x, g)
        plain = spikes_and_gradient(lambda x, p=lif: torch_lif.autograd_lif(x, p), x, g)
        measured(f"eager against NumPy ({device}), worst", assert_agree(eager, expected))
        measured(f"plain autograd against NumPy ({device}), worst", assert_agree(plain, expected))


@pytest.mark.needs_compiler
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_compiled_agrees_with_numpy(surrogate, device, measured):
    x, g = batch(3, device)
    for lif in neurons(surrogate):
        compiled = spikes_and_gradient(lambda x, p=lif: torch_lif.lif(x, p, "compiled"), x, g)
        difference = assert_agree(compiled, reference(x, g, lif))
        measured(f"compiled against NumPy ({device}), worst", difference)


@pytest.mark.needs_compiler
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("T", [1, 2, 5, 7, 8, 10, 23])
def test_compiled_blocks_join(T, device):
    x, g = batch(T, device)
    compiled = spikes_and_gradient(lambda x: torch_lif.lif(x, SIGMOID, "compiled"), x, g)
    assert_agree(compiled, reference(x, g, SIGMOID))


def test_blocks_join():
    for T in range(1, 40):
        for count in range(1, T + 1):
            blocks = block_lif._blocks(T, count)
            assert len(blocks) == count
            assert [i for i, _ in blocks] == [0, *(j for _, j in blocks[:-1])]
            assert blocks[-1][1] == T
            lengths = [j - i for i, j in blocks]
            assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_the_same_current_at_every_step(backend, rho, device):
    lif = replace(SIGMOID, reset_gradient=rho)
    x = torch.rand(6, 5, dtype=torch.float64, device=device)
    g = torch.randn(9, 6, 5, dtype=torch.float64, device=device)
    s, dx = spikes_and_gradient(lambda x: torch_lif.lif(x, lif, backend, steps=9), x, g)
    spikes, gradient = reference(x.expand(9, 6, 5), g, lif)
    assert_agree((s, dx), (spikes, gradient.sum(axis=0)))
    layer = torch_lif.LIFLayer(lif, backend, steps=9)
    np.testing.assert_array_equal(layer(x).cpu().numpy(), spikes)


@pytest.mark.needs_compiler
def test_blocks_of_one_step(monkeypatch):
    """A kernel for one step and one for the same current at every step take as many tensors."""
    monkeypatch.setattr(block_lif, "BLOCK", 1)
    x, g = batch(3)
    compiled = spikes_and_gradient(lambda x: torch_lif.lif(x, SIGMOID, "compiled"), x, g)
    assert_agree(compiled, reference(x, g, SIGMOID))
    same = spikes_and_gradient(lambda x: torch_lif.lif(x, SIGMOID, "compiled", steps=3), x[0], g)
    spikes, gradient = reference(x[0].expand(3, 7), g, SIGMOID)
    assert_agree(same, (spikes, gradient.sum(axis=0)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_narrow_floats(dtype, backend, device):
    """Spikes and gradient are those of the same input in float32, rounded at the end."""
    x, g = (t.to(dtype) for t in batch(9, device))
    current = x.clone().requires_grad_()
    s = torch_lif.lif(current, SIGMOID, backend)
    s.backward(g)
    assert s.dtype == current.grad.dtype == dtype
    s32, dx32 = reference(x.float(), g.float(), SIGMOID)
    np.testing.assert_array_equal(s.detach().float().cpu().numpy(), s32)
    error = np.abs(current.grad.float().cpu().numpy() - dx32).max() / np.abs(dx32).max()
    assert error < 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("backend", BACKENDS)
def test_saves_the_input_and_a_membrane_a_block_and_nothing_in_inference(backend):
    kept = []
    blocks = {"eager": 1, "compiled": 2}[backend]

    def pack(tensor):
        kept.append(tensor)
        return tensor

    x = torch.rand(8, 3, 5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        s = torch_lif.lif(x, SIGMOID, backend)
        assert [t.numel() for t in kept] == [x.numel()] + blocks * [x[0].numel()]
        assert kept[0].data_ptr() == x.data_ptr()
        kept.clear()
        with torch.no_grad():
            quiet = torch_lif.lif(x, SIGMOID, backend)
        with torch.inference_mode():
            inference = torch_lif.lif(x, SIGMOID, backend)
        detached = torch_lif.lif(x.detach(), SIGMOID, backend)
    assert kept == []
    for other in (quiet, inference, detached):
        assert torch.equal(s.detach(), other)


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_format_is_kept(backend):
    lif = SIGMOID
    x = torch.randn(4, 2, 3, 5, 6, dtype=torch.float64)
    last = x.flatten(0, 1).to(memory_format=torch.channels_last).view(x.shape)
    s = torch_lif.lif(last, lif, backend)
    assert s.stride() == last.stride()
    torch.testing.assert_close(s, torch_lif.lif(x, lif, "eager"), rtol=0, atol=0)
    g = torch.randn_like(x)
    a = spikes_and_gradient(lambda x: torch_lif.lif(x, lif, backend), last, g)
    assert_agree(a, reference(x, g, lif))


@pytest.mark.parametrize("backend", BACKENDS)
def test_strided_input_and_credit(backend):
    x, g = (t.float().double() for t in batch(6))
    for layout in (
        lambda t: t[:1].expand(6, 7),
        lambda t: t[:, ::2],
        lambda t: t.T.contiguous().T,
        lambda t: t.flip(0)[:, 1:],
    ):
        expected = reference(layout(x).contiguous(), layout(g).contiguous(), SIGMOID)
        current = layout(x).detach().requires_grad_()
        s = torch_lif.lif(current, SIGMOID, backend)
        s.backward(layout(g))
        assert_agree((s.detach().numpy(), current.grad.numpy()), expected)


@settings(max_examples=50)
@given(
    T=st.integers(1, 30),
    shape=st.lists(st.integers(1, 4), max_size=3),
    reset=st.sampled_from(RESETS),
    decay=st.floats(0, 1),
    rho=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_any_shape(T, shape, reset, decay, rho, seed):
    rng = np.random.default_rng(seed)
    x, g = (torch.tensor(rng.normal(0.3, 1.0, (T, *shape))) for _ in range(2))
    lif = LIF(decay=decay, reset=reset, reset_gradient=rho)
    eager = spikes_and_gradient(lambda x: torch_lif.lif(x, lif), x, g)
    assert_agree(eager, reference(x, g, lif))


def test_layer_is_the_function_and_has_no_parameters():
    lif = LIF(decay=0.5)
    layer = torch_lif.LIFLayer(lif)
    x = torch.randn(6, 4)
    torch.testing.assert_close(layer(x), torch_lif.lif(x, lif))
    assert not list(layer.parameters())
    assert "decay=0.5" in repr(layer)


@pytest.mark.parametrize("backend", [*BACKENDS, "plain"])
@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_nan_passes_through(surrogate, backend):
    """A membrane that is not finite shows in the spikes and in the gradient, from there on."""
    for reset in RESETS:
        lif = LIF(reset=reset, surrogate=surrogate)
        x = torch.tensor([0.5, math.nan, 2.0], dtype=torch.float64, requires_grad=True)
        plain = backend == "plain"
        s = torch_lif.autograd_lif(x, lif) if plain else torch_lif.lif(x, lif, backend)
        s.sum().backward()
        assert s.isnan().tolist() == [False, True, True]
        assert x.grad.isnan().all()


@pytest.mark.parametrize(
    ("x", "backend", "message"),
    [
        (torch.tensor([1, 2]), "auto", "x must be a floating tensor, got torch.int64"),
        (np.zeros(3), "auto", "x must be a floating tensor, got float64"),
        (torch.tensor(1.0), "auto", r"x must be \[T, ...\], .* got shape \(\)"),
        (torch.zeros(0, 3), "auto", r"no axis of length 0, got shape \(0, 3\)"),
        (torch.zeros(5, 0), "auto", r"no axis of length 0, got shape \(5, 0\)"),
        (torch.zeros(3), "fast", "backend must be one of .*, got 'fast'"),
    ],
)
def test_bad_input_is_named(x, backend, message):
    with pytest.raises(ValueError, match=message):
        torch_lif.lif(x, LIF(), backend)


@pytest.mark.parametrize("steps", [0, -1, 2.0, True])
def test_bad_steps_are_named(steps):
    with pytest.raises(ValueError, match=f"steps must be a positive whole number, got {steps}"):
        torch_lif.lif(torch.zeros(3), LIF(), steps=steps)


def test_a_current_that_is_the_same_at_every_step_has_no_time_axis():
    with pytest.raises(ValueError, match=r"x must be \[...\], no axis of length 0, got shape \(0,"):
        torch_lif.lif(torch.zeros(0, 3), LIF(), steps=3)
    assert torch_lif.lif(torch.tensor(1.0), LIF(), steps=3).shape == (3,)


def test_without_triton_a_gpu_runs_eagerly_and_says_so_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "tsbp_core.triton_lif", raising=False)
    monkeypatch.delattr(tsbp_core, "triton_lif", raising=False)
    monkeypatch.setattr(torch_lif, "GPU", compiler.Kernels())
    compiler.warn_once.cache_clear()
    cuda = torch.device("cuda")
    with pytest.warns(UserWarning, match="need Triton") as said:
        assert torch_lif.path_name("auto", cuda, 10, LIF(), False) == "eager"
        assert torch_lif.path_name("auto", cuda, 10**6, LIF(), False) == "eager"
    assert len(said) == 1
    with pytest.raises(RuntimeError, match="need Triton"):
        torch_lif.path_name("compiled", cuda, 10, LIF(), False)
    assert torch_lif.path_name("eager", cuda, 10**6, LIF(), False) == "eager"
