import numpy as np
import pytest
import torch

from tsbp_core import LIF, numpy_lif, torch_lif
from tsbp_core.chapters.gradient import steps
from tsbp_core.chapters.growth import probe


def run_of(lif, steps=30, instances=50):
    x, g = probe.draw(steps, instances)
    return x, g, numpy_lif.forward(x, lif)


@pytest.mark.parametrize("rho", [1.0, 0.0])
@pytest.mark.parametrize("unit", probe.UNITS)
@pytest.mark.parametrize("reset", probe.RESETS)
def test_jacobians_and_their_products_are_those_of_autograd(reset, unit, rho):
    """d(last membrane)/d(each membrane), from plain autograd and by way of the last spike."""
    lif = probe.make_neuron(reset, unit, 10, rho)
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


@pytest.mark.parametrize("reset", probe.RESETS)
def test_without_memory_nothing_grows(reset):
    assert probe.growth_bound(LIF(decay=0.0, reset=reset)) == np.inf


@pytest.mark.parametrize("reset", probe.RESETS)
def test_the_bound_divides_growth_from_none(reset):
    """Beyond it some membrane has J above 1 in size; the soft reset has none below it."""
    u = np.linspace(-3, 4, 70_001)
    run = numpy_lif.Run((u >= 1).astype(float), u)
    bound = probe.growth_bound(probe.make_neuron(reset, "area", 4))
    largest = {}
    for factor in (0.99, 1.01):
        lif = probe.make_neuron(reset, "area", 4 * bound * factor)
        assert lif.surrogate.scale == pytest.approx(bound * factor)
        largest[factor] = np.abs(steps.jacobian(run, lif)).max()
    assert largest[1.01] > 1
    assert reset == "zero" or largest[0.99] < 1


@pytest.mark.parametrize("slope", probe.SLOPES)
def test_a_peak_of_one_never_flips_or_grows_with_the_soft_reset(slope):
    lif = probe.make_neuron("subtract", "peak", slope)
    _, _, run = run_of(lif)
    J = steps.jacobian(run, lif)
    assert (J >= 0).all()
    assert J.max() <= lif.decay


def test_predicted_length_of_a_constant_jacobian():
    """Without a reset J = lambda at every step, and the prediction holds but for chance."""
    lif = probe.make_neuron("subtract", "peak", 4, rho=0.0)
    _, g, run = run_of(lif, steps=50, instances=4000)
    length = np.linalg.norm(numpy_lif.backward(g, run, lif), axis=0)
    measured = np.sqrt((length**2).mean())
    assert probe.predicted_length(run, lif, 50) == pytest.approx(measured, rel=0.1)


def test_exact_rate_of_independent_and_of_dependent_steps():
    """Detached and soft, J is lambda. With the term the mean over many neurons agrees."""
    detached = probe.make_neuron("subtract", "area", 10, rho=0.0)
    assert probe.exact_rate(detached) == pytest.approx(np.log(0.9), abs=1e-12)
    lif = probe.make_neuron("subtract", "area", 12)
    _, _, run = run_of(lif, steps=60, instances=20_000)
    sizes = (steps.reach(steps.jacobian(run, lif)) ** 2).mean(axis=1)
    measured = 0.5 * np.log(sizes[30] / sizes[45]) / 15
    assert probe.exact_rate(lif) == pytest.approx(measured, abs=0.02)


def test_compare_lengths_of_a_case_done_by_hand():
    found = probe.compare_lengths(np.array([2.0, 6.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert found["median"] == 2.0
    none = probe.compare_lengths(np.array([2.0, 0.0, 3.0]), np.array([1.0, 0.0, 0.0]))
    assert none["median"] == np.inf and none["pooled"] == pytest.approx(np.sqrt(13))
    assert found["pooled"] == pytest.approx(np.sqrt(49 / 14))


def test_each_draw_of_neurons_is_measured_for_itself():
    both = probe.probe(slopes=(10,), lengths=(5, 9), instances=30, draws=(1, 2))
    alone = probe.probe(slopes=(10,), lengths=(9,), instances=30, draws=(2,))
    name = "subtract/area/slope=10/T=9"
    assert both["lengths"][name]["pooled"][1] == alone["lengths"][name]["pooled"][0]
    assert both["lengths"][name]["pooled"][0] != both["lengths"][name]["pooled"][1]
    assert len(both["lengths"]) == 8 and len(both["steps"]) == 4
    x, g = probe.draw(9, 30, 2)
    lengths = [
        np.linalg.norm(numpy_lif.backward(g, numpy_lif.forward(x, lif), lif), axis=0)
        for lif in (probe.make_neuron("subtract", "area", 10, rho) for rho in (1.0, 0.0))
    ]
    ratio = np.sqrt((lengths[0] ** 2).sum() / (lengths[1] ** 2).sum())
    assert alone["lengths"][name]["pooled"][0] == pytest.approx(ratio)


def test_committed_draws_are_complete():
    lengths, step, bound = probe.load()
    pairs = len(probe.RESETS) * len(probe.UNITS) * len(probe.SLOPES)
    assert len(step) == pairs and len(lengths) == pairs * len(probe.LENGTHS)
    assert all(set(by_rho) == {1.0, 0.0} for by_rho in step.values())
    assert all(len(cell["pooled"]) == len(probe.DRAWS) for cell in lengths.values())
    assert 2.5 < bound["zero"] < bound["subtract"] < 5


def test_a_shorter_draw_is_the_beginning_of_a_longer_one():
    for long, short in zip(probe.draw(9, 3), probe.draw(4, 3), strict=True):
        np.testing.assert_array_equal(long[:4], short)


def test_square_bound_is_where_the_mean_square_is_one():
    peak = probe.square_bound("subtract", instances=200, steps=50)
    x, _ = probe.draw(50, 200)
    lif = probe.make_neuron("subtract", "area", 4 * peak)
    run = numpy_lif.forward(x, lif)
    assert (steps.jacobian(run, lif) ** 2).mean() == pytest.approx(1.0, rel=1e-6)
