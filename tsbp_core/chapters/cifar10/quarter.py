"""What chapter 7 says of the paper's network at a quarter of its width, judged as planned.

The plan is in ``paper``. ``runs``: results files [S] by learning rate and rho, as ``load`` has
them.
"""

import functools

import numpy as np
from scipy import stats

from tsbp_core import numpy_lif, page
from tsbp_core.chapters.cifar10 import compared, outcomes, plan
from tsbp_core.chapters.cifar10.report import gain_text
from tsbp_core.lab import results, statistics

RATES = (1.5e-4, 5e-4, 1.5e-3)
PRESET = 5e-4
"""The rate that has the verdict; the other two may contradict it."""
HIGH = 5e-3
"""Of one pair, seed 0, that says whether the best rate lies above ``RATES``."""
SEEDS = range(5)
SAME, CLEAR = 0.90, 0.95
"""Levels of the intervals that equivalence and a sign are judged by."""
INTERVALS = functools.partial(statistics.t_interval, level=SAME), statistics.t_interval
"""The same, for figures."""


def load(rates=RATES, seeds=SEEDS):
    """The committed runs."""
    return {
        rate: {
            rho: [
                results.load(f"cifar10-quarter/lr{rate:g}-rho{rho:g}-seed{seed}") for seed in seeds
            ]
            for rho in plan.RHOS
        }
        for rate in rates
    }


def accuracy(record):
    """Test accuracy in %; that of chance after divergence."""
    reached = record["results"]["test_accuracy"]
    return outcomes.CHANCE if reached is None else 100 * reached


def pairs(runs, outcome=accuracy):
    """An outcome by learning rate: a pair, [S] by rho."""
    return {
        rate: {rho: [outcome(record) for record in records] for rho, records in by_rho.items()}
        for rate, by_rho in runs.items()
    }


def verdict(pair):
    """What the plan calls a pair of accuracies, in words."""
    return compared.verdict(pair, CLEAR, SAME)


def over_rates(runs):
    """Accuracy averaged over the learning rates, [S] by rho; not in the plan."""
    by_rate = pairs(runs)
    return {rho: np.mean([by_rate[rate][rho] for rate in runs], axis=0) for rho in plan.RHOS}


def epochs_below(by_rho):
    """In how many epochs the training loss is lower with the term: 95 % intervals below zero.

    ``by_rho``: results files [S] of one learning rate.
    """
    losses = {
        rho: np.transpose(
            [[epoch["train_loss"] for epoch in record["results"]["epochs"]] for record in records]
        )
        for rho, records in by_rho.items()
    }
    apart = losses[1.0] - losses[0.0]
    return sum(statistics.t_interval(epoch)[1] < 0 for epoch in apart)


def silence(record):
    """The loss of a run's outputs if none of them ever fired."""
    settings = record["settings"]
    target = np.ones((settings["steps"], 1))
    target[0] = 0.0
    return 0.5 * np.square(numpy_lif.trace(target, settings["tau_s"])).sum()


def table(runs):
    """Accuracy with and without the term at each rate, the gain, and what the plan calls it."""
    losses = pairs(runs, outcomes.train_loss)
    rows = []
    for rate, pair in pairs(runs).items():
        reached = (f"{np.mean(pair[rho]):.1f}" for rho in plan.RHOS)
        gains = gain_text(pair, CLEAR), gain_text(pair, SAME), verdict(pair)
        rows.append((f"{rate:g}", *reached, *gains, gain_text(losses[rate], digits=4)))
    heads = (
        "rate",
        "with, %",
        "without, %",
        f"gain, points [{100 * CLEAR:g} %]",
        f"[{100 * SAME:g} %]",
        "by itself",
        f"training loss, last epoch [{100 * CLEAR:g} %]",
    )
    return page.table(heads, rows)


def phrases(runs, high):
    """Values of this in the text, by name; ``high``: the pair at the rate ``HIGH``."""
    reached, losses = pairs(runs), pairs(runs, outcomes.train_loss)
    judged = reached[PRESET]
    silent = [
        100 * np.mean(losses[rate][0.0]) / silence(by_rho[0.0][0]) for rate, by_rho in runs.items()
    ]
    said = {
        "quarter-runs": str(2 * len(RATES) * len(SEEDS)),
        "quarter-verdict": verdict(judged),
        "quarter-scatter": f"{np.subtract(judged[1.0], judged[0.0]).std(ddof=1):.1f}",
        "quarter-over-rates": gain_text(over_rates(runs)),
        "quarter-silent": "{:.0f}, {:.0f} and {:.0f}".format(*silent),
    }
    for rate, pair in reached.items():
        said |= {
            f"quarter-{rate:g}": gain_text(pair),
            f"quarter-{rate:g}-loss": gain_text(losses[rate], digits=4),
            f"quarter-{rate:g}-below": str(epochs_below(runs[rate])),
        }
        said |= {f"quarter-{rate:g}-{rho:g}": f"{np.mean(pair[rho]):.1f}" for rho in plan.RHOS}
    (pair,), first = pairs(high).values(), reached[RATES[-1]]
    for name, one in (("high", pair), ("first", first)):
        said |= {f"quarter-{name}-{rho:g}": f"{one[rho][0]:.1f}" for rho in plan.RHOS}
    return said


def silent(started, look=-1):
    """Which networks' outputs never fired after a look of ``start``: by rate, [S] by rho.

    ``started``: its results, by seed.
    """
    rates = next(iter(started.values()))
    return {
        float(rate): {
            rho: np.array([seed[rate][f"{rho:g}"][look] == 0.0 for seed in started.values()])
            for rho in plan.RHOS
        }
        for rate in rates
    }


def sign_test(pair):
    """What ``start``'s plan calls a pair of ``silent``, and p."""
    fewer, more = (pair[0.0] & ~pair[1.0]).sum(), (pair[1.0] & ~pair[0.0]).sum()
    p = stats.binomtest(fewer, fewer + more).pvalue if fewer + more else 1.0
    word = "help" if fewer > more else "harm"
    return word if p < 0.05 / 2 else "open", p


def phrases_of_start(started):
    """Values of this in the text, by name."""
    said = {"start-seeds": str(len(started))}
    for rate, pair in silent(started).items():
        word, p = sign_test(pair)
        said |= {f"start-{rate:g}-verdict": word, f"start-{rate:g}-p": f"{p:.3f}"}
        for rho in plan.RHOS:
            said[f"start-{rate:g}-{rho:g}"] = str(pair[rho].sum())
    return said
