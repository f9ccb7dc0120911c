"""Intervals of paired differences."""

import numpy as np
from scipy import stats


def bootstrap_interval(values, resamples=10_000, seed=0, statistic=np.mean):
    """95 % percentile interval of the mean of ``values`` [S, ...] over seeds, the first axis.

    ``statistic`` takes the mean's place: it is called with an axis, like ``np.median``.
    """
    values = np.asarray(values, float)
    picks = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    return np.percentile(statistic(values[picks], axis=1), [2.5, 97.5], axis=0)


def equivalence(values, margin):
    """P-value of two one-sided t tests that the mean of ``values`` [S] is within +-``margin``.

    Below 0.05, which is when the 90 % interval lies inside the margin, the mean counts as
    equivalent to 0 (Schuirmann, 1987).
    """
    values = np.asarray(values, float)
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    return max(above, below)


def interval_text(mean, low, high, digits=2):
    """A mean and its interval with signs, as in "+0.31 [+0.25, +0.38]"; zero has a plus."""
    mean, low, high = (f"{round(v, digits) + 0.0:+.{digits}f}" for v in (mean, low, high))
    return f"{mean} [{low}, {high}]"


def t_interval(values, level=0.95):
    """Interval of the mean of ``values`` [S] by Student's t, for few seeds (S >= 2)."""
    values = np.asarray(values, float)
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return values.mean() - half, values.mean() + half
