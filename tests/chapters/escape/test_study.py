import itertools
from dataclasses import replace

import numpy as np
import pytest

from tsbp_core import numpy_lif
from tsbp_core.chapters.escape import gradients
from tsbp_core.chapters.escape import study as escape

RESETS = ("zero", "subtract")


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_probabilities_of_all_trains_sum_to_one(steps):
    x, _ = gradients.Task(steps, "count").draw(5)
    lif = escape.neuron("zero", 0.2)
    trains = np.broadcast_to(gradients.all_trains(steps), (steps, 2**steps, 5))
    assert len(np.unique(trains[:, :, 0], axis=1).T) == 2**steps
    probability = np.exp(gradients.log_probability(gradients.given(trains, x, lif), lif))
    assert probability.sum(axis=0) == pytest.approx(np.ones(5), rel=1e-12)


@pytest.mark.parametrize("loss", gradients.LOSSES)
def test_a_loss_comes_with_its_slope(loss, rng):
    """Central differences of its value, at every step; spikes need not be 0 or 1."""
    _, value = gradients.Task(5, loss).draw(4)
    spikes = rng.random((5, 3, 4))
    _, slope = value(spikes)
    for t in range(5):
        shift = np.zeros_like(spikes)
        shift[t] = 1e-4
        found = (value(spikes + shift)[0] - value(spikes - shift)[0]) / 2e-4
        assert found == pytest.approx(slope[t], rel=1e-8, abs=1e-10)


def test_count_loss_of_a_case_done_by_hand():
    """Half the squared distance from the target's number of spikes, over T = 4."""
    _, value = gradients.Task(4, "count", rate=1.0).draw(1)  # the target fires at each step
    loss, slope = value(np.array([1.0, 0.0, 0.0, 0.0])[:, None, None])
    assert loss.item() == 0.5 * 3**2 / 4
    assert slope.ravel().tolist() == [-3 / 4] * 4


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("loss", gradients.LOSSES)
def test_exact_gradient_is_that_of_the_expected_loss(reset, loss):
    """Central differences of J, at every step and instance."""
    steps, lif = 6, escape.neuron(reset, 0.2)
    x, value = gradients.Task(steps, loss).draw(8)
    trains = np.broadcast_to(gradients.all_trains(steps), (steps, 2**steps, 8))

    def expected(x):
        run = gradients.given(trains, x, lif)
        return (np.exp(gradients.log_probability(run, lif)) * value(trains)[0]).sum(axis=0)

    truth, _ = gradients.exact(x, value, lif)
    for t in range(steps):
        shift = np.zeros_like(x)
        shift[t] = 1e-5
        slope = (expected(x + shift) - expected(x - shift)) / 2e-5
        assert slope == pytest.approx(truth[t], rel=1e-6, abs=1e-9)


def test_where_the_surrogate_gradient_is_exact():
    """Linear loss, and no reset, or one step alone; with a reset and two steps it is not."""
    for steps, reset in ((5, "none"), (1, "zero"), (1, "subtract")):
        x, value = gradients.Task(steps, "linear").draw(8)
        truth, means = gradients.exact(x, value, escape.neuron(reset, 0.2))
        for found in means.values():
            assert found == pytest.approx(truth, rel=1e-9, abs=1e-12)
    x, value = gradients.Task(2, "linear").draw(8)
    truth, means = gradients.exact(x, value, escape.neuron("zero", 0.2))
    for found in means.values():
        assert escape.compare(truth, found)["error"].max() > 1e-3


def test_a_quadratic_loss_is_biased_even_at_one_step():
    """The surrogate takes p - 1/2 times h too much: the spike meets its own square."""
    x, value = gradients.Task(1, "count").draw(8)
    lif = escape.neuron("zero", 0.2)
    truth, means = gradients.exact(x, value, lif)
    p, h = (f(x - lif.threshold) for f in (lif.surrogate.primitive, lif.surrogate.derivative))
    assert means[1.0] - truth == pytest.approx((p - 0.5) * h, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", gradients.LOSSES)
def test_estimates_agree_with_the_sums_over_all_trains(loss):
    lif = escape.neuron("zero", 0.2)
    x, value = gradients.Task(4, loss).draw(10)
    truth, means = gradients.exact(x, value, lif)
    guess, guesses = gradients.estimate(x, value, lif, trains=40_000)
    for whole, halves in ((truth, guess), *((means[rho], guesses[rho]) for rho in gradients.RHOS)):
        noise = np.abs(halves[0] - halves[1]).mean()
        assert np.abs(halves.mean(axis=0) - whole).mean() < 2 * noise
        assert np.abs(halves.mean(axis=0) - whole).max() < 0.05 * np.abs(whole).max()
    products = escape.compare_halves(guess, guesses[0.0])
    error = np.sqrt(((means[0.0] - truth) ** 2).sum() / (truth**2).sum())
    assert escape.pooled(*products.values())["error"] == pytest.approx(error, rel=0.05)


def test_compare_and_pooled_of_cases_done_by_hand():
    truth, found = np.array([[3.0], [4.0]]), np.array([[6.0], [8.0]])
    assert escape.compare(truth, found) == {"cosine": [1.0], "error": [1.0], "length": [2.0]}
    products = escape.compare_halves(np.stack([truth] * 2), np.stack([found] * 2))
    expected = {"cosine": 1.0, "error": 1.0, "length": 2.0}
    assert escape.pooled(*products.values()) == pytest.approx(expected)


def test_intervals_of_two_instances_reach_from_one_to_the_other(rng):
    """One bootstrap sample in four is the first instance twice, one the second twice."""
    truth, found = rng.normal(size=(2, 2, 6, 2)) + 2.0
    cell = escape.sampled(truth, {0.5: found}, resamples=500)["0.5"]
    both = escape.pooled(*escape.compare_halves(truth, found).values())
    alone = [
        escape.pooled(*escape.compare_halves(truth[..., [i]], found[..., [i]]).values())
        for i in (0, 1)
    ]
    for key, value in both.items():
        ends = sorted(one[key] for one in alone)
        assert cell[key] == pytest.approx([value, *ends], rel=1e-12)


def test_without_a_reset_rho_changes_nothing():
    x, value = gradients.Task(6, "trace").draw(5)
    _, means = gradients.exact(x, value, escape.neuron("none", 0.2))
    assert np.array_equal(means[0.0], means[1.0])


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="'spikes'"):
        gradients.Task(4, "spikes").draw(2)


def test_study_is_the_same_each_time():
    small = {"instances": 10, "lengths": (2,), "widths": (0.4,), "long": (6,), "samples": 1000}
    found = escape.study(**small)
    assert found == escape.study(**small)
    assert set(found["sampled"]) == {
        f"{reset}/{loss}/T=6" for reset in RESETS for loss in gradients.LOSSES
    }
    assert len(found["exact"]) == 2 * 3 * 2


def test_committed_results_have_all_conditions():
    exact, sampled = escape.load()
    kinds = list(itertools.product(RESETS, gradients.LOSSES))
    assert {(key.reset, key.loss, key.T) for key in sampled} == {
        (*kind, T) for kind in kinds for T in escape.LONG
    }
    for reset, loss in kinds:
        for T in escape.LENGTHS:
            assert list(exact[escape.Condition(reset, loss, T)]["by_rho"]) == list(gradients.RHOS)
        for noise, surrogate in itertools.product(escape.WIDTHS, escape.WIDTHS):
            cell = exact[escape.Condition(reset, loss, noise=noise, surrogate=surrogate)]
            assert len(cell["nearer"]) == 3


def test_the_surrogate_may_have_another_width_than_the_noise():
    """The truth stays, and so does the spikes' probability; the backward pass is the other's."""
    x, value = gradients.Task(4, "trace").draw(5)
    noisy, wide = escape.neuron("zero", 0.05), escape.neuron("zero", 0.4)
    truth, means = gradients.exact(x, value, noisy, wide.surrogate)
    assert np.array_equal(truth, gradients.exact(x, value, noisy)[0])
    run = gradients.given(np.broadcast_to(gradients.all_trains(4), (4, 16, 5)), x, noisy)
    delta = numpy_lif.backward(value(run.spikes)[1], run, replace(wide, reset_gradient=0.5))
    weights = np.exp(gradients.log_probability(run, noisy))
    assert means[0.5] == pytest.approx((weights * delta).sum(axis=1), rel=1e-12)


def test_share_of_nearer_has_an_exact_interval():
    """All of 10 nearer: the probability of that is 2.5 % at the interval's lower end."""
    truth = np.ones((2, 10))
    found = escape.summary(truth, {0.0: 2 * truth, 1.0: truth})
    share, low, high = found["nearer"]
    assert (share, high) == (1, 1)
    assert low**10 == pytest.approx(0.025)


def test_a_summary_in_words():
    truth = np.array([[3.0], [4.0]])
    means = {rho: (2 - rho) * truth for rho in gradients.RHOS}
    cell = escape.summary(truth, means)
    text = escape.describe({**cell, "by_rho": escape.by_number(cell["by_rho"])})
    assert text == "1.00 0.00  1.00 1.00  2.00 1.00  100% [3%, 100%]"


def test_chunks_of_trains_are_independent_of_the_gradient_asked_for(rng):
    x, value = gradients.Task(3, "count").draw(2)
    lif = escape.neuron("subtract", 0.2)
    one = gradients.estimate(x, value, lif, 2000)
    other = gradients.estimate(x, value, replace(lif, reset_gradient=0.3), 2000)
    assert np.array_equal(one[0], other[0])


@pytest.mark.parametrize("trains", [0, 500, 1100, 2500])
def test_halves_of_unequal_size_are_refused(trains):
    x, value = gradients.Task(3, "count").draw(2)
    with pytest.raises(ValueError, match=f"trains must be a multiple of 1000, got {trains}"):
        gradients.estimate(x, value, escape.neuron("zero", 0.2), trains)


def test_a_common_factor_takes_away_what_is_length():
    truth = np.array([[3.0, 1.0, 1.0], [4.0, 0.0, 2.0]])
    error, factor = escape.rescaled(truth, 2.0 * truth)
    assert error == pytest.approx(0.0, abs=0.02) and factor == pytest.approx(0.5, rel=0.02)
    turned = np.array([[-4.0, 0.0, -2.0], [3.0, 1.0, 1.0]])
    assert escape.rescaled(truth, turned)[0] == pytest.approx(1.0, abs=0.01)


def test_what_of_a_case_is_length():
    found = escape.lengths_apart("zero", "trace", instances=200)
    assert found["error"][0] > found["rescaled"][0] + 0.2
    assert found["error"] == pytest.approx(
        [
            escape.load()[0][escape.Condition("zero", "trace")]["by_rho"][rho]["error"][2]
            for rho in (0.0, 1.0)
        ],
        abs=1e-3,
    )
    assert 0.7 < found["nearer"] < 0.85


def test_noise_and_surrogate_may_have_other_widths():
    found = escape.lengths_apart("subtract", "count", noise=0.05, surrogate=0.2)
    kept = escape.load()[0][escape.Condition("subtract", "count", noise=0.05, surrogate=0.2)]
    errors = [kept["by_rho"][rho]["error"][2] for rho in (0.0, 1.0)]
    assert found["error"] == pytest.approx(errors, abs=1e-3)
    assert found["error"][0] - found["error"][1] > 0.5 > 20 * abs(np.diff(found["rescaled"])[0])
