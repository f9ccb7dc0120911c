import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from tsbp_core.chapters.cifar10 import network
from tsbp_core.chapters.cifar10.settings import Settings

TINY = Settings(network="4C3-P4-4C3-P4", epochs=2, batch=10, limit=40)


def test_augmentation_moves_pixels_and_invents_none():
    images = torch.arange(2 * 3 * 32 * 32.0).view(2, 3, 32, 32)
    moved = network.augment(images, torch.Generator().manual_seed(0), 4)
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    for before, after in zip(images, moved, strict=True):
        assert set(after.unique().tolist()) <= set(before.unique().tolist())
        middle = after[:, 16, 4:28]
        steps = middle.diff(dim=1)
        assert (steps == 1).all() or (steps == -1).all()


def test_augmentation_shifts_and_flips_evenly():
    """Pixels say where they come from; 1,000 images see every shift, with and without a flip."""
    rows, columns = np.mgrid[:8, :8]
    images = torch.from_numpy(np.stack([rows, columns])).expand(1000, 2, 8, 8).float()
    moved = network.augment(images, torch.Generator().manual_seed(0), 2).numpy()
    line = np.pad(np.arange(8), 2, mode="reflect")
    expected = {
        (*line[start : start + 8][::direction],): (start - 2, direction)
        for start in range(5)
        for direction in (1, -1)
    }
    seen = Counter()
    for down, across in moved:
        assert (down == down[:, :1]).all()
        assert (across == across[:1]).all()
        seen[(*expected[(*down[:, 0],)], *expected[(*across[0],)])] += 1
    assert set(seen) == set(itertools.product(range(-2, 3), [1], range(-2, 3), [1, -1]))
    assert 450 < sum(count for shifted, count in seen.items() if shifted[-1] < 0) < 550
    assert max(seen.values()) < 50


def test_normalised_images_have_the_data_sets_mean_and_deviation():
    mean, deviation = torch.tensor(network.MEAN), torch.tensor(network.STD)
    colours = 255 * torch.stack([mean, mean + deviation])
    images = colours[:, :, None, None].expand(2, 3, 4, 5)
    found = network.normalised(images)
    assert torch.allclose(found[0], torch.zeros(3, 4, 5), atol=1e-6)
    assert torch.allclose(found[1], torch.ones(3, 4, 5), atol=1e-6)


def test_first_convolution_runs_once():
    net = network.SpikingNet("4C3-P2-4C3", 4, TINY.neuron())
    batches = []
    for conv in net.convs:
        conv.register_forward_hook(lambda module, args, out: batches.append(len(args[0])))
    logits, layers = net(torch.rand(5, 3, 32, 32))
    assert batches == [5, 20]
    assert logits.shape == (5, 10)
    assert [s.shape for s in layers] == [(4, 5, 4, 16, 16)] * 2


@pytest.mark.parametrize("text", ["W2-4C3-P2-6C3-4C5-P2-2C3", "4C3-4C3-P4"])
def test_operations_by_arithmetic_are_those_that_torch_counts(text):
    net = network.SpikingNet(text, 3, TINY.neuron())
    first, *others = network.forward_flop(net)
    readout = 6 * net.readout.weight.numel()
    whitening = 0 if net.whitening is None else 2 * net.whitening.weight.numel() * 31**2
    # The gradient of the first layer's input is not needed: the image and its whitening are fixed.
    expected = whitening + 2 * first + 3 * 3 * sum(others) + readout
    assert network.training_flop(net, torch.zeros(2, 3, 32, 32)) == expected
    spikes = net(torch.zeros(2, 3, 32, 32))[1]
    assert network.maps(net) == [layer.shape[2:4] for layer in spikes]


@pytest.mark.parametrize("text", ["", "P2-4C3", "4C2", "4C3-P2-", "4X3", "4C3-W2"])
def test_a_network_that_cannot_be_read_is_named(text):
    with pytest.raises(ValueError, match="can't read"):
        network.SpikingNet(text, 4, TINY.neuron())


def test_weights_that_the_last_update_spoilt_are_found():
    net = network.SpikingNet(TINY.network, 4, TINY.neuron())
    assert network.finite(net)
    torch.nn.init.constant_(net.readout.bias, float("inf"))
    assert not network.finite(net)


def test_gradient_reaches_every_weight():
    net = network.SpikingNet("W2-8C3-P2-8C3", 4, TINY.neuron())
    logits, _ = net(torch.rand(5, 3, 32, 32))
    logits.logsumexp(1).sum().backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0, name
    assert not net.whitening.weight.requires_grad


def test_whitened_patches_are_uncorrelated_with_variance_one(rng):
    net = network.SpikingNet("W2-8C3", 4, TINY.neuron())
    mixing = torch.from_numpy(rng.normal(size=(3, 3))).float()
    images = torch.from_numpy(rng.normal(size=(50, 3, 32, 32))).float()
    images = torch.einsum("ij,bjhw->bihw", mixing, images)
    net.whiten(images)
    out = net.whitening(images)
    assert torch.equal(out[:, :12], -out[:, 12:])
    covariance = out[:, :12].transpose(0, 1).flatten(1).cov()
    smallest = torch.linalg.eigvalsh(mixing @ mixing.T).min()
    assert torch.allclose(covariance, torch.eye(12), atol=0.03 + 0.01 / smallest)


def test_training_flop_of_a_case_counted_by_hand():
    """A multiplication and an addition a weight and position; three times for the backward pass."""
    net = network.SpikingNet("4C3-P4-8C3", 3, TINY.neuron())
    first = 2 * 4 * 3 * 9 * 32 * 32
    second = 2 * 8 * 4 * 9 * 8 * 8 * 3
    readout = 2 * 8 * 8 * 8 * 10
    expected = 2 * first + 3 * second + 3 * readout  # the image needs no gradient
    assert network.training_flop(net, torch.zeros(2, 3, 32, 32)) == expected
