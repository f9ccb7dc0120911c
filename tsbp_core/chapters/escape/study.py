"""The study of chapter 9: how near surrogate gradients come to the exact one with escape noise."""

import itertools
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
from scipy import stats

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.escape.gradients import LOSSES, Task, estimate, exact
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import bootstrap_interval

RESETS = ("zero", "subtract")
LENGTHS = (2, 4, 6, 8, 10, 12)
WIDTHS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Of the noise and of the surrogate, in all pairs."""
LENGTH, WIDTH = 8, 0.2
"""T of these pairs, and both widths while T is varied."""
INSTANCES = 200
LONG, LONG_INSTANCES, SAMPLES = (25, 50, 100), 40, 20_000
QUANTILES = (5, 25, 50, 75, 95)
FACTORS = np.geomspace(0.05, 5.0, 201)
"""Common ones, of which the best takes away what is length."""


class Condition(NamedTuple):
    """Of the enumerated gradients: T, and the widths of the noise and of the surrogate."""

    reset: str
    loss: str
    T: int = LENGTH
    noise: float = WIDTH
    surrogate: float = WIDTH


class Long(NamedTuple):
    """Of the sampled gradients."""

    reset: str
    loss: str
    T: int


def compare(truth, mean):
    """Cosine, relative error and length ratio of ``mean`` to ``truth`` [T, I], each [I]."""
    a, b = np.linalg.norm(truth, axis=0), np.linalg.norm(mean, axis=0)
    return {
        "cosine": (truth * mean).sum(axis=0) / (a * b),
        "error": np.linalg.norm(mean - truth, axis=0) / a,
        "length": b / a,
    }


def rescaled(truth, estimate):
    """Least median error of ``estimate`` [T, I] over ``FACTORS``, as a learning rate is one.

    Returns
    -------
    tuple of float
        The error, and the factor.
    """
    errors = [np.median(compare(truth, factor * estimate)["error"]) for factor in FACTORS]
    best = int(np.argmin(errors))
    return float(errors[best]), float(FACTORS[best])


def lengths_apart(reset, loss, noise=WIDTH, surrogate=WIDTH, instances=INSTANCES):
    """What of a case at T = 8 is length: computed anew, as the results file has no instances.

    Returns
    -------
    dict
        ``error`` [2] and ``rescaled`` [2]: median errors as they are and after one common factor,
        at rho = 0 and 1. ``nearer``: share of instances at which rho = 1 has the larger cosine.
    """
    x, value = Task(LENGTH, loss).draw(instances)
    slope = neuron(reset, surrogate).surrogate
    truth, means = exact(x, value, neuron(reset, noise), slope)
    compared = [compare(truth, means[rho]) for rho in (0.0, 1.0)]
    return {
        "error": [float(np.median(comparison["error"])) for comparison in compared],
        "rescaled": [rescaled(truth, means[rho])[0] for rho in (0.0, 1.0)],
        "nearer": float((compared[1]["cosine"] > compared[0]["cosine"]).mean()),
    }


def compare_halves(truth, mean):
    """Products of two estimates in halves, [2, T, I], summed over time: what ``pooled`` takes.

    Each factor comes from another half, so that noise adds no bias: ``truth`` is the squared
    length of the truth [I], ``mean`` that of the mean surrogate gradient, ``both`` their inner
    product and ``apart`` the squared distance.
    """

    def product(a, b):
        return 0.5 * (a[0] * b[1] + a[1] * b[0]).sum(axis=0)

    return {
        "truth": product(truth, truth),
        "mean": product(mean, mean),
        "both": product(truth, mean),
        "apart": product(mean - truth, mean - truth),
    }


def pooled(truth, mean, both, apart, axis=-1):
    """Cosine, relative error and length ratio over all instances at once.

    Takes the values of ``compare_halves``, arrays [I].
    """
    truth, mean, both, apart = (values.sum(axis) for values in (truth, mean, both, apart))
    return {
        "cosine": both / np.sqrt(truth * mean),
        "error": np.sqrt(np.maximum(apart, 0.0) / truth),
        "length": np.sqrt(mean / truth),
    }


def summary(truth, means):
    """Over instances: quantiles of ``compare`` by rho, and how often rho = 1 is nearer than 0."""
    outcomes = {rho: compare(truth, mean) for rho, mean in means.items()}
    nearer = outcomes[1.0]["error"] < outcomes[0.0]["error"]
    interval = stats.binomtest(int(nearer.sum()), len(nearer)).proportion_ci()
    return {
        "by_rho": {
            f"{rho:g}": {
                key: np.percentile(values, QUANTILES).round(4).tolist()
                for key, values in outcome.items()
            }
            for rho, outcome in outcomes.items()
        },
        "nearer": [nearer.mean(), interval.low, interval.high],
    }


def describe(cell):
    """A cell of ``load`` in a line: median errors, cosines, lengths at rho = 0, 1; share nearer."""
    columns = [
        " ".join(f"{cell['by_rho'][rho][key][2]:.2f}" for rho in (0.0, 1.0))
        for key in ("error", "cosine", "length")
    ]
    return "  ".join([*columns, "{:.0%} [{:.0%}, {:.0%}]".format(*cell["nearer"])])


def sampled(truth, means, resamples=2000):
    """Pooled outcomes by rho, each with its 95 % bootstrap interval over instances."""

    def interval(key, products):
        return bootstrap_interval(
            *products,
            resamples=resamples,
            statistic=lambda *drawn, axis: pooled(*drawn, axis=axis)[key],
        )

    by_rho = {}
    for rho, mean in means.items():
        products = compare_halves(truth, mean).values()
        by_rho[f"{rho:g}"] = {
            key: [value, *interval(key, products)] for key, value in pooled(*products).items()
        }
    return by_rho


def neuron(reset, width):
    """The neuron of the study; ``width`` is that of the escape noise and of the surrogate."""
    return LIF(0.8, 1.0, reset, surrogates.Sigmoid(width, unit="area"))


def study(instances=INSTANCES, lengths=LENGTHS, widths=WIDTHS, long=LONG, samples=SAMPLES):
    """All conditions, by name: enumerated (lengths, pairs of widths) and sampled (long)."""
    made = {"exact": {}, "sampled": {}}
    varied = [(steps, WIDTH, WIDTH) for steps in lengths]
    varied += [(LENGTH, *pair) for pair in itertools.product(widths, widths)]
    for reset, loss in itertools.product(RESETS, LOSSES):
        for steps, noise, width in dict.fromkeys(varied):
            x, value = Task(steps, loss).draw(instances)
            surrogate = surrogates.Sigmoid(width, unit="area")
            gradients = exact(x, value, neuron(reset, noise), surrogate)
            name = conditions.name(Condition(reset, loss, steps, noise, width))
            made["exact"][name] = summary(*gradients)
        for steps in long:
            x, value = Task(steps, loss).draw(min(instances, LONG_INSTANCES))
            estimates = estimate(x, value, neuron(reset, WIDTH), samples)
            made["sampled"][conditions.name(Long(reset, loss, steps))] = sampled(*estimates)
    return made


def by_number(by_rho):
    """Outcomes by rho as a number, as files have it as text."""
    return {float(rho): outcome for rho, outcome in by_rho.items()}


def load():
    """The committed results: enumerated by ``Condition``, sampled by ``Long``; rho as a number."""
    made = results.load("escape")["results"]
    exact = conditions.by_condition(Condition, made["exact"])
    sampled = conditions.by_condition(Long, made["sampled"])
    return (
        {key: {**cell, "by_rho": by_number(cell["by_rho"])} for key, cell in exact.items()},
        {key: by_number(by_rho) for key, by_rho in sampled.items()},
    )


def main():
    results.make(
        "escape",
        study,
        command="make escape",
        settings={
            "task": asdict(Task(LENGTH, "trace")),
            "neuron": repr(neuron("zero", WIDTH)),
            "instances": INSTANCES,
            "lengths": LENGTHS,
            "widths": WIDTHS,
            "long": LONG,
            "long_instances": LONG_INSTANCES,
            "samples": SAMPLES,
            "quantiles": QUANTILES,
        },
    )


if __name__ == "__main__":
    main()
