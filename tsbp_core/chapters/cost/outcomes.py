"""What the benchmark found: medians, the memory floor, the price of the term."""

import numpy as np

from tsbp_core.chapters.cost.plan import SIZES, UNFUSED
from tsbp_core.lab.statistics import bootstrap_interval


def pick(records, **settings):
    """The one record with these settings."""
    (record,) = (r for r in records if all(r[k] == v for k, v in settings.items()))
    return record


def medians(record):
    """Median ns an element, forward and backward together, by layer."""
    layers = record["value"]["layers"]
    return {name: float(np.median(np.sum(pairs, axis=1))) for name, pairs in layers.items()}


def floor(record):
    """ns an element of three copies, 24 bytes: what code that keeps u has to move."""
    return 3.0 * float(np.median(record["value"]["copy"]))


def ratio(samples, others):
    """Median of the paired ratios of two series of times, and its 95 % bootstrap interval."""
    ratios = np.asarray(samples, float) / np.asarray(others, float)
    low, high = bootstrap_interval(ratios, statistic=np.median)
    return float(np.median(ratios)), float(low), float(high)


def price(with_term, without):
    """What the term adds, in percent: ``ratio`` less 1."""
    return tuple(100 * (r - 1) for r in ratio(with_term, without))


def prices(bench):
    """What the term adds to each layer and to a training step, from ``bench``'s results.

    Returns
    -------
    dict
        By what is timed, the median of the paired differences in percent, and its 95 % interval.
    """
    pairs = {}
    for size, (steps, _) in SIZES.items():
        record = pick(bench["times"], steps=steps, threads=1, allocator="kept")
        pairs[f"fused, {size}"] = pick(bench["term"], steps=steps)["value"].values()
        for name in UNFUSED:
            layers = record["value"]["layers"]
            pairs[f"{name}, {size}"] = [
                np.sum(layers[key], axis=1) for key in (name, name + ", rho = 0")
            ]
    training = pick(bench["training"], threads=2)["value"] | bench["training_term"][0]["value"]
    for name in ("fused", *UNFUSED):
        pairs[f"{name}, training step"] = training[name], training[name + ", rho = 0"]
    return {what: price(*pair) for what, pair in pairs.items()}


def percent(price):
    """A price in percent, (median, low, high), as text."""
    return "{:+.1f} % [{:+.1f}, {:+.1f}]".format(*(round(v, 1) + 0.0 for v in price))
