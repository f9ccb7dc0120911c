"""What ``converged`` found, judged as its plan says: pure functions of its results.

A record is a cell's networks as arrays: ``validation`` and ``test`` accuracy in percent [rho, rate,
seed, point] and ``loss`` [rho, rate, seed, stretch]; rho is 1, then 0. A score takes curves [...,
point] to numbers [...], higher is better.
"""

import numpy as np

from tsbp_core.chapters.growth import plan
from tsbp_core.lab import results
from tsbp_core.lab.statistics import t_interval

HORIZONS = (150, 300, 600)
CHANCE = 10.0
LOW, TALL = 2.5, 6.25
"""Heights of h up to which, and from which on, the book has a rule."""


def load():
    """The committed results: by name of a cell, its networks by seed."""
    return results.load(plan.NAME)["results"]["cells"]


def record(by_seed):
    """A cell's results by seed as arrays; seeds in the order of their number."""
    seeds = sorted(by_seed, key=int)
    stacked = {
        key: np.stack([np.array(by_seed[seed][key], float) for seed in seeds], axis=2)
        for key in ("validation", "test", "loss")
    }  # a loss that was not finite is null in the file, and NaN here
    stacked["validation"] /= 10.0
    stacked["test"] /= 10.0
    return stacked


def end(curves):
    """Mean of the last tests."""
    return curves[..., -plan.LAST :].mean(axis=-1)


def after(updates):
    """The score of accuracy after so many updates."""
    return lambda curves: curves[..., plan.POINTS.index(updates)]


def average(curves):
    """Mean accuracy over all updates, from chance at the first; between tests by straight lines."""
    points = np.array([0, *plan.POINTS])
    curves = np.concatenate([np.full_like(curves[..., :1], CHANCE), curves], axis=-1)
    between = (curves[..., 1:] + curves[..., :-1]) / 2.0
    return between @ np.diff(points) / points[-1]


def best_rates(values):
    """Place of each method's best rate, by the mean over seeds of ``values`` [rho, rate, seed]."""
    return values.mean(axis=2).argmax(axis=1)


def at(values, rates):
    """``values`` [rho, rate, ...] of each rho at its own rate: [rho, ...]."""
    return np.stack([own[rate] for own, rate in zip(values, rates, strict=True)])


def at_own_best(record, score):
    """Test scores [rho, seed] at the rates whose validation scores are best, and these rates."""
    rates = best_rates(score(record["validation"]))
    return at(score(record["test"]), rates), rates


def stopped_early(record):
    """Test accuracy [rho, seed] at the rate and test where mean validation accuracy is best."""
    means = record["validation"].mean(axis=2)
    places = [np.unravel_index(own.argmax(), own.shape) for own in means]
    return np.stack(
        [own[rate, :, point] for own, (rate, point) in zip(record["test"], places, strict=True)]
    )


def updates_to(curves, target):
    """Updates until curves [..., point] first reach ``target``, by straight lines from chance at 0.

    Infinite where they never do.
    """
    points = np.array([0, *plan.POINTS], float)
    rows = curves.reshape(-1, curves.shape[-1])
    updates = np.full(len(rows), np.inf)
    for i, row in enumerate(np.concatenate([np.full((len(rows), 1), CHANCE), rows], axis=1)):
        reached = np.flatnonzero(row >= target)
        if len(reached):
            k = reached[0]
            updates[i] = np.interp(target, row[k - 1 : k + 1], points[k - 1 : k + 1]) if k else 0.0
    return updates.reshape(curves.shape[:-1])


def speed(record, looks):
    """Time to the target: the plan's second outcome.

    Returns
    -------
    dict
        ``target`` in percent, ``updates`` [rho]: geometric means; ``ratio`` with its interval, rho
        = 1 over rho = 0; ``never`` [rho]: networks that count as the last update; ``rates``;
        ``verdict``.
    """
    ends, _ = at_own_best(record, end)
    target = CHANCE + plan.SHARE * (ends.mean(axis=1).min() - CHANCE)
    last = float(plan.POINTS[-1])
    chosen = updates_to(record["validation"].mean(axis=2), target)
    final = end(record["validation"]).mean(axis=2)
    # where no rate's mean reaches it, the rate that comes nearest in the end
    rates = [
        int(own.argmin()) if np.isfinite(own).any() else int(left.argmax())
        for own, left in zip(chosen, final, strict=True)
    ]
    each = at(updates_to(record["test"], target), rates)
    logs = np.log2(np.minimum(each, last))
    low, high = t_interval(logs[0] - logs[1], 1.0 - 0.05 / looks)
    verdict = judge(low, high, np.log2(plan.FACTOR), ("slower", "faster"))
    return {
        "target": target,
        "updates": 2 ** logs.mean(axis=1),
        "ratio": 2 ** np.array([(logs[0] - logs[1]).mean(), low, high]),
        "never": np.isinf(each).sum(axis=1),
        "rates": rates,
        "verdict": verdict,
    }


def judge(low, high, margin, names=("help", "harm")):
    """The plan's verdict on an interval: equal within the margin, else its sign, else open."""
    if -margin < low and high < margin:
        return "equal"
    if low > 0.0:
        return names[0]
    return names[1] if high < 0.0 else "open"


def paired_interval(pair, looks=1):
    """Mean of rho = 1 minus rho = 0 over seeds, for [rho, seed], and its interval corrected."""
    paired = pair[0] - pair[1]
    return (paired.mean(), *t_interval(paired, 1.0 - 0.05 / looks))


def flat(record, rates):
    """Whether training loss has stopped falling at these rates, for both methods."""
    before, last = np.moveaxis(at(record["loss"], rates).mean(axis=1)[:, -2:], 1, 0)
    return bool((before - last < np.maximum(0.02, 0.05 * before)).all())


def own_curves(record):
    """Test accuracy [rho, seed, point] of both methods, each at its own best rate for the end."""
    _, rates = at_own_best(record, end)
    return at(record["test"], rates)


def curves(record):
    """Test accuracy against updates of both methods, each at its own best rate for the end.

    Returns
    -------
    dict
        By rho: mean over seeds, low and high end of its 95 % interval [3, point].
    """
    return {
        rho: np.stack([own.mean(axis=0), *np.transpose([t_interval(values) for values in own.T])])
        for rho, own in zip(plan.RHOS, own_curves(record), strict=True)
    }


def summary(record, rates, looks):
    """All of the plan's outcomes for one cell; ``rates``: the learning rates of its grid."""
    ends, best = at_own_best(record, end)
    gain = paired_interval(ends, looks)
    return {
        "seeds": ends.shape[1],
        "ends": ends.mean(axis=1),
        "gain": gain,
        "uncorrected": paired_interval(ends),
        "verdict": judge(*gain[1:], plan.MARGIN),
        "rates": [rates[k] for k in best],
        "edge": [bool(k in (0, len(rates) - 1)) for k in best],
        "flat": flat(record, best),
        "speed": speed(record, looks),
        "at": {n: paired_interval(at_own_best(record, after(n))[0]) for n in HORIZONS},
        "average": paired_interval(at_own_best(record, average)[0]),
        "stopped": paired_interval(stopped_early(record), looks),
        "by_rate": [paired_interval(pair) for pair in np.moveaxis(end(record["test"]), 1, 0)],
    }


def summaries(cells, family):
    """``summary`` of each cell of a family that was run, by name; ``cells``: as ``load`` has it."""
    looks = len(plan.family(family))
    return {
        cell.name: summary(record(cells[cell.name]), cell.rates, looks)
        for cell in plan.family(family)
        if len(cells.get(cell.name, {})) > 1
    }


def by_family():
    """``summaries`` of the committed results by family."""
    cells = load()
    return {family: summaries(cells, family) for family in plan.FAMILIES}


def rules(by_name):
    """The plan's three rules on the summaries of the family "verdict", as words.

    "stands", "refuted" or "undecided"; None where cells are missing.
    """
    cells = plan.family("verdict")
    if any(cell.name not in by_name for cell in cells):
        return None
    low = [cell for cell in cells if cell.height <= LOW]
    tall = [cell for cell in plan.MAIN if cell.height >= TALL]
    below = [cell for cell in cells if cell.multiple <= 1.0]

    def keep(verdicts, good, bad):
        main = [verdicts[cell.name] for cell in low if cell in plan.MAIN]
        harmed = any(verdicts[cell.name] == bad for cell in low)
        if sum(v == good for v in main) >= len(main) / 2 and not harmed:
            return "stands"
        against = sum(v in ("equal", bad) for v in main) >= len(main) / 2
        return "refuted" if against else "undecided"

    ends = {name: cell["verdict"] for name, cell in by_name.items()}
    speeds = {name: cell["speed"]["verdict"] for name, cell in by_name.items()}
    fallen = [ends[cell.name] for cell in tall]
    dropped = "stands" if all(v == "harm" for v in fallen) else "undecided"
    return {
        "keep, in the end": keep(ends, "help", "harm"),
        "keep, for speed": keep(speeds, "faster", "slower"),
        "drop": "refuted" if any(v in ("equal", "help") for v in fallen) else dropped,
        "bound": "refuted" if any(ends[cell.name] == "harm" for cell in below) else "stands",
    }
