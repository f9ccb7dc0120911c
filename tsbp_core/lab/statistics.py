"""Intervals of paired differences, and of shares."""

import numpy as np
from scipy.special import betaincinv, stdtr, stdtrit


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
    """
    samples = [np.asarray(values, float) for values in samples]
    count = len(samples[0])
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
    of_resamples = statistic(*(values[drawn] for values in samples), axis=1)
    return np.percentile(of_resamples, (2.5, 97.5), axis=0)


def equivalence(values, margin):
    """P-value of two one-sided t tests that the mean of ``values`` [S] is within +-``margin``.

    Below 0.05, which is when the 90 % interval lies inside the margin, the mean counts as
    equivalent to 0 (Schuirmann, 1987).
    """
    values = np.asarray(values, float)
    distance = (margin - abs(values.mean())) / standard_error(values)
    return float(stdtr(len(values) - 1, -distance))


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
    return tuple(float(stdtr(f * (count - 1), -distance)) for f in (conditions, 1))


def interval_text(mean, low, high, digits=2):
    """A mean and its interval with signs, as in "+0.31 [+0.25, +0.38]"; zero has a plus."""
    mean, low, high = (f"{round(v, digits) + 0.0:+.{digits}f}" for v in (mean, low, high))
    return f"{mean} [{low}, {high}]"


def t_interval(values, level=0.95):
    """Interval of the mean of ``values`` [S] by Student's t, for few seeds (S >= 2)."""
    values = np.asarray(values, float)
    half = stdtrit(len(values) - 1, 0.5 + level / 2) * standard_error(values)
    return values.mean() - half, values.mean() + half


def standard_error(values):
    """Standard error of the mean of ``values`` [S], S >= 2."""
    return np.std(values, ddof=1) / np.sqrt(len(values))


def share_interval(count, total, level=0.95):
    """Interval of a share of which ``count`` in ``total`` were seen (Clopper and Pearson, 1934)."""
    rest = (1.0 - level) / 2
    low = betaincinv(count, total - count + 1, rest) if count else 0.0
    high = betaincinv(count + 1, total - count, 1.0 - rest) if count < total else 1.0
    return float(low), float(high)
