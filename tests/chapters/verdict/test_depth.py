import numpy as np
import pytest
import torch

from tsbp_core import LIF, surrogates, torch_lif
from tsbp_core.chapters.verdict import depth


def reach(surrogate, norm, seed=0):
    return depth.first_layer(depth.dense(seed=seed), LIF(surrogate=surrogate), norm=norm)


@pytest.mark.parametrize("seed", range(3))
def test_chapter_14_on_deep_networks(seed):
    length, spikes = reach(surrogates.Rectangle(), False, seed)
    assert length == 0.0
    assert 0 < spikes[0] < 0.05
    assert spikes[2:] == [0.0] * 8
    assert 0 < reach(surrogates.FastSigmoid(), False, seed)[0] < 1e-12
    for surrogate, low, high in (
        (surrogates.Rectangle(), 0.1, 100),
        (surrogates.FastSigmoid(), 1e-7, 1e-3),
        (surrogates.Sigmoid(1.0), 1e4, 1e8),
    ):
        length, spikes = reach(surrogate, True, seed)
        assert low < length < high
        assert min(spikes) > 0.05


def test_weights_are_spread_as_those_of_torch():
    (w, b), *others = depth.dense(layers=2, neurons=200)
    layer = torch.nn.Linear(200, 200)
    assert len(others) == 1
    for ours, theirs in ((w, layer.weight), (b, layer.bias)):
        assert ours.shape == theirs.shape
        assert np.abs(ours).max() == pytest.approx(theirs.abs().max().item(), rel=0.02)
        assert ours.std() == pytest.approx(theirs.std().item(), rel=0.15)


@pytest.mark.parametrize("norm", [False, True])
def test_length_is_that_of_torchs_gradient_in_the_first_weights(norm):
    lif = LIF(surrogate=surrogates.Sigmoid(1.0))
    net = depth.dense(layers=3, neurons=5)
    length, spikes = depth.first_layer(net, lif, norm=norm)
    inputs = np.random.default_rng(1).random((20, 16, 5)) < 0.2
    weights = [torch.tensor(w, requires_grad=True) for w, _ in net]
    s = torch.tensor(inputs, dtype=torch.float64)
    for w, (_, b), share in zip(weights, net, spikes, strict=True):
        x = s @ w + torch.tensor(b)
        if norm:
            flat = torch.nn.functional.batch_norm(x.flatten(0, 1), None, None, training=True)
            x = flat.view(x.shape)
        s = torch_lif.lif(x, lif, "eager")
        assert s.detach().mean().item() == share
    s.mean().backward()
    assert length == pytest.approx(weights[0].grad.norm().item(), rel=1e-9)
