import numpy as np
import pytest
from scipy import stats

from tsbp_core.lab import statistics


def test_interval_text():
    assert statistics.interval_text(0.314, -0.2, 1) == "+0.31 [-0.20, +1.00]"


def test_intervals():
    values = np.random.default_rng(0).normal(1.0, 2.0, 400)
    low, high = statistics.bootstrap_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2.0 / 20, rel=0.15)
    low, high = statistics.t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)


def test_equivalence_agrees_with_the_90_percent_interval(rng):
    for spread in (0.3, 0.5, 0.8):
        values = rng.normal(0.1, spread, 8)
        low, high = statistics.t_interval(values, 0.9)
        inside = low > -0.5 and high < 0.5
        assert (statistics.equivalence(values, 0.5) < 0.05) == inside
    assert statistics.equivalence([0.5, 0.4, 0.6], 0.5) == pytest.approx(0.5)
    one_sided = stats.ttest_1samp([1.0, 2.0, 4.0], 0.5, alternative="less").pvalue
    assert statistics.equivalence([1.0, 2.0, 4.0], 0.5) == one_sided


def test_equivalence_at_its_edge():
    """Where the 90 % interval touches the margin, on either side, the p-value is 0.05."""
    values = np.array([0.1, 0.4, 0.2, 0.7])
    _, high = statistics.t_interval(values, 0.9)
    for mirrored in (values, -values):
        assert statistics.equivalence(mirrored, high) == pytest.approx(0.05)
        assert statistics.equivalence(mirrored, 1.001 * high) < 0.05
        assert statistics.equivalence(mirrored, 0.999 * high) > 0.05


def test_bootstrap_of_the_median():
    low, high = statistics.bootstrap_interval(np.r_[np.zeros(60), 100.0], statistic=np.median)
    assert low == high == 0.0
    assert statistics.bootstrap_interval(np.r_[np.zeros(60), 100.0])[1] > 0


def test_a_number_of_numpy_is_rounded_as_one_of_python():
    """NumPy multiplies before it rounds, and sees a tie where there is none."""
    assert np.round(0.005, 2) == 0.0
    assert statistics.signed(np.float64(0.005)) == statistics.signed(0.005) == "+0.01"
    assert statistics.signed(np.float64(-0.001)) == "+0.00"
