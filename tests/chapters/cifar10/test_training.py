from dataclasses import replace

import numpy as np
import pytest
import torch

from tsbp_core import torch_lif
from tsbp_core.chapters.cifar10 import training as cifar10
from tsbp_core.lab import checkpoints, datasets

TINY = cifar10.Settings(network="4C3-P4-4C3-P4", epochs=2, batch=10, limit=40)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    labels = rng.integers(0, 10, 40)
    return datasets.Cifar10(images, labels, images[:20], labels[:20])


def without_times(run):
    epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in run["epochs"]]
    return {**run, "epochs": epochs, "seconds": None}


def test_same_seed_same_bits_and_methods_differ(data):
    first = cifar10.train(TINY, 0, data)
    assert without_times(first) == without_times(cifar10.train(TINY, 0, data))
    detached = cifar10.train(replace(TINY, reset_gradient=0.0), 0, data)
    others = [detached, cifar10.train(TINY, 1, data)]
    assert len({first["weights_sha256"], *(run["weights_sha256"] for run in others)}) == 3
    assert detached["probes"][0] == first["probes"][0], "same initial weights"


@pytest.mark.parametrize("optimizer", cifar10.OPTIMIZERS)
@pytest.mark.parametrize("batches", [2, 6])  # in the first and in the middle of the second epoch
def test_resumes_bit_identically(data, tmp_path, optimizer, batches):
    settings = replace(TINY, optimizer=optimizer)
    whole = cifar10.train(settings, 0, data)
    checkpoint = tmp_path / "run.pt"

    class Cut(Exception):
        pass

    def cut(done, total):
        assert total == 8
        if done == batches:
            raise Cut

    with pytest.raises(Cut):
        cifar10.train(settings, 0, data, checkpoint, cut)
    resumed = cifar10.train(settings, 0, data, checkpoint)
    assert without_times(resumed) == without_times(whole)
    assert cifar10.train(settings, 0, data, checkpoint) == resumed


def test_a_corrupt_checkpoint_costs_one_epoch(data, tmp_path):
    checkpoint = tmp_path / "run.pt"
    whole = cifar10.train(TINY, 0, data, checkpoint)
    checkpoint.write_bytes(b"not a checkpoint")
    batches = []
    again = cifar10.train(TINY, 0, data, checkpoint, lambda done, total: batches.append(done))
    assert batches == [5, 6, 7, 8], "the second epoch alone"
    assert without_times(again) == without_times(whole)


def test_a_checkpoint_of_another_run_is_refused_and_kept(data, tmp_path):
    checkpoint = tmp_path / "run.pt"
    cifar10.train(TINY, 0, data, checkpoint)
    content = checkpoint.read_bytes()
    with pytest.raises(ValueError, match="run.pt is of a run with other lr, decay;"):
        cifar10.train(replace(TINY, lr=0.5, decay=0.5), 0, data, checkpoint)
    with pytest.raises(ValueError, match="other seed;"):
        cifar10.train(TINY, 1, data, checkpoint)
    assert checkpoint.read_bytes() == content


def test_divergence_is_a_recorded_result(data, tmp_path):
    settings = replace(TINY, lr=1e38)
    run = cifar10.train(settings, 0, data, tmp_path / "run.pt")
    assert run["diverged"]
    assert run["test"] is None
    assert len(run["epochs"]) < settings.epochs
    assert cifar10.train(settings, 0, data, tmp_path / "run.pt") == run


def test_nan_in_a_hidden_layer_counts_as_divergence(data, monkeypatch):
    """Such neurons are silent, so that the loss alone would not tell."""
    net = cifar10.SpikingNet(TINY.network, 4, TINY.neuron())
    torch.nn.init.constant_(net.convs[0].weight, float("nan"))
    monkeypatch.setattr(cifar10, "SpikingNet", lambda *arguments: net)
    run = cifar10.train(TINY, 0, data)
    assert run["diverged"]
    assert np.isfinite(run["epochs"][0]["train_loss"])


def test_held_out_images_take_the_place_of_the_test_set(data):
    run = cifar10.train(replace(TINY, held_out=10), 0, data)
    assert run["test"] is None
    assert [np.sum(epoch["held_out"]["confusion"]) for epoch in run["epochs"]] == [10, 10]


def test_augmentation_moves_pixels_and_invents_none():
    images = torch.arange(2 * 3 * 32 * 32.0).view(2, 3, 32, 32)
    moved = cifar10.augment(images, torch.Generator().manual_seed(0), 4)
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    for before, after in zip(images, moved, strict=True):
        assert set(after.unique().tolist()) <= set(before.unique().tolist())
        middle = after[:, 16, 4:28]
        steps = middle.diff(dim=1)
        assert (steps == 1).all() or (steps == -1).all()


def test_first_convolution_runs_once():
    net = cifar10.SpikingNet("4C3-P2-4C3", 4, TINY.neuron())
    batches = []
    for conv in net.convs:
        conv.register_forward_hook(lambda module, args, out: batches.append(len(args[0])))
    logits, layers = net(torch.rand(5, 3, 32, 32))
    assert batches == [5, 20]
    assert logits.shape == (5, 10)
    assert [s.shape for s in layers] == [(4, 5, 4, 16, 16)] * 2


@pytest.mark.parametrize("network", ["W2-4C3-P2-6C3-4C5-P2-2C3", "4C3-4C3-P4"])
def test_operations_by_arithmetic_are_those_that_torch_counts(network):
    net = cifar10.SpikingNet(network, 3, TINY.neuron())
    first, *others = cifar10.forward_flop(net)
    readout = 6 * net.readout.weight.numel()
    whitening = 0 if net.whitening is None else 2 * net.whitening.weight.numel() * 31**2
    # The gradient of the first layer's input is not needed: the image and its whitening are fixed.
    expected = whitening + 2 * first + 3 * 3 * sum(others) + readout
    assert cifar10.training_flop(net, torch.zeros(2, 3, 32, 32)) == expected
    spikes = net(torch.zeros(2, 3, 32, 32))[1]
    assert cifar10.maps(net) == [layer.shape[2:4] for layer in spikes]


@pytest.mark.parametrize("network", ["", "P2-4C3", "4C2", "4C3-P2-", "4X3", "4C3-W2"])
def test_a_network_that_cannot_be_read_is_named(network):
    with pytest.raises(ValueError, match="can't read"):
        cifar10.SpikingNet(network, 4, TINY.neuron())


def test_gradient_reaches_every_weight():
    net = cifar10.SpikingNet("W2-8C3-P2-8C3", 4, TINY.neuron())
    logits, _ = net(torch.rand(5, 3, 32, 32))
    logits.logsumexp(1).sum().backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0, name
    assert not net.whitening.weight.requires_grad


def test_whitened_patches_are_uncorrelated_with_variance_one(rng):
    net = cifar10.SpikingNet("W2-8C3", 4, TINY.neuron())
    mixing = torch.from_numpy(rng.normal(size=(3, 3))).float()
    images = torch.from_numpy(rng.normal(size=(50, 3, 32, 32))).float()
    images = torch.einsum("ij,bjhw->bihw", mixing, images)
    net.whiten(images)
    out = net.whitening(images)
    assert torch.equal(out[:, :12], -out[:, 12:])
    covariance = out[:, :12].transpose(0, 1).flatten(1).cov()
    smallest = torch.linalg.eigvalsh(mixing @ mixing.T).min()
    assert torch.allclose(covariance, torch.eye(12), atol=0.03 + 0.01 / smallest)


def test_probe_compares_the_two_methods_gradients(data):
    """Against plain autograd with and without detach, in float64."""
    torch.manual_seed(0)
    net = cifar10.SpikingNet("4C3-P4-4C3-P4", 4, TINY.neuron()).double()
    x, y = torch.rand(6, 3, 32, 32, dtype=torch.float64), torch.arange(6)
    before = cifar10.digest(net)
    found = cifar10.compare_gradients(net, x, y, TINY)
    assert cifar10.digest(net) == before
    gradients = []
    for rho in (1.0, 0.0):
        lif = replace(TINY.neuron(), reset_gradient=rho)
        net.lif.forward = lambda current, lif=lif: torch_lif.autograd_lif(current, lif)
        net.first.forward = lambda current: net.lif(current.expand(4, *current.shape))
        loss = torch.nn.functional.cross_entropy(net(x)[0], y, label_smoothing=0.1)
        gradients.append(torch.autograd.grad(loss, [conv.weight for conv in net.convs]))
    for i, (a, b) in enumerate(zip(*gradients, strict=True)):
        assert found["ratio"][i] == pytest.approx((a.norm() / b.norm()).item(), rel=1e-9)
        cosine = (a * b).sum() / (a.norm() * b.norm())
        assert found["cosine"][i] == pytest.approx(cosine.item(), rel=1e-9)
    assert 0 < found["one_sign"][0] < 1
    assert found["one_sign"][1] == pytest.approx(1), "the readout's credit is the same at each step"


def test_share_of_credit_with_one_sign():
    g = torch.tensor([[1.0, -1.0, 2.0, 0.0], [3.0, -2.0, -1.0, -4.0]])
    assert cifar10._one_sign(g) == pytest.approx((4 + 3 + 4) / 14)


def test_evaluation_counts(data):
    net = cifar10.SpikingNet(TINY.network, 4, TINY.neuron())
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    found = cifar10.evaluate(net, images, labels, TINY, batch=16)
    confusion = np.array(found["confusion"])
    assert (confusion.sum(axis=1) == np.bincount(labels, minlength=10)).all()
    assert found["accuracy"] == pytest.approx(np.trace(confusion) / len(labels))
    net.eval()
    _, layers = net(cifar10.normalised(images))
    assert found["rates"] == pytest.approx([s.mean().item() for s in layers], abs=1e-5)
    assert found["neurons"] == [4 * 8 * 8, 4 * 2 * 2]


def test_training_flop_of_a_case_counted_by_hand():
    """A multiplication and an addition a weight and position; three times for the backward pass."""
    net = cifar10.SpikingNet("4C3-P4-8C3", 3, TINY.neuron())
    first = 2 * 4 * 3 * 9 * 32 * 32
    second = 2 * 8 * 4 * 9 * 8 * 8 * 3
    readout = 2 * 8 * 8 * 8 * 10
    expected = 2 * first + 3 * second + 3 * readout  # the image needs no gradient
    assert cifar10.training_flop(net, torch.zeros(2, 3, 32, 32)) == expected


def test_steps_double_on_the_way(data):
    settings = replace(TINY, epochs=4, doublings=(1, 3))
    assert [settings.steps_at(epoch) for epoch in range(4)] == [1, 2, 2, 4]
    run = cifar10.train(settings, 0, data)
    found = [epoch["gflop"] for epoch in run["epochs"]]
    assert found[0] < found[1] == found[2] < found[3]
    assert found[3] == pytest.approx(40 * run["gflop_per_image"])
    assert [probe["steps"] for probe in run["probes"]] == [1, 1, 1, 2, 4]


@pytest.mark.parametrize("steps, doublings", [(0, ()), (6, (1, 2)), (4, (0,)), (4, (4,))])
def test_steps_that_cannot_double_are_named(steps, doublings):
    with pytest.raises(ValueError, match="steps must|doublings must"):
        replace(TINY, epochs=4, steps=steps, doublings=doublings)


def test_bfloat16_trains(data):
    run = cifar10.train(replace(TINY, precision="bfloat16"), 0, data)
    assert not run["diverged"]


def test_an_optimizer_that_is_not_known_is_named(data):
    with pytest.raises(ValueError, match="'adam'"):
        cifar10.train(replace(TINY, optimizer="adam"), 0, data)


def test_checkpoints_hold_everything_that_changes(data, tmp_path):
    cifar10.train(TINY, 0, data, tmp_path / "run.pt")
    expected = {"net", "optimizer", "schedule", "run", "state"}
    assert set(checkpoints.load(tmp_path / "run.pt")) == expected
