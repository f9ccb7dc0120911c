import json

import numpy as np
import pytest
import torch

from tsbp_core import numpy_lif, torch_lif
from tsbp_core.chapters.gradient import steps
from tsbp_core.chapters.growth import manifolds
from tsbp_core.chapters.growth import study as growth
from tsbp_core.lab import results

SMALL = manifolds.Task(steps=20, classes=3, inputs=8, train=20, test=10, hidden=8, updates=5)


def run_of(lif, steps=30, instances=50):
    x, g = growth.draw(steps, instances)
    return x, g, numpy_lif.forward(x, lif)


@pytest.mark.parametrize("rho", [1.0, 0.0])
@pytest.mark.parametrize("unit", growth.UNITS)
@pytest.mark.parametrize("reset", growth.RESETS)
def test_jacobians_and_their_products_are_those_of_autograd(reset, unit, rho):
    """d(last membrane)/d(each membrane), from plain autograd and by way of the last spike."""
    lif = growth.make_neuron(reset, unit, 10, rho)
    x, _, run = run_of(lif, steps=8)
    leaf = torch.from_numpy(x).requires_grad_()
    s = torch_lif.autograd_lif(leaf, lif)
    (slope,) = torch.autograd.grad(s[-1].sum(), leaf)
    h = lif.surrogate.derivative(run.membrane[-1] - lif.threshold)
    expected = slope.numpy() / h
    products = steps.reach(steps.jacobian(run, lif))
    np.testing.assert_allclose(products, expected, rtol=1e-9, atol=1e-12)
    two = steps.jacobian(run, lif)[-2]
    np.testing.assert_allclose(two, expected[-2], rtol=1e-9, atol=1e-12)


def test_a_product_of_three_by_hand():
    J = np.array([[2.0], [-3.0], [0.5], [7.0]])
    assert steps.reach(J).ravel().tolist() == [-3.0, -1.5, 0.5, 1.0]


@pytest.mark.parametrize("reset", growth.RESETS)
def test_the_bound_divides_growth_from_none(reset):
    """Beyond it some membrane has J above 1 in size; the soft reset has none below it."""
    u = np.linspace(-3, 4, 70_001)
    run = numpy_lif.Run((u >= 1).astype(float), u)
    bound = growth.growth_bound(growth.make_neuron(reset, "area", 4))
    largest = {}
    for factor in (0.99, 1.01):
        lif = growth.make_neuron(reset, "area", 4 * bound * factor)
        assert lif.surrogate.scale == pytest.approx(bound * factor)
        largest[factor] = np.abs(steps.jacobian(run, lif)).max()
    assert largest[1.01] > 1
    assert reset == "zero" or largest[0.99] < 1


@pytest.mark.parametrize("slope", growth.SLOPES)
def test_a_peak_of_one_never_flips_or_grows_with_the_soft_reset(slope):
    lif = growth.make_neuron("subtract", "peak", slope)
    _, _, run = run_of(lif)
    J = steps.jacobian(run, lif)
    assert (J >= 0).all()
    assert J.max() <= lif.decay


def test_predicted_length_of_a_constant_jacobian():
    """Without a reset J = lambda at every step, and the prediction holds but for chance."""
    lif = growth.make_neuron("subtract", "peak", 4, rho=0.0)
    _, g, run = run_of(lif, steps=50, instances=4000)
    length = np.linalg.norm(numpy_lif.backward(g, run, lif), axis=0)
    measured = np.sqrt((length**2).mean())
    assert growth.predicted_length(run, lif, 50) == pytest.approx(measured, rel=0.1)


def test_exact_rate_of_independent_and_of_dependent_steps():
    """Detached and soft, J is lambda. With the term the mean over many neurons agrees."""
    detached = growth.make_neuron("subtract", "area", 10, rho=0.0)
    assert growth.exact_rate(detached) == pytest.approx(np.log(0.9), abs=1e-12)
    lif = growth.make_neuron("subtract", "area", 12)
    _, _, run = run_of(lif, steps=60, instances=20_000)
    sizes = (steps.reach(steps.jacobian(run, lif)) ** 2).mean(axis=1)
    measured = 0.5 * np.log(sizes[30] / sizes[45]) / 15
    assert growth.exact_rate(lif) == pytest.approx(measured, abs=0.02)


def test_compare_lengths_of_a_case_done_by_hand():
    found = growth.compare_lengths(np.array([2.0, 6.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert found["median"][0] == 2.0
    assert found["pooled"][0] == pytest.approx(np.sqrt(49 / 14))
    assert found["pooled"][1] <= found["pooled"][0] <= found["pooled"][2]


def test_a_shorter_draw_is_the_beginning_of_a_longer_one():
    for long, short in zip(growth.draw(9, 3), growth.draw(4, 3), strict=True):
        np.testing.assert_array_equal(long[:4], short)


def test_square_bound_is_where_the_mean_square_is_one():
    peak = growth.square_bound("subtract", instances=200, steps=50)
    x, _ = growth.draw(50, 200)
    lif = growth.make_neuron("subtract", "area", 4 * peak)
    run = numpy_lif.forward(x, lif)
    assert (steps.jacobian(run, lif) ** 2).mean() == pytest.approx(1.0, rel=1e-6)


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
    lif = growth.make_neuron("zero", "peak", 4)
    times = np.stack([manifolds.make_data(task, seed)[0][0] for seed in (1, 2)])
    spikes = manifolds.spike_trains(torch.from_numpy(times), task.steps)
    weights = manifolds.initial_weights(spikes, task, lif, (1, 2))
    free = numpy_lif.forward(
        manifolds.currents(spikes, weights[0]).detach().numpy(),
        growth.LIF(lif.decay, reset="none"),
    ).membrane
    np.testing.assert_allclose(free.std(axis=(0, 2, 3)), 1.0, rtol=1e-3)
    logits = manifolds.network(spikes, weights, lif)
    np.testing.assert_allclose(logits.detach().std(dim=(1, 2)), 1.0, rtol=1e-4)


def test_training_learns_and_seeds_do_not_touch_each_other():
    lif = growth.make_neuron("zero", "peak", 4)
    pair = manifolds.train(SMALL, lif, (6, 7))
    alone = manifolds.train(SMALL, lif, (7,))
    for key, values in pair.items():
        assert values[1] == pytest.approx(alone[key][0], rel=1e-4), key
    longer = manifolds.Task(steps=20, classes=3, updates=60, rate=0.03)
    assert np.mean(manifolds.train(longer, lif, (6, 7))["accuracy"]) > 0.6


def test_training_resumes_from_what_is_kept(tmp_path):
    named = {"a": (growth.make_neuron("zero", "peak", 4), SMALL)}
    found = growth.train_all(named, tmp_path, quiet=True)
    assert found == growth.train_all(named, tmp_path, quiet=True)
    (path,) = tmp_path.glob("*.json")
    path.write_text(json.dumps({"accuracy": [1.0]}))
    assert growth.train_all(named, tmp_path, quiet=True) == {"a": {"accuracy": [1.0]}}


def test_committed_results_are_complete():
    made = results.load("growth")
    found = made["results"]
    assert set(found["trained"]) == set(growth.trained_conditions())
    assert set(found["rates"]) == set(growth.rate_conditions())
    for outcome in (*found["trained"].values(), *found["rates"].values()):
        assert len(outcome["accuracy"]) == len(growth.SEEDS)
        assert all(0 <= accuracy <= 1 for accuracy in outcome["accuracy"])
    pairs = len(growth.RESETS) * len(growth.UNITS) * len(growth.SLOPES)
    assert len(found["steps"]) == pairs
    assert len(found["lengths"]) == pairs * len(growth.LENGTHS)
    assert made["settings"]["seeds"] == list(growth.SEEDS)
    assert "with changes" not in made["provenance"]["commit"]
