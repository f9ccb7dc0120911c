"""Intervals of paired differences."""

import numpy as np
from scipy import stats


def bootstrap_interval(*samples, resamples=10_000, seed=0, statistic=np.mean):
    """95 % percentile interval, low and high, of a statistic of ``samples`` over seeds.

    Parameters
    ----------
    *samples : array_like [S, ...]
        Seeds, at least two, along the first axis. Several are drawn as pairs.
    resamples, seed : int
        Of the bootstrap.
    statistic : callable
        Takes the samples and an axis, like ``np.mean`` and ``np.median``.

    Returns
    -------
    low, high : float or ndarray [...]

    Raises
    ------
    ValueError
        If there are fewer than two seeds, or pairs are incomplete.
    """
    interval = stats.bootstrap(
        [np.asarray(values, float) for values in samples],
        statistic,
        n_resamples=resamples,
        paired=len(samples) > 1,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return interval.low, interval.high


def equivalence(values, margin):
    """P-value of two one-sided t tests that the mean of ``values`` [S] is within +-``margin``.

    Below 0.05, which is when the 90 % interval lies inside the margin, the mean counts as
    equivalent to 0 (Schuirmann, 1987).
    """
    values = np.asarray(values, float)
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    return max(above, below)


def equivalence_pooled(values, margin):
    """As ``equivalence`` for the mean of all ``values`` [S, L], seeds at several conditions.

    The standard error comes from the scatter of seeds within each condition, as if the conditions
    of a seed were independent, so that errors which cancel within a seed do not make it small.

    Returns
    -------
    tuple of float
        P with the L (S - 1) degrees of freedom of that scatter, and with S - 1, in case the
        conditions of a seed are not independent.
    """
    values = np.asarray(values, float)
    count, conditions = values.shape
    error = np.sqrt(values.var(axis=0, ddof=1).mean() / values.size)
    distance = (margin - abs(values.mean())) / error
    return tuple(float(stats.t.sf(distance, f * (count - 1))) for f in (conditions, 1))


def signed(value, digits=2):
    """A number with its sign, as in "+0.31"; zero has a plus."""
    return f"{round(float(value), digits) + 0.0:+.{digits}f}"


def interval_text(mean, low, high, digits=2):
    """A mean and its interval with signs, as in "+0.31 [+0.25, +0.38]"."""
    return f"{signed(mean, digits)} [{signed(low, digits)}, {signed(high, digits)}]"


def t_interval(values, level=0.95):
    """Interval of the mean of ``values`` [S] by Student's t, for few seeds (S >= 2)."""
    values = np.asarray(values, float)
    low, high = stats.t.interval(level, len(values) - 1)
    return values.mean() + stats.sem(values) * low, values.mean() + stats.sem(values) * high
