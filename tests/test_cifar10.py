import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from tsbp_core import datasets, results
from tsbp_core.experiments import cifar10

TINY = cifar10.Settings(widths=(4, 4), epochs=2, batch=10, limit=40)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    labels = rng.integers(0, 10, 40)
    return datasets.Cifar10(images, labels, images[:20], labels[:20])


def without_times(run):
    epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in run["epochs"]]
    return {**run, "epochs": epochs}


def test_same_seed_same_bits_and_methods_differ(data):
    first = cifar10.train(TINY, 1.0, 0, data)
    assert without_times(first) == without_times(cifar10.train(TINY, 1.0, 0, data))
    others = [cifar10.train(TINY, 0.0, 0, data), cifar10.train(TINY, 1.0, 1, data)]
    assert len({first["weights_sha256"], *(run["weights_sha256"] for run in others)}) == 3


def test_resumes_bit_identically(data, tmp_path):
    whole = cifar10.train(TINY, 1.0, 0, data)
    checkpoint = tmp_path / "run.pt"

    class Cut(Exception):
        pass

    seen = []

    def cut(loss):
        seen.append(loss)
        if len(seen) == 6:  # in the middle of the second epoch
            raise Cut

    with pytest.raises(Cut):
        cifar10.train(TINY, 1.0, 0, data, checkpoint, cut)
    resumed = cifar10.train(TINY, 1.0, 0, data, checkpoint)
    assert without_times(resumed) == without_times(whole)
    again = cifar10.train(TINY, 1.0, 0, data, checkpoint)
    assert again == resumed


def test_corrupt_checkpoint_is_set_aside(data, tmp_path, capfd):
    checkpoint = tmp_path / "run.pt"
    checkpoint.write_bytes(b"not a checkpoint")
    run = cifar10.train(TINY, 1.0, 0, data, checkpoint)
    assert without_times(run) == without_times(cifar10.train(TINY, 1.0, 0, data))
    assert checkpoint.with_suffix(".corrupt").exists()
    captured = capfd.readouterr()
    assert "set aside as run.corrupt" in captured.out + captured.err


def test_divergence_is_a_recorded_result(data):
    settings = cifar10.Settings(**{**vars(TINY), "lr": 1e38})
    run = cifar10.train(settings, 1.0, 0, data)
    assert run["diverged"]
    assert len(run["epochs"]) < settings.epochs


def test_augmentation_moves_pixels_and_invents_none():
    images = torch.arange(2 * 3 * 32 * 32.0).view(2, 3, 32, 32)
    moved = cifar10.augment(images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    for before, after in zip(images, moved, strict=True):
        assert set(after.unique().tolist()) <= set(before.unique().tolist())
        middle = after[:, 16, 4:28]
        steps = middle.diff(dim=1)
        assert (steps == 1).all() or (steps == -1).all()


def test_first_convolution_runs_once(data):
    net = cifar10.SpikingNet((4, 4), 4, TINY.neuron(1.0))
    batches = []
    for conv in net.convs:
        conv.register_forward_hook(lambda module, args, out: batches.append(len(args[0])))
    logits, rates = net(torch.rand(5, 3, 32, 32))
    assert batches == [5, 20]
    assert logits.shape == (5, 10)
    assert rates.shape == (2,)


def test_gradient_reaches_every_weight(data):
    net = cifar10.SpikingNet((8, 8), 4, TINY.neuron(1.0))
    logits, _ = net(torch.rand(5, 3, 32, 32))
    logits.logsumexp(1).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_study_pairs_the_methods(data, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "CHECKPOINTS", tmp_path)
    runs = cifar10.study(TINY, 2, data, "tiny", quiet=True)
    assert [(run["seed"], run["rho"]) for run in runs] == [(0, 1.0), (0, 0.0), (1, 1.0), (1, 0.0)]
    assert runs == cifar10.study(TINY, 2, data, "tiny", quiet=True)


def write_cifar(root, images=10_000):
    folder = root / datasets.FOLDER
    folder.mkdir(parents=True)
    records = np.random.default_rng(0).integers(0, 10, (images, datasets.RECORD), dtype=np.uint8)
    for name in (*datasets.TRAIN, datasets.TEST):
        records.tofile(folder / name)


def test_command_line_survives_kill_9(tmp_path):
    """Killed in the middle and started again, the command ends with the bits of an uncut run."""
    write_cifar(tmp_path)
    program = (
        "import sys, pathlib\n"
        "from tsbp_core import results\n"
        "from tsbp_core.experiments import cifar10\n"
        "results.RESULTS = cifar10.CHECKPOINTS = pathlib.Path(sys.argv[1])\n"
        "cifar10.main(['--preset', 'smoke', '--seeds', '1', '--root', sys.argv[2]])\n"
    )

    def command(out):
        return [sys.executable, "-c", program, str(out), str(tmp_path)]

    for out in ("whole", "cut"):
        (tmp_path / out).mkdir()
    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    process = subprocess.Popen(
        command(tmp_path / "cut"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cut").rglob("*.pt")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list((tmp_path / "cut").glob("*.json"))
    subprocess.run(command(tmp_path / "cut"), check=True, capture_output=True)
    runs = []
    for out in ("whole", "cut"):
        (file,) = (tmp_path / out).glob("*.json")
        runs.append([without_times(r) for r in json.loads(file.read_text())["results"]["runs"]])
    assert runs[0] == runs[1]


def test_committed_results_are_complete():
    study = results.load("cifar10-quick")
    settings = {k: v for k, v in study["settings"].items() if k != "seeds"}
    settings["widths"] = tuple(settings["widths"])
    assert cifar10.Settings(**settings) == cifar10.PRESETS["quick"]
    pairs = {(run["seed"], run["rho"]) for run in study["results"]["runs"]}
    assert pairs == {(seed, rho) for seed in study["settings"]["seeds"] for rho in (1.0, 0.0)}
