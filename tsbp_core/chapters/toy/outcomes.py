"""What the toy neuron's studies found: outcomes of each seed, and what the term gains.

A result is what ``unit.run_unit`` returns for all seeds of a condition: [S] seeds, [L] rates.
"""

import numpy as np

from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy.plan import STUDIES
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import bootstrap_interval, t_interval

SPIKES = "van_rossum", "count_error"
"""Outcomes that only the main study keeps for every run."""


def load(study):
    """The committed results of one of ``plan.STUDIES``, by condition."""
    made = STUDIES[study]
    return conditions.by_condition(made.kind, results.load(made.file)["results"])


def ratio(result):
    """Final over initial loss of a unit's result, [S, L]; infinite where a run diverged."""
    final = np.nan_to_num(np.array(result["final"], float), nan=np.inf)
    return final / np.array(result["initial"])[:, None]


def silence_passes(result):
    """Whether a neuron that never fires would count as one that has learnt, [S]."""
    return np.array(result["silent"]) < toy.SOLVED * np.array(result["initial"])


def per_seed(result):
    """Outcomes of each seed of a unit's result, arrays [S].

    ``width``: decades at which it learns. ``strict``: those at which its final loss is also below
    20 % of a silent neuron's. ``best``: least final over initial loss. ``area``: final
    over initial loss, integrated over log10 of the learning rate. ``van_rossum``, ``count_error``:
    at that seed's best rate, where kept. ``too_large``, ``too_small``: final over initial loss
    at ten times, and a tenth of, the rate that is best for the mean over seeds.
    """
    share = ratio(result)
    best = share.argmin(axis=1)
    common = int(share.mean(axis=0).argmin())
    at_best = {
        key: np.take_along_axis(np.array(result[key], float), best[:, None], axis=1)[:, 0]
        for key in SPIKES
        if key in result
    }
    least = np.minimum(result["initial"], result["silent"])
    final = share * np.array(result["initial"])[:, None]
    return {
        "width": toy.robust_width(result["initial"], final),
        "strict": toy.robust_width(least, final),
        "best": share.min(axis=1),
        "area": share.sum(axis=1) / toy.DECADE,
        **at_best,
        "too_large": share[:, min(common + toy.DECADE, share.shape[1] - 1)],
        "too_small": share[:, max(common - toy.DECADE, 0)],
    }


def gain(result, other, outcome="width", among=slice(None)):
    """Mean paired difference over seeds of two results, and its 95 % bootstrap interval.

    ``among``: a mask of seeds [S].
    """
    paired = (per_seed(result)[outcome] - per_seed(other)[outcome])[among]
    return float(paired.mean()), *map(float, bootstrap_interval(paired))


def gains_of_map(mapped, outcome="width"):
    """What the term gains of an outcome, rho = 1 minus rho = 0, in each condition of the map.

    Returns
    -------
    dict
        By (factor, level, optimizer): mean, low, high. The intervals (Student's t) are
        simultaneous: all hold at once with 95 % confidence (Bonferroni over the map).
    """
    with_term = [condition for condition in mapped if condition.rho == 1.0]
    level = 1 - 0.05 / len(with_term)
    gains = {}
    for condition in with_term:
        pair = conditions.pair(mapped, condition)
        paired = np.subtract(*(per_seed(result)[outcome] for result in pair))
        key = condition.factor, condition.level, condition.optimizer
        gains[key] = paired.mean(), *t_interval(paired, level)
    return gains


def verdicts_of_map(mapped, outcome="width"):
    """What the simultaneous intervals say of the term: "helps", "hurts" or "open", by condition."""
    return {
        key: "helps" if low > 0 else "hurts" if high < 0 else "open"
        for key, (_, low, high) in gains_of_map(mapped, outcome).items()
    }


def panels_of_map(mapped):
    """``gains_of_map`` as announced and by the strict criterion, for ``figures.effects_map``."""
    panels = {}
    for optimizer, name in (("adam", "Adam"), ("sgd", "plain descent")):
        for outcome, criterion in (("width", "announced"), ("strict", "strict")):
            for (factor, level, own), gain in gains_of_map(mapped, outcome).items():
                if own == optimizer:
                    panels[factor, level, f"{name},\n{criterion}"] = gain
    return panels
