import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_cifar10

from tsbp_core import LIF, numpy_lif
from tsbp_core.chapters.cifar10 import paper as cifar10_paper
from tsbp_core.chapters.cifar10 import paper_network
from tsbp_core.chapters.cifar10.network import augment, normalised, training_flop
from tsbp_core.lab import checkpoints

TINY = cifar10_paper.Settings(
    network="4C3-P4-8C3-P4-16-12", epochs=2, batch=10, limit=40, precision="float32", lr=1e-3
)


def test_the_paper_preset_is_what_is_known_of_it():
    p = cifar10_paper.Settings()
    assert p.network == "96C3-256C3-P2-384C3-P2-384C3-256C3-1024-1024"
    assert (p.steps, p.tau_s, p.epochs, p.batch, p.dropout) == (5, 3.0, 150, 50, 0.2)
    assert LIF(decay=1 - 1 / 5, threshold=1.0) == replace(
        paper_network.NEURON, surrogate=LIF().surrogate
    )
    net = paper_network.CIFARNet(p)
    assert 20e6 < sum(w.numel() for w in net.parameters()) < 22e6


def test_the_quarter_is_the_paper_preset_but_for_width_and_epochs():
    paper, quarter = (cifar10_paper.PRESETS[name] for name in ("paper", "quarter"))
    assert replace(quarter, network=paper.network, epochs=150) == paper
    widths = [
        [
            layer.weight.shape[0]
            for layer in paper_network.CIFARNet(p).layers
            if hasattr(layer, "weight")
        ]
        for p in (paper, quarter)
    ]
    assert widths[0][:-1] == [4 * width for width in widths[1][:-1]]


def test_the_paper_network_takes_a_step_and_all_its_layers_fire_and_learn():
    torch.manual_seed(0)
    p = cifar10_paper.Settings()
    net = paper_network.CIFARNet(p)
    rates = []
    net.lif.register_forward_hook(lambda layer, arguments, s: rates.append(s.mean().item()))
    images = torch.randint(0, 256, (2, 3, 32, 32))
    spikes = net(normalised(images))
    assert spikes.shape == (5, 2, 10)
    assert len(rates) == 8
    assert min(rates) > 0.01
    paper_network.kernel_loss(spikes, torch.tensor([1, 2]), p.tau_s).sum().backward()
    assert all(w.grad.abs().sum() > 0 for w in net.parameters())


def test_rho_changes_the_gradient_and_not_the_spikes():
    assert paper_network.NEURON.surrogate.scale == 1.25  # area 1
    images = normalised(torch.randint(0, 256, (3, 3, 32, 32)))
    found = {}
    for rho in (1.0, 0.0):
        torch.manual_seed(0)
        net = paper_network.CIFARNet(replace(TINY, reset_gradient=rho))
        spikes = net(images)
        paper_network.kernel_loss(spikes, torch.tensor([1, 2, 3]), 3.0).sum().backward()
        found[rho] = spikes, net.layers[0].weight.grad
    assert torch.equal(found[1.0][0], found[0.0][0])
    assert not torch.allclose(found[1.0][1], found[0.0][1], rtol=0.01)


def test_traces_and_kernel_loss_are_those_of_the_reference(rng):
    spikes = rng.integers(0, 2, (5, 3, 10)).astype(float)
    labels = np.array([4, 0, 9])
    a = paper_network.traces(torch.from_numpy(spikes), 3.0)
    expected = np.zeros((5, 3, 10))
    last = np.zeros((3, 10))
    for t in range(5):
        last = expected[t] = (1 - 1 / 3) * last + spikes[t] / 3
    assert np.allclose(a, expected, rtol=1e-12)
    target = np.zeros_like(spikes)
    target[1:, np.arange(3), labels] = 1.0
    loss = paper_network.kernel_loss(
        torch.from_numpy(spikes).float(), torch.from_numpy(labels), 3.0
    )
    reference = numpy_lif.TraceLoss(target, 3.0)(spikes)[0]
    assert np.allclose(loss, reference.sum(axis=-1), rtol=1e-5)


def test_traces_are_pooled_masked_and_read_by_the_layer_above():
    """Written out for ``TINY``; the network pools spikes first, which comes to the same."""
    torch.manual_seed(0)
    net = paper_network.CIFARNet(TINY)
    images = normalised(torch.randint(0, 256, (3, 3, 32, 32)))
    masks = [torch.rand(3, width) * 2 for width in (16, 12)]
    a, b, dense, above, readout = (layer for layer in net.layers if hasattr(layer, "weight"))

    def fire(current):
        return paper_network.traces(net.lif(current.unflatten(0, (5, -1))), 3.0).flatten(0, 1)

    def pooled(trace):
        return torch.nn.functional.avg_pool2d(trace, 4)

    trace = pooled(fire(a(images).expand(5, -1, -1, -1, -1).flatten(0, 1)))
    trace = pooled(fire(b(trace))).flatten(1)
    for layer, mask in ((dense, masks[0]), (above, masks[1])):
        trace = fire(layer(trace)) * mask.repeat(5, 1)
    expected = net.lif(readout(trace).unflatten(0, (5, -1)))
    assert 0 < expected.mean() < 1
    assert torch.equal(net(images, masks), expected)


PROGRAM = """
import os, pathlib, sys
from torch import distributed
from dataclasses import replace
sys.path[:0] = {folders}
from conftest import random_cifar10
from test_paper import TINY
from tsbp_core.chapters.cifar10 import paper as cifar10_paper
if "RANK" in os.environ:
    distributed.init_process_group("gloo")
cut = len(sys.argv) > 2
def progress(record):
    if cut:
        os._exit(1)
found = cifar10_paper.train(TINY, 0, random_cifar10(), pathlib.Path(sys.argv[1]), progress=progress)
print("accuracy", found["test_accuracy"])
"""


def test_two_processes_equal_one_and_a_run_changes_hands(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(folders=[str(Path(__file__).parents[k]) for k in (0, 2)]))
    one = [sys.executable, program]
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    two.append(program)

    def run(command, name, *arguments, check=True):
        return subprocess.run(
            [*command, tmp_path / name, *arguments], check=check, capture_output=True, text=True
        )

    for command, name in ((one, "one"), (two, "two")):
        assert "accuracy" in run(command, name).stdout
    assert run(two, "handed", "cut", check=False).returncode != 0
    assert len(checkpoints.load(tmp_path / "handed")["state"]["epochs"]) == 1
    run(one, "handed")
    found = {name: checkpoints.load(tmp_path / name) for name in ("one", "two", "handed")}
    start = paper_network.CIFARNet(TINY).state_dict()
    for name in ("two", "handed"):
        losses = [e["train_loss"] for e in found[name]["state"]["epochs"]]
        expected = [e["train_loss"] for e in found["one"]["state"]["epochs"]]
        assert losses == pytest.approx(expected, rel=1e-6)
        for key, weight in found["one"]["net"].items():
            torch.testing.assert_close(found[name]["net"][key], weight, rtol=1e-4, atol=1e-6)
            assert not torch.equal(start[key], weight)


def test_divergence_is_a_recorded_result(tmp_path):
    broken = replace(TINY, weight_scale=float("nan"))
    found = cifar10_paper.train(broken, 0, random_cifar10(), tmp_path / "run.pt")
    assert found["diverged"]
    assert len(found["epochs"]) == 1
    assert not np.isfinite(found["epochs"][0]["train_loss"])
    assert found["test_accuracy"] is None


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    checkpoint = tmp_path / "run.pt"
    cifar10_paper.train(TINY, 0, random_cifar10(), checkpoint)
    content = checkpoint.read_bytes()
    with pytest.raises(ValueError, match="run.pt is of a run with other lr, reset_gradient;"):
        other = replace(TINY, lr=0.5, reset_gradient=0.0)
        cifar10_paper.train(other, 0, random_cifar10(), checkpoint)
    with pytest.raises(ValueError, match="other seed;"):
        cifar10_paper.train(TINY, 1, random_cifar10(), checkpoint)
    assert checkpoint.read_bytes() == content


@pytest.mark.parametrize("lr", [0.002, 0.0, None])
def test_command_line_writes_a_record(tmp_path, monkeypatch, capsys, lr):
    monkeypatch.setattr(cifar10_paper, "PRESETS", {"paper": None, "quarter": TINY})
    monkeypatch.setattr(cifar10_paper.datasets, "cifar10", lambda root: random_cifar10())
    monkeypatch.setattr(cifar10_paper.results, "PROJECT", tmp_path)
    monkeypatch.setattr(cifar10_paper.results, "RESULTS", tmp_path / "results")
    command = ["--preset", "quarter", "--rho", "0", "--seed", "3"]
    command += [] if lr is None else ["--lr", str(lr)]
    cifar10_paper.main(command)
    used = TINY.lr if lr is None else lr
    found = cifar10_paper.results.load(f"cifar10-quarter/lr{used:g}-rho0-seed3")
    expected = replace(TINY, reset_gradient=0.0, lr=used)
    assert found["settings"] == {**asdict(expected), "seed": 3, "processes": 1, "device": "cpu"}
    assert len(found["results"]["epochs"]) == 2
    assert "wrote" in capsys.readouterr().out
    monkeypatch.setattr(cifar10_paper, "train", None)  # a run that is there is not computed again
    cifar10_paper.main(command)


def test_a_missing_data_set_is_a_message(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10_paper.results, "PROJECT", tmp_path)
    monkeypatch.setattr(cifar10_paper.results, "RESULTS", tmp_path / "results")
    damaged = tmp_path / cifar10_paper.datasets.FOLDER
    damaged.mkdir()
    with pytest.raises(SystemExit, match="data_batch_1.bin is missing"):
        cifar10_paper.main(["--preset", "quarter", "--root", str(tmp_path)])


@pytest.mark.parametrize("token", ["4C2", "Q3"])
def test_a_network_that_cannot_be_read_is_refused(token):
    with pytest.raises(ValueError, match=f"can't read '{token}'"):
        paper_network.CIFARNet(replace(TINY, network=f"4C3-{token}-P8"))


def test_a_layer_right_above_the_first_reads_its_traces_too():
    torch.manual_seed(0)
    net = paper_network.CIFARNet(replace(TINY, network="4C5-4C3-P8"))
    images = normalised(torch.randint(0, 256, (2, 3, 32, 32)))
    first, second, _, readout = net.layers

    def fire(current):
        return net.lif(current.unflatten(0, (5, -1)))

    x = fire(first(images).repeat(5, 1, 1, 1))
    x = fire(second(paper_network.traces(x, 3.0).flatten(0, 1)))
    x = torch.nn.functional.avg_pool2d(x.flatten(0, 1), 8).unflatten(0, (5, -1))
    expected = fire(readout(paper_network.traces(x, 3.0).flatten(0, 1).flatten(1)))
    assert 0 < expected.mean() < 1
    assert torch.equal(net(images), expected)


def test_the_loss_is_computed_in_float32():
    spikes, labels = torch.randint(0, 2, (5, 3, 10)), torch.tensor([4, 0, 9])
    loss, rough = (
        paper_network.kernel_loss(s, labels, 3.0) for s in (spikes.float(), spikes.bfloat16())
    )
    assert rough.dtype == torch.float32 and torch.equal(loss, rough)


def test_a_run_by_hand():
    """25 images, three batches an epoch."""
    data, seed, short = random_cifar10(), 3, replace(TINY, limit=25)
    run = cifar10_paper.Training(short, seed, data, "cpu")
    torch.manual_seed(seed)
    net = paper_network.CIFARNet(TINY)
    images, labels = (torch.from_numpy(a[:25]) for a in (data.train_images, data.train_labels))
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    for epoch in range(2):
        run.epoch()
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        total = 0.0
        for picked in torch.randperm(25, generator=generator).split(10):
            x = augment(images[picked], generator, 4)
            masks = [
                torch.empty(len(picked), width).bernoulli_(0.8, generator=generator) / 0.8
                for width in (16, 12)
            ]
            losses = paper_network.kernel_loss(net(normalised(x), masks), labels[picked], 3.0)
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            schedule.step()
            total += losses.sum().item()
        assert run.state["epochs"][epoch]["train_loss"] == pytest.approx(total / 25, rel=1e-4)
    for ours, theirs in zip(run.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)


def test_the_answer_is_the_neuron_that_fires_most():
    data = random_cifar10()
    labels = torch.from_numpy(data.test_labels)

    def answer(x):  # all of the right class's spikes, one of each other, none of the last but one
        spikes = torch.zeros(5, len(x), 10)
        spikes[0] = 1.0
        spikes[:, torch.arange(15), labels[:15]] = 1.0
        spikes[:, torch.arange(15, 20), (labels[15:] + 1) % 10] = 1.0
        return spikes

    answer.eval = lambda: None
    assert cifar10_paper.evaluate(answer, data, TINY, "cpu") == pytest.approx(0.75)


def test_weights_that_are_not_finite_end_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10_paper, "finite", lambda net: False)
    found = cifar10_paper.train(TINY, 0, random_cifar10(), tmp_path / "run.pt")
    assert found["diverged"] and len(found["epochs"]) == 1
    net = paper_network.CIFARNet(TINY)
    flop = training_flop(net, torch.zeros(2, 3, 32, 32))
    assert found["gflop_per_image"] == pytest.approx(flop / 1e9)


def test_more_processes_than_images_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10_paper, "_rank", lambda: (0, 11))
    with pytest.raises(ValueError, match="11 processes can't share batches of 10"):
        cifar10_paper.train(TINY, 0, random_cifar10(), tmp_path / "run.pt")
