import numpy as np
import pytest

from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import outcomes
from tsbp_core.chapters.toy.plan import Changed
from tsbp_core.lab import conditions


def unit_result(final):
    final = np.array(final, float)
    return {
        "initial": np.ones(len(final)).tolist(),
        "silent": np.full(len(final), 0.4).tolist(),
        "final": final.tolist(),
        "van_rossum": (2 * final).tolist(),
        "count_error": np.arange(final.size).reshape(final.shape).tolist(),
    }


def test_outcomes_of_each_seed():
    final = np.ones((2, len(toy.LEARNING_RATES)))
    final[0, 10:18] = 0.1
    final[1, 12] = 0.05
    found = outcomes.per_seed(unit_result(final))
    np.testing.assert_allclose(found["width"], [1.0, 0.125])
    np.testing.assert_allclose(found["strict"], [0.0, 0.125])
    np.testing.assert_allclose(found["best"], [0.1, 0.05])
    np.testing.assert_allclose(found["van_rossum"], [0.2, 0.1])
    np.testing.assert_allclose(found["count_error"], [10, 41 + 12])
    np.testing.assert_allclose(found["area"], [(41 - 8 * 0.9) / 8, (41 - 0.95) / 8])
    np.testing.assert_allclose(found["too_large"], 1.0)


def test_silence_can_pass_and_diverged_runs_cannot():
    found = {"initial": [1.0, 1.0], "silent": [0.1, 0.3], "final": [[0.1, None], [0.1, 0.3]]}
    assert outcomes.silence_passes(found).tolist() == [True, False]
    assert outcomes.ratio(found).tolist() == [[0.1, np.inf], [0.1, 0.3]]
    np.testing.assert_allclose(outcomes.per_seed(found)["strict"], [0.0, 0.0])
    np.testing.assert_allclose(outcomes.per_seed(found)["width"], [1 / 8, 1 / 8])


def test_gains_of_the_map_are_simultaneous():
    rng = np.random.default_rng(0)

    def widths(count):
        final = np.ones((20, len(toy.LEARNING_RATES)))
        for row, n in zip(final, rng.integers(count, count + 5, 20), strict=True):
            row[:n] = 0.0
        return unit_result(final)

    found = {
        Changed(f"a={level}", "adam", rho): widths(count)
        for level, counts in (("x", (12, 4)), ("y", (4, 4)))
        for rho, count in zip((1.0, 0.0), counts, strict=True)
    }
    gains = outcomes.gains_of_map(found)
    mean, low, high = gains["a", "x", "adam"]
    assert 0 < low < mean < high
    assert gains["a", "y", "adam"][1] < 0 < gains["a", "y", "adam"][2]
    pair = conditions.pair(found, Changed("a=x", "adam", 1.0))
    single = outcomes.gain(*pair)
    assert single[0] == pytest.approx(mean)
    assert high - low > single[2] - single[1]
    assert outcomes.verdicts_of_map(found) == {
        ("a", "x", "adam"): "helps",
        ("a", "y", "adam"): "open",
    }
    panels = outcomes.panels_of_map(found)
    assert panels["a", "x", "Adam,\nannounced"] == gains["a", "x", "adam"]
    strict = outcomes.gains_of_map(found, "strict")["a", "x", "adam"]
    assert panels["a", "x", "Adam,\nstrict"] == strict
