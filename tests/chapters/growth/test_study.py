import json

import numpy as np
import pytest
import torch

from tsbp_core import LIF, block_lif, function_lif, inductor_lif, numpy_lif
from tsbp_core.chapters.growth import manifolds, outcomes, probe
from tsbp_core.chapters.growth import study as growth
from tsbp_core.lab import results

SMALL = manifolds.Task(steps=20, classes=3, inputs=8, train=20, test=10, hidden=8, updates=5)


def test_manifolds_are_smooth_within_the_cube_and_fixed_by_the_seed():
    task = manifolds.Task(dimensions=2)
    manifold = manifolds.Manifolds(task, seed=3)
    points = np.full((task.classes, 201, 2), 0.3)
    points[:, :, 0] = np.linspace(0, 1, 201)
    y = manifold(points)
    assert y.min() >= 0
    assert y.max() <= 1
    assert np.abs(np.diff(y, axis=1)).max() < 0.3
    finer = points.copy()
    finer[:, :, 0] = np.linspace(0.5, 0.501, 201)
    assert np.abs(np.diff(manifold(finer), axis=1)).max() < 0.002
    np.testing.assert_array_equal(y, manifolds.Manifolds(task, seed=3)(points))
    assert not np.array_equal(y, manifolds.Manifolds(task, seed=4)(points))


def test_classes_are_separable_and_each_input_fires_once():
    """The nearest training sample, in spike times, has the right label."""
    task = manifolds.Task()
    (times, labels), (held_out, truth), _ = manifolds.make_data(task, seed=5)
    apart = np.abs(held_out[:, None] - times[None]).sum(axis=2)
    assert (labels[apart.argmin(axis=1)] == truth).mean() > 0.95
    spikes = manifolds.spike_trains(torch.from_numpy(held_out[None]), task.steps)
    assert (spikes.sum(dim=0) == 1).all()
    assert spikes[held_out[7, 2], 0, 7, 2] == 1


def test_first_weights_give_membranes_of_deviation_one():
    task = manifolds.Task(depth=2)
    lif = probe.make_neuron("zero", "peak", 4)
    times = np.stack([manifolds.make_data(task, seed)[0][0] for seed in (1, 2)])
    spikes = manifolds.spike_trains(torch.from_numpy(times), task.steps)
    weights = manifolds.initial_weights(spikes, task, lif, (1, 2))
    free = numpy_lif.forward(
        manifolds.currents(spikes, weights[0]).detach().numpy(),
        LIF(lif.decay, reset="none"),
    ).membrane
    np.testing.assert_allclose(free.std(axis=(0, 2, 3)), 1.0, rtol=1e-3)
    logits = manifolds.network(spikes, weights, lif)
    np.testing.assert_allclose(logits.detach().std(dim=(1, 2)), 1.0, rtol=1e-4)


def test_training_learns_and_seeds_do_not_touch_each_other():
    lif = probe.make_neuron("zero", "peak", 4)
    pair = manifolds.train(SMALL, lif, (6, 7))
    alone = manifolds.train(SMALL, lif, (7,))
    for key, values in pair.items():
        assert values[1] == pytest.approx(alone[key][0], rel=1e-4), key
    longer = manifolds.Task(steps=20, classes=3, updates=60, rate=0.03)
    assert np.mean(manifolds.train(longer, lif, (6, 7))["accuracy"]) > 0.6


def test_training_resumes_from_what_is_kept(tmp_path):
    named = {"a": (probe.make_neuron("zero", "peak", 4), SMALL)}
    folder = tmp_path / "data" / "checkpoints" / "growth"  # in a fresh clone none of them is there
    found = growth.train_all(named, folder, quiet=True)
    assert found == growth.train_all(named, folder, quiet=True)
    (path,) = folder.glob("*.json")
    path.write_text(json.dumps({"accuracy": [1.0]}))
    assert growth.train_all(named, folder, quiet=True) == {"a": {"accuracy": [1.0]}}


def test_what_other_code_trained_is_not_used_again(tmp_path, monkeypatch):
    named = {"a": (probe.make_neuron("zero", "peak", 4), SMALL)}
    monkeypatch.setattr(manifolds, "train", lambda task, lif, seeds: {"accuracy": [0.5]})
    growth.train_all(named, tmp_path, quiet=True)
    for module in (function_lif, inductor_lif, block_lif):
        other = tmp_path / f"{module.__name__}.py"
        other.write_text("other")
        with monkeypatch.context() as changed:
            changed.setattr(module, "__file__", str(other))
            growth.train_all(named, tmp_path, quiet=True)
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_committed_results_are_complete():
    made = results.load("growth")
    found = made["results"]
    assert set(found["trained"]) == set(growth.trained_conditions())
    assert set(found["rates"]) == set(growth.rate_conditions())
    for outcome in (*found["trained"].values(), *found["rates"].values()):
        assert len(outcome["accuracy"]) == len(outcomes.SEEDS)
        assert all(0 <= accuracy <= 1 for accuracy in outcome["accuracy"])
    assert made["settings"]["seeds"] == list(outcomes.SEEDS)
    assert "with changes" not in made["provenance"]["commit"]
