import pytest
import torch

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.verdict import depth


def reach(surrogate, norm, seed=0):
    return depth.first_layer(depth.dense(LIF(surrogate=surrogate), norm=norm, seed=seed))


@pytest.mark.parametrize("seed", range(3))
def test_chapter_13_on_deep_networks(seed):
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


def test_norm_leaves_mean_zero_and_variance_one():
    x = depth.Norm(3).double()(torch.randn(20, 16, 3, dtype=torch.float64) * 4 + 2)
    torch.testing.assert_close(x.mean(dim=(0, 1)), torch.zeros(3, dtype=torch.float64))
    assert (x.var(dim=(0, 1)) - 1).abs().max() < 0.01


def test_length_is_that_of_the_gradient_in_the_first_weights():
    lif = LIF(surrogate=surrogates.Sigmoid(1.0))
    net = depth.dense(lif, layers=2, neurons=5)
    length, spikes = depth.first_layer(net)
    assert length == net[0].weight.grad.norm()
    assert len(spikes) == 2
    kinds = [type(module).__name__ for module in depth.dense(lif, layers=2, norm=True)]
    assert kinds == ["Linear", "Norm", "LIFLayer"] * 2
