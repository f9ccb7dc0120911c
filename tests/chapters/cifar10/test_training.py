from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import random_cifar10

from tsbp_core import torch_lif
from tsbp_core.chapters.cifar10 import evaluation, network, training
from tsbp_core.chapters.cifar10.settings import OPTIMIZERS, Settings
from tsbp_core.lab import checkpoints

TINY = Settings(network="4C3-P4-4C3-P4", epochs=2, batch=10, limit=40)


@pytest.fixture
def data():
    return random_cifar10()


def without_times(run):
    epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in run["epochs"]]
    return {**run, "epochs": epochs, "seconds": None}


def test_same_seed_same_bits_and_methods_differ(data):
    first = training.train(TINY, 0, data)
    assert without_times(first) == without_times(training.train(TINY, 0, data))
    detached = training.train(replace(TINY, reset_gradient=0.0), 0, data)
    others = [detached, training.train(TINY, 1, data)]
    assert len({first["weights_sha256"], *(run["weights_sha256"] for run in others)}) == 3
    assert detached["probes"][0] == first["probes"][0], "same initial weights"


def count_updates(monkeypatch, most=8, error=AssertionError):
    """A list that grows by each update; after ``most`` comes the error."""
    update, done = training._Training.update, []

    def counted(run, picked, generator):
        if len(done) == most:
            raise error
        done.append(picked)
        return update(run, picked, generator)

    monkeypatch.setattr(training._Training, "update", counted)
    return done


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batches", [2, 6])  # in the first and in the middle of the second epoch
def test_resumes_bit_identically(data, tmp_path, monkeypatch, optimizer, batches):
    settings = replace(TINY, optimizer=optimizer)
    whole = training.train(settings, 0, data)
    checkpoint = tmp_path / "run.pt"

    class Cut(Exception):
        pass

    with monkeypatch.context() as changed, pytest.raises(Cut):
        done = count_updates(changed, most=batches, error=Cut)
        training.train(settings, 0, data, checkpoint)
    assert len(done) == batches
    resumed = training.train(settings, 0, data, checkpoint)
    assert without_times(resumed) == without_times(whole)
    assert training.train(settings, 0, data, checkpoint) == resumed


def test_a_corrupt_checkpoint_costs_one_epoch(data, tmp_path, monkeypatch):
    checkpoint = tmp_path / "run.pt"
    whole = training.train(TINY, 0, data, checkpoint)
    checkpoint.write_bytes(b"not a checkpoint")
    done = count_updates(monkeypatch)
    again = training.train(TINY, 0, data, checkpoint)
    assert len(done) == 4, "the second epoch alone"
    assert without_times(again) == without_times(whole)


def test_a_checkpoint_of_another_run_is_refused_and_kept(data, tmp_path):
    checkpoint = tmp_path / "run.pt"
    training.train(TINY, 0, data, checkpoint)
    content = checkpoint.read_bytes()
    with pytest.raises(ValueError, match="run.pt is of a run with other lr, decay;"):
        training.train(replace(TINY, lr=0.5, decay=0.5), 0, data, checkpoint)
    with pytest.raises(ValueError, match="other seed;"):
        training.train(TINY, 1, data, checkpoint)
    assert checkpoint.read_bytes() == content


def test_divergence_is_a_recorded_result(data, tmp_path):
    settings = replace(TINY, lr=1e38)
    run = training.train(settings, 0, data, tmp_path / "run.pt")
    assert run["diverged"]
    assert run["test"] is None
    assert len(run["epochs"]) < settings.epochs
    assert training.train(settings, 0, data, tmp_path / "run.pt") == run


def test_nan_in_a_hidden_layer_counts_as_divergence(data, monkeypatch):
    net = network.SpikingNet(TINY.network, 4, TINY.neuron())
    torch.nn.init.constant_(net.convs[0].weight, float("nan"))
    monkeypatch.setattr(training, "SpikingNet", lambda *arguments: net)
    run = training.train(TINY, 0, data)
    assert run["diverged"]
    assert run["epochs"] == []


def test_held_out_images_take_the_place_of_the_test_set(data):
    run = training.train(replace(TINY, held_out=10), 0, data)
    assert run["test"] is None
    assert [np.sum(epoch["held_out"]["confusion"]) for epoch in run["epochs"]] == [10, 10]


def test_probe_compares_the_two_methods_gradients(data):
    """Against plain autograd with and without detach, in float64."""
    torch.manual_seed(0)
    net = network.SpikingNet("4C3-P4-4C3-P4", 4, TINY.neuron()).double()
    x, y = torch.rand(6, 3, 32, 32, dtype=torch.float64), torch.arange(6)
    before = network.digest(net)
    found = evaluation.compare_gradients(net, x, y, TINY)
    assert network.digest(net) == before
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


def test_a_gradient_keeps_its_direction_and_takes_the_others_length():
    torch.manual_seed(0)
    net = network.SpikingNet("4C3-P4-4C3-P4", 4, TINY.neuron())
    x, y = torch.rand(6, 3, 32, 32), torch.arange(6)
    gradients = {}
    for rho in (1.0, 0.0):
        other = evaluation.with_rho(net, rho)
        evaluation.smoothed_loss(other(x)[0], y, TINY).backward()
        gradients[rho] = [parameter.grad for parameter in other.parameters()]
    buffers = [b.clone() for b in other.buffers()]
    evaluation.rescale_gradients(other, x, y, TINY, 1.0)
    assert all(a.equal(b) for a, b in zip(other.buffers(), buffers, strict=True)), "of batch norm"
    changed = 0
    for parameter, complete, detached in zip(other.parameters(), *gradients.values(), strict=True):
        if parameter.grad is None:
            assert complete is None
            continue
        wanted = detached * complete.norm() / detached.norm()
        assert torch.allclose(parameter.grad, wanted, rtol=1e-5, atol=0)
        changed += not torch.allclose(wanted, complete, rtol=1e-2)
    assert changed >= 2


def test_own_length_changes_nothing_and_the_others_does(data):
    plain, own, swapped = (
        training.train(replace(TINY, length_of=rho), 0, data)["weights_sha256"]
        for rho in (None, TINY.reset_gradient, 0.0)
    )
    assert plain == own != swapped


def test_warming_up_in_one_update_is_refused(data):
    with pytest.raises(ValueError, match="0.125 of 8 updates"):
        training.train(replace(TINY, warmup=1 / 8), 0, data)


def test_share_of_credit_with_one_sign():
    g = torch.tensor([[1.0, -1.0, 2.0, 0.0], [3.0, -2.0, -1.0, -4.0]])
    assert evaluation._one_sign(g) == pytest.approx((4 + 3 + 4) / 14)


def test_evaluation_counts(data):
    net = network.SpikingNet(TINY.network, 4, TINY.neuron())
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    found = evaluation.evaluate(net, images, labels, TINY, batch=16)
    confusion = np.array(found["confusion"])
    assert (confusion.sum(axis=1) == np.bincount(labels, minlength=10)).all()
    assert found["accuracy"] == pytest.approx(np.trace(confusion) / len(labels))
    net.eval()
    _, layers = net(network.normalised(images))
    assert found["rates"] == pytest.approx([s.mean().item() for s in layers], abs=1e-5)
    assert found["neurons"] == [4 * 8 * 8, 4 * 2 * 2]


def test_steps_double_on_the_way(data):
    settings = replace(TINY, epochs=4, doublings=(1, 3))
    assert [settings.steps_at(epoch) for epoch in range(4)] == [1, 2, 2, 4]
    run = training.train(settings, 0, data)
    found = [epoch["gflop"] for epoch in run["epochs"]]
    assert found[0] < found[1] == found[2] < found[3]
    assert found[3] == pytest.approx(40 * run["gflop_per_image"])
    assert [probe["steps"] for probe in run["probes"]] == [1, 1, 1, 2, 4]


@pytest.mark.parametrize("steps, doublings", [(0, ()), (6, (1, 2)), (4, (0,)), (4, (4,))])
def test_steps_that_cannot_double_are_named(steps, doublings):
    with pytest.raises(ValueError, match="steps must|doublings must"):
        replace(TINY, epochs=4, steps=steps, doublings=doublings)


def test_an_optimizer_that_is_not_known_is_named(data):
    with pytest.raises(ValueError, match="'adam'"):
        training.train(replace(TINY, optimizer="adam"), 0, data)


def test_checkpoints_hold_everything_that_changes(data, tmp_path):
    training.train(TINY, 0, data, tmp_path / "run.pt")
    expected = {"net", "optimizer", "schedule", "run", "state"}
    assert set(checkpoints.load(tmp_path / "run.pt")) == expected
