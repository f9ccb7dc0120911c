"""What the runs of ``plan`` found: outcomes of a run's results file, and what the term gains.

A record is the results file of a run. Outcomes are by method, rho = 1 or 0: [S] seeds, [L] rates.
"""

import operator

import numpy as np

from tsbp_core.chapters.cifar10.plan import MIDDLE, RATES, RHOS, STUDIES, TUNING_RATES
from tsbp_core.lab import results
from tsbp_core.lab.statistics import t_interval

NEAR = 5.0
"""Points below the best run at which a learning rate still counts as good."""
CHANCE = 10.0


def path(study, run):
    """Where the results file of a run is, or will be."""
    return results.RESULTS / f"{run.record(study)}.json"


def collect(study, runs=None):
    """A study's results files by run, of those seeds of which all runs are there.

    ``runs``: those of ``plan.STUDIES``, if None.

    Raises
    ------
    FileNotFoundError
        If there is no such seed.
    """
    runs = STUDIES[study]() if runs is None else runs
    missing = {run.seed for run in runs if not path(study, run).exists()}
    if found := [run for run in runs if run.seed not in missing]:
        return {run: results.load(run.record(study)) for run in found}
    raise FileNotFoundError(
        f"no seed of study {study!r} is whole in {results.RESULTS}; "
        f"`make cifar10 STUDY={study}` computes them"
    )


def final(result):
    """What ``evaluation.evaluate`` said at a run's end, of the test set or of held-out images.

    None for a run that diverged.
    """
    if result["test"] or result["diverged"]:
        return result["test"]
    return result["epochs"][-1]["held_out"]


def accuracy(record):
    """Final accuracy of a results file in %."""
    ended = final(record["results"])
    return 100 * ended["accuracy"] if ended else CHANCE


def spent(record):
    """Minutes and PFLOP of training up to the end of each epoch of a results file, [E] each."""
    epochs = record["results"]["epochs"]
    units = {"seconds": 60, "gflop": 1e6}
    return [np.cumsum([epoch[key] for epoch in epochs]) / unit for key, unit in units.items()]


def held_out(record):
    """Accuracy in % on the held-out images after each epoch of a results file, [E]."""
    return [100 * epoch["held_out"]["accuracy"] for epoch in record["results"]["epochs"]]


def train_loss(record):
    """Mean loss over the last epoch of a results file; infinite after divergence."""
    ended = not record["results"]["diverged"]
    return record["results"]["epochs"][-1]["train_loss"] if ended else np.inf


def by_rate(collected, optimizer, outcome=accuracy, rates=None):
    """An outcome by rho, arrays [S, L]; ``rates``: the grid's, if None."""
    seeds = sorted({run.seed for run in collected})
    rates = RATES[optimizer] if rates is None else rates
    tables = {rho: np.full((len(seeds), len(rates)), np.nan) for rho in RHOS}
    for run, record in collected.items():
        s = run.settings
        if s.optimizer == optimizer:
            at = seeds.index(run.seed), rates.index(s.lr)
            tables[s.reset_gradient][at] = outcome(record)
    return tables


def tuned_rates(collected):
    """The rates that the study "tuning" chose, by optimiser and rho, as its plan says."""
    chosen = {}
    for optimizer, rates in TUNING_RATES.items():
        reached, losses = (
            by_rate(collected, optimizer, outcome, rates) for outcome in (accuracy, train_loss)
        )
        for rho in RHOS:
            order = np.lexsort((losses[rho].mean(axis=0), -reached[rho].mean(axis=0).round(6)))
            chosen[optimizer, rho] = rates[order[0]]
    return chosen


def at_rate(tables, optimizer, lr):
    """One learning rate's column of what ``by_rate`` returns, [S] by rho."""
    at = RATES[optimizer].index(lr)
    return {rho: table[:, at] for rho, table in tables.items()}


def pairs(collected, outcome=accuracy, by=operator.attrgetter("condition")):
    """An outcome of any study, {condition: {rho: [S]}}, or ``by`` something else of a run."""
    tables = {}
    for run, record in collected.items():
        pair = tables.setdefault(by(run), {rho: [] for rho in RHOS})
        pair[run.settings.reset_gradient].append(outcome(record))
    return tables


def by_change(collected, outcome=accuracy):
    """An outcome of ``plan.one_change``, {change: {rho: [S]}}."""
    return pairs(collected, outcome, operator.attrgetter("change"))


def by_direction_and_length(collected):
    """Accuracy in ``plan.swap``, the mean over rates: [S] by (direction, length), each a rho."""
    cells = {}
    for run, record in collected.items():
        direction = run.settings.reset_gradient
        length = direction if run.settings.length_of is None else run.settings.length_of
        cells.setdefault((direction, length), {}).setdefault(run.seed, []).append(accuracy(record))
    return {
        cell: np.array([np.mean(rates) for _, rates in sorted(seeds.items())])
        for cell, seeds in cells.items()
    }


def swap_effects(cells):
    """What ``by_direction_and_length`` has, averaged over the other part: {part: {rho: [S]}}."""
    return {
        "direction": {rho: (cells[rho, 1.0] + cells[rho, 0.0]) / 2 for rho in RHOS},
        "length": {rho: (cells[1.0, rho] + cells[0.0, rho]) / 2 for rho in RHOS},
    }


def first_layer(record):
    """Complete to detached gradient in the first layer: "ratio" of lengths, "cosine".

    Each at the start and at the end, [2].
    """
    probes = record["results"]["probes"]
    return {key: [probes[at][key][0] for at in (0, -1)] for key in ("ratio", "cosine")}


def primary(collected, optimizer):
    """Accuracy averaged over the ``MIDDLE`` rates, [S] by rho: the outcome named in advance."""
    tables = by_rate(collected, optimizer)
    return {rho: t[:, MIDDLE].mean(axis=1) for rho, t in tables.items()}


def probes(collected, optimizer, lr, rho):
    """How both gradients compare along the runs of one condition, means over seeds.

    Returns
    -------
    dict
        ``update`` [P]; ``ratio`` and ``cosine``, complete to detached, [P, layers].
    """
    seeds = [result["probes"] for result in _of(collected, optimizer, lr, rho)]
    means = {
        key: np.mean([[probe[key] for probe in seed] for seed in seeds], axis=0)
        for key in ("ratio", "cosine")
    }
    return {"update": [probe["update"] for probe in seeds[0]], **means}


def _of(collected, optimizer, lr, rho):
    """What the runs of one condition that did not diverge found, a dict a seed."""
    wanted = {"optimizer": optimizer, "lr": lr, "reset_gradient": rho}.items()
    return [
        record["results"]
        for run, record in collected.items()
        if wanted <= vars(run.settings).items() and not record["results"]["diverged"]
    ]


def robust_width(tables, rates, near=NEAR):
    """Decades of learning rate at which each method comes near the best run of its seed.

    Between the learning rates of the grid, accuracy is interpolated linearly in their logarithm.

    Parameters
    ----------
    tables : dict
        By rho: accuracy in % [S, L].
    rates : sequence [L]
    near : float
        Points below the best accuracy of either method.

    Returns
    -------
    dict
        By rho: decades [S].
    """
    x = np.log10(rates)
    fine = np.linspace(x[0], x[-1], 1001)
    best = np.max([t.max(axis=1) for t in tables.values()], axis=0)
    return {
        rho: np.array(
            [
                np.mean(np.interp(fine, x, row) >= top - near) * (x[-1] - x[0])
                for row, top in zip(t, best, strict=True)
            ]
        )
        for rho, t in tables.items()
    }


def shift(tables, rates):
    """Decades by which moving the curve of rho = 0 to larger rates fits that of rho = 1 best.

    Accuracy is interpolated as in ``robust_width``; the fit is by least squares over the learning
    rates that both curves cover. Not among the outcomes named in advance.

    Returns
    -------
    ndarray [S]
    """
    x = np.log10(rates)
    moves = np.linspace(-1, 1, 401)

    def misfit(one, other, move):
        at = x[(x - move >= x[0]) & (x - move <= x[-1])]
        return np.mean((np.interp(at, x, one) - np.interp(at - move, x, other)) ** 2)

    return np.array(
        [
            min(moves, key=lambda move: misfit(one, other, move))
            for one, other in zip(tables[1.0], tables[0.0], strict=True)
        ]
    )


def own_best(tables, losses):
    """Accuracy [S] of each method at the rate where its mean training loss is least, by rho."""
    return {rho: t[:, losses[rho].mean(axis=0).argmin()] for rho, t in tables.items()}


def gain(values, level=0.95):
    """Mean over seeds of rho = 1 minus rho = 0, and its interval by Student's t.

    ``values``: by rho, [S].
    """
    paired = np.asarray(values[1.0]) - np.asarray(values[0.0])
    return (paired.mean(), *t_interval(paired, level))
