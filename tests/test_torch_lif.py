"""NumPy, eager torch, compiled torch and plain autograd are the same neuron."""

import shutil

import numpy as np
import pytest
import torch
from conftest import RESETS, SURROGATES, name, neurons
from hypothesis import given, settings
from hypothesis import strategies as st

from tsbp_core import LIF, numpy_lif, surrogates, torch_lif

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
needs_compiler = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("c++")), reason="no C++ compiler: install g++"
)


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


@needs_compiler
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_compiled_agrees_with_numpy(surrogate, device, measured):
    x, g = batch(3, device)
    for lif in neurons(surrogate):
        compiled = spikes_and_gradient(lambda x, p=lif: torch_lif.lif(x, p, "compiled"), x, g)
        difference = assert_agree(compiled, reference(x, g, lif))
        measured(f"compiled against NumPy ({device}), worst", difference)


@needs_compiler
@pytest.mark.parametrize("T", [1, 10, 23])
def test_compiled_blocks_join(T):
    lif = LIF(surrogate=surrogates.Sigmoid())
    x, g = batch(T)
    compiled = spikes_and_gradient(lambda x: torch_lif.lif(x, lif, "compiled"), x, g)
    assert_agree(compiled, reference(x, g, lif))


@pytest.mark.parametrize("backend", ["eager", pytest.param("compiled", marks=needs_compiler)])
def test_memory_format_is_kept(backend):
    lif = LIF(surrogate=surrogates.Sigmoid())
    x = torch.randn(4, 2, 3, 5, 6, dtype=torch.float64)
    last = x.flatten(0, 1).to(memory_format=torch.channels_last).view(x.shape)
    s = torch_lif.lif(last, lif, backend)
    assert s.stride() == last.stride()
    torch.testing.assert_close(s, torch_lif.lif(x, lif, "eager"), rtol=0, atol=0)
    g = torch.randn_like(x)
    a = spikes_and_gradient(lambda x: torch_lif.lif(x, lif, backend), last, g)
    assert_agree(a, reference(x, g, lif))


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


def test_nan_passes_through():
    s = torch_lif.lif(torch.tensor([0.5, float("nan"), 2.0]), LIF())
    assert s.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("x", "backend", "message"),
    [
        (torch.tensor([1, 2]), "auto", "x must be a floating tensor, got torch.int64"),
        (np.zeros(3), "auto", "x must be a floating tensor, got float64"),
        (torch.tensor(1.0), "auto", "at least one step, got shape"),
        (torch.zeros(0, 3), "auto", r"got shape \(0, 3\)"),
        (torch.zeros(3), "fast", "backend must be one of .*, got 'fast'"),
    ],
)
def test_bad_input_is_named(x, backend, message):
    with pytest.raises(ValueError, match=message):
        torch_lif.lif(x, LIF(), backend)


def test_auto_without_a_compiler_warns_once_and_runs_eagerly(monkeypatch):
    monkeypatch.setattr(torch_lif.shutil, "which", lambda name: None)
    torch_lif._compiler.cache_clear()
    x = torch.randn(8, torch_lif.SMALL // 8)
    with pytest.warns(UserWarning, match="no C\\+\\+ compiler found") as caught:
        s = torch_lif.lif(x, LIF())
        torch_lif.lif(x, LIF())
    assert len(caught) == 1
    torch.testing.assert_close(s, torch_lif.lif(x, LIF(), "eager"), rtol=0, atol=0)
    torch_lif._compiler.cache_clear()
