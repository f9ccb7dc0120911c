"""The first updates of the paper's network at large rates."""

import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from tsbp_core.chapters.cifar10 import paper, start
from tsbp_core.chapters.cifar10.network import normalised

TINY = replace(
    paper.PRESETS["quarter"], network="2C3-P2-8", epochs=2, batch=4, precision="float32", limit=24
)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 3, 32, 32), dtype=np.uint8)
    images[12:] //= 4  # the last ones are darker
    labels = np.arange(24) % 10
    return types.SimpleNamespace(
        train_images=images, train_labels=labels, test_images=images[:4], test_labels=labels[:4]
    )


def test_the_first_updates_are_those_of_a_run(data, monkeypatch):
    """An epoch of six updates, stopped after none, some and all of them."""
    rate, rho, seed = 3e-3, 0.0, 5
    whole = paper.Training(replace(TINY, lr=rate, reset_gradient=rho), seed, data, "cpu")
    nets, update = {}, paper.Training.update

    def noted(run, picked, generator):
        loss = update(run, picked, generator)
        nets.setdefault(id(run), []).append([w.detach().clone() for w in run.net.parameters()])
        return loss

    monkeypatch.setattr(paper.Training, "update", noted)
    whole.epoch()
    counted = start.spikes(rate, rho, seed, data, looks=(2, 6), images=7, settings=TINY)
    one, other = nets.values()
    assert len(one) == len(other) == 6
    for ours, theirs in zip(one, other, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    with torch.no_grad():
        shown = whole.net(normalised(torch.from_numpy(data.train_images[-7:])))
    assert len(counted) == 2
    assert counted[-1] == pytest.approx(shown.sum().item() / 7)
    assert counted[-1] > 0


def test_a_study_goes_on_where_it_stopped(data, monkeypatch, tmp_path):
    done = []

    def spikes(rate, rho, seed, _):
        done.append((rate, rho, seed))
        return [rate * rho, seed]

    monkeypatch.setattr(start, "spikes", spikes)
    monkeypatch.setattr(start, "SEEDS", (1,))
    monkeypatch.setattr(start.results, "RESULTS", tmp_path)
    monkeypatch.setattr(start.datasets, "cifar10", lambda root: data)
    start.main([])
    assert len(done) == 4
    monkeypatch.setattr(start, "SEEDS", (1, 2))
    start.main([])
    assert len(done) == 8
    kept = start.results.load(start.NAME)
    assert [*kept["results"]] == ["1", "2"]
    assert kept["results"]["2"]["0.005"] == {"1": [0.005, 2], "0": [0.0, 2]}
    assert kept["command"] == "make quarter-start"


def test_without_data_it_says_what_to_do(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="CIFAR-10|cifar-10"):
        start.main(["--root", str(tmp_path)])
