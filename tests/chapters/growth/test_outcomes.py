import numpy as np
import pytest

from tsbp_core.chapters.growth import outcomes, probe
from tsbp_core.chapters.growth.outcomes import Shape, Trained
from tsbp_core.lab.statistics import t_interval


def test_gain_is_a_paired_difference_in_points():
    trained = {
        Trained(unit, 4, reset, 1, T, rho): {"accuracy": [0.5, 0.4]}
        for unit in probe.UNITS
        for reset in probe.RESETS
        for T in outcomes.STEPS
        for rho in probe.RHOS
    }
    better = Trained("peak", 4, "zero", 1, 50, 1.0)
    trained[better] = {"accuracy": [0.6, 0.8]}
    assert outcomes.gain(trained, better) == pytest.approx([10, 40])
    assert outcomes.gain(trained, better._replace(rho=0.0)) == pytest.approx([10, 40])
    shape = Shape("peak", 4)
    assert outcomes.gains(trained, reset="zero", T=50)[shape][0] == pytest.approx(25)
    assert outcomes.gains(trained, T=50)[shape][0] == pytest.approx(12.5)
    assert outcomes.gains(trained)[shape][0] == pytest.approx(6.25)
    assert outcomes.gains(trained, reset="subtract")[shape][0] == 0
    assert outcomes.gains(trained)[Shape("area", 4)][0] == 0


def test_what_a_gain_is_more_is_paired_and_corrected():
    trained = {
        Trained("area", slope, "zero", 1, T, rho): {"accuracy": [0.5, 0.6, 0.4]}
        for slope in (25, 100)
        for T in outcomes.STEPS
        for rho in probe.RHOS
    }
    trained[Trained("area", 25, "zero", 1, 100, 1.0)] = {"accuracy": [0.6, 0.8, 0.5]}
    shapes = Shape("area", 25), Shape("area", 100)
    by_shape = outcomes.more(trained, shapes, {"T": 100}, {"T": 50})
    mean, low, high = by_shape[0]
    assert mean == pytest.approx(100 * 0.4 / 3)
    assert (low, high) == pytest.approx(t_interval(np.array([10, 20, 10]), 0.975))
    assert by_shape[1] == pytest.approx((0, 0, 0))


def test_height_is_that_of_h_at_the_threshold():
    assert Shape("peak", 4).height == 1.0
    assert Shape("area", 100).height == pytest.approx(25)


def test_committed_results_are_read_by_field():
    trained, rated = outcomes.load()
    assert {(key.unit, key.slope) for key in trained} == set(outcomes.TRAINED)
    assert {key.rate for key in rated} == set(outcomes.OTHER_RATES)
