"""What chapter 7 says of both methods tuned and trained for ten epochs, judged as planned.

``best``: its runs, as ``outcomes.collect`` has them. A pair is an outcome [S] by rho.
"""

import functools

import numpy as np

from tsbp_core import page
from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.chapters.cifar10.report import NAMES, gain_text, hours, seeds
from tsbp_core.lab import statistics

CLEAR = 1 - 0.05 / 2
"""Level of the interval that must exclude zero, for the two looks of ``best``."""
INTERVALS = statistics.t_interval, functools.partial(statistics.t_interval, level=CLEAR)
"""Those of equivalence and of a sign, for figures."""


def load():
    """The committed runs."""
    return outcomes.collect("best")


def pairs(best, outcome=outcomes.accuracy):
    """An outcome by optimiser: a pair, each method at its own rate."""
    return outcomes.pairs(best, outcome, lambda run: run.settings.optimizer)


def flipped(record):
    """Final accuracy in % where each image is also shown as in a mirror."""
    ended = outcomes.final(record["results"])
    return 100 * ended["flips"] if ended else outcomes.CHANCE


def verdict(pair, clear=CLEAR, same=0.95):
    """What the plan of ``best`` calls a pair of accuracies, in words; two can hold at once.

    ``clear`` and ``same``: levels of the interval that must exclude zero, and of the one that must
    lie within the margin.
    """
    _, low, high = outcomes.gain(pair, clear)
    _, *ends = outcomes.gain(pair, same)
    inside = max(map(abs, ends)) < plan.MARGIN
    holds = {"help": low > 0, "harm": high < 0, "equivalent": inside}
    return " and ".join(word for word, true in holds.items() if true) or "open"


def table(best):
    """Accuracy of each method at its own rate, the gain at both levels, and the verdict."""
    rows = []
    for key, pair in pairs(best).items():
        reached = (f"{np.mean(pair[rho]):.2f} at {plan.OWN_RATES[key, rho]:g}" for rho in plan.RHOS)
        gains = gain_text(pair), gain_text(pair, CLEAR)
        rows.append((NAMES[key], *reached, *gains, verdict(pair)))
    heads = (
        "optimiser",
        "with, % at rate",
        "without, % at rate",
        "gain, points [95 %]",
        f"[{100 * CLEAR:g} %]",
        "verdict",
    )
    return page.table(heads, rows)


def phrases(best):
    """Values of this in chapter 7's text, by name."""
    said = {"long-runs": str(len(best)), "long-seeds": seeds(best), "long-time": hours(best)}
    losses, mirrored = pairs(best, outcomes.train_loss), pairs(best, flipped)
    layer = pairs(best, outcomes.first_layer)
    for key, pair in pairs(best).items():
        apart = np.subtract(pair[1.0], pair[0.0])
        said |= {f"long-{key}-{rho:g}": f"{np.mean(pair[rho]):.1f}" for rho in plan.RHOS}
        said |= {
            f"long-{key}": gain_text(pair),
            f"long-{key}-clear": gain_text(pair, CLEAR),
            f"long-{key}-verdict": verdict(pair),
            f"long-{key}-scatter": f"{apart.std(ddof=1):.2f}",
            f"long-{key}-p": f"{statistics.equivalence(apart, plan.MARGIN):.3f}",
            f"long-{key}-below": str((apart < 0).sum()),
            f"long-{key}-loss": gain_text(losses[key], digits=4),
            f"long-{key}-mirrored": gain_text(mirrored[key]),
        }
        for what in ("ratio", "cosine"):
            ends = [seed[what][-1] for seed in layer[key][1.0]]
            said[f"long-{key}-{what}"] = f"{np.mean(ends):.2f}"
    return said
