"""What chapter 7 says of networks that train longer, each method at its own best rate.

``tuning``: the runs that chose the rates, by run, as ``outcomes.collect`` has them.
"""

import numpy as np

from tsbp_core import page
from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.chapters.cifar10.report import NAMES
from tsbp_core.lab.statistics import signed


def load():
    """The committed runs of the sweep."""
    return outcomes.collect("tuning")


def swept(tuning):
    """Held-out accuracy in % after the last epoch: by optimiser (rates, [S, L] by rho)."""
    return {
        key: (rates, outcomes.by_rate(tuning, key, rates=rates))
        for key, rates in plan.TUNING_RATES.items()
    }


def curves(tuning):
    """Held-out accuracy in % after each epoch, [E, S], by optimiser, rho and rate."""
    found = {key: {rho: {} for rho in plan.RHOS} for key in NAMES}
    for run, record in tuning.items():
        s = run.settings
        seeds = found[s.optimizer][s.reset_gradient].setdefault(s.lr, [])
        seeds.append(outcomes.held_out(record))
    return {
        NAMES[key]: {
            rho: {rate: np.transpose(seeds) for rate, seeds in by_rate.items()}
            for rho, by_rate in by_rho.items()
        }
        for key, by_rho in found.items()
    }


def both(gains, digits=2):
    """The gains of the two seeds in words."""
    return " and ".join(signed(gain, digits) for gain in gains)


def sweep_table(tuning):
    """Held-out accuracy that chose the rates, means over seeds; a star at those chosen."""
    chosen, rows = outcomes.tuned_rates(tuning), []
    for key, (rates, tables) in swept(tuning).items():
        for at, rate in enumerate(rates):
            shown = [
                f"{tables[rho][:, at].mean():.2f}{'*' * (rate == chosen[key, rho])}"
                for rho in plan.RHOS
            ]
            gains = (tables[1.0] - tables[0.0])[:, at]
            rows.append((NAMES[key], f"{rate:g}", *shown, both(gains)))
    heads = "", "learning rate", "with, %", "without, %", "gain of each seed, points"
    return page.table(heads, rows)


def phrases(tuning):
    """Values of this in chapter 7's text, by name."""
    said = {"tuned-runs": str(len(tuning))}
    for key, (rates, tables) in swept(tuning).items():
        own = {rho: plan.OWN_RATES[key, rho] for rho in plan.RHOS}
        ends = [tables[rho][:, rates.index(rate)] for rho, rate in own.items()]
        said[f"tuned-{key}-gain"] = both(ends[0] - ends[1])
        said |= {f"tuned-{key}-rate-{rho:g}": f"{rate:g}" for rho, rate in own.items()}
        said[f"tuned-{key}-ends"] = " and ".join(f"{end.mean():.1f}" for end in ends)
        gains = tables[1.0] - tables[0.0]
        for name, at in (("smallest", 0), ("largest", -1)):
            said[f"tuned-{key}-{name}"] = both(gains[:, at], 1)
        below = (gains.mean(axis=0) < 0).sum()
        said[f"tuned-{key}-below"] = "all" if below == len(rates) else f"{below} of {len(rates)}"
    return said
