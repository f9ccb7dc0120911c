"""What was added to chapter 11's study after its results: ``longer``, ``lower_rates``, ``edges``.

Arguments as ``report`` has them.
"""

from collections import Counter

import numpy as np

from tsbp_core.chapters.sequences import outcomes, plan, report
from tsbp_core.chapters.sequences.plan import RESETS, RHOS, rows
from tsbp_core.lab import results
from tsbp_core.lab.conditions import KINDS


def longer():
    """The cells that ``longer`` trained on: {report.Cell: part}."""
    parts = results.load(plan.LONGER)["results"]
    return {
        cell: parts[name]
        for cell in report.CELLS
        if cell.optimizer == "adam" and (name := f"{cell.task}/{cell.group.name}") in parts
    }


def longer_ends(trained_on, parts_by_task):
    """What ``longer`` asks of each cell, corrected for its four looks.

    "before": the mean gain of the same seeds, the first of the study's, when the study stopped.
    """
    looks, ends = len(plan.HARD) * len(RESETS), {}
    for cell, part in trained_on.items():
        pairs = len(rows(part, "adam", 1.0))
        before = outcomes.gains(report.final(parts_by_task, cell.group), "adam")[:pairs]
        ends[cell] = outcomes.end(part, "adam", looks) | {"before": float(before.mean())}
    return ends


def of_longer(ends):
    """What was trained on, with its verdicts; ``ends``: as ``longer_ends`` has it."""
    counts = Counter(summary["gain"]["verdict"] for summary in ends.values()).most_common()
    said = {
        "longer": ", ".join(f"{word} {n}" for word, n in counts),
        "longer-flat": sum(summary["flat"] for summary in ends.values()),
    }
    for cell, summary in ends.items():
        name = f"longer-{cell.task}-{cell.reset}"
        said |= {name: report.gain_text(summary), f"{name}-before": f"{summary['before']:+.1f}"}
    return said


def lower():
    """Tasks and resets for which SGD was tried below the grid."""
    return [(task, reset) for task, resets in plan.LOWER.items() for reset in resets]


def all_rates(parts_by_task, task, reset):
    """``by_rate`` of a task with SGD and the low surrogate, on the grid and below it."""
    below = report.by_rate(results.load(f"{task}-rates")["results"][f"low/{reset}"], "sgd")
    grid = report.by_rate(parts_by_task[task][f"low/{reset}/sweep"], "sgd")
    return {rho: below[rho] | grid[rho] for rho in RHOS}


def rate_text(rate):
    """A learning rate without an exponent, however small."""
    return f"{rate:.5f}".rstrip("0").rstrip(".")


def of_lower(parts_by_task):
    """Who learns with SGD and the low surrogate, and at which rates, where lower ones were tried.

    "most" is the best network on the plan's grid, "best" the highest mean over all rates, at
    "rate", and "there" the best network at it; "longer" the detached gradient's length over the
    complete one's before training, a median over seeds.
    """
    said = {}
    for task, reset in lower():
        cell = report.Cell("low", task, reset, "sgd")
        own, said[f"{task}-seeds"] = report.learnt(parts_by_task, cell)
        grid = report.by_rate(parts_by_task[task][f"low/{reset}/sweep"], "sgd")
        tried = all_rates(parts_by_task, task, reset)
        start = f"{task}-{KINDS[reset]}"
        ratio = np.median(report.final(parts_by_task, cell.group)["first"]["ratio"])
        said[f"{start}-longer"] = f"{1 / ratio:.0f}"
        for rho, name in ((1.0, "with"), (0.0, "without")):
            means = {rate: seen.mean() for rate, seen in tried[rho].items()}
            best = max(means, key=means.get)
            said |= {
                f"{start}-{name}": own[rho],
                f"{start}-{name}-most": f"{max(seen.max() for seen in grid[rho].values()):.0f}",
                f"{start}-{name}-best": f"{means[best]:.0f}",
                f"{start}-{name}-rate": rate_text(best),
                f"{start}-{name}-there": f"{tried[rho][best].max():.0f}",
            }
    return said


def beyond(parts_by_task):
    """``report.by_rate`` of the cells of ``edges``, on the grid and below it, by cell."""
    below, found = results.load(plan.EDGES)["results"], {}
    for cell in report.CELLS:
        if part := below.get(cell.name):
            sweep = parts_by_task[cell.task][f"{cell.group.name}/sweep"]
            lower, grid = (report.by_rate(seen, cell.optimizer) for seen in (part, sweep))
            found[cell] = {rho: lower[rho] | grid[rho] for rho in RHOS}
    return found


def summit(by_rate, rates):
    """The rate with the highest mean over seeds, the lower of equals, and that mean."""
    best = max(sorted(rates), key=lambda rate: by_rate[rate].mean())
    return best, by_rate[best].mean()


def summits(cell, by_rho):
    """``summit`` of the grid and of all rates, by rho in each; ``by_rho``: of ``beyond``."""
    sets = {"grid": plan.RATES[cell.optimizer], "all": tuple(by_rho[1.0])}
    return {
        name: {rho: summit(by_rate, rates) for rho, by_rate in by_rho.items()}
        for name, rates in sets.items()
    }


def in_doubt(cell, found, learnt):
    """Whether rates below the grid put a cell's verdict in doubt, as ``edges`` says.

    ``found``: its ``summits``; ``learnt``: whether it was, by the plan.
    """
    grid, everywhere = (
        np.array([mean for _, mean in by_rho.values()]) for by_rho in found.values()
    )
    gained = everywhere - grid
    if learnt:
        return bool(abs(gained[0] - gained[1]) > outcomes.MARGIN)
    now = everywhere >= outcomes.bar(report.CLASSES[cell.task])
    return bool((now & (gained > outcomes.MARGIN)).any())


def of_edges(parts_by_task, by_cell):
    """How many cells were looked at below the grid, and how many verdicts are in doubt since."""
    tried = beyond(parts_by_task)
    doubtful = sum(
        in_doubt(cell, summits(cell, by_rho), by_cell[cell]["gain"]["verdict"] != "not learnt")
        for cell, by_rho in tried.items()
    )
    return {"edge-cells": len(tried), "edge-doubtful": doubtful or "none"}


def phrases(parts_by_task, by_cell):
    """All values of this in chapter 11's text."""
    said = of_longer(longer_ends(longer(), parts_by_task)) | of_lower(parts_by_task)
    said |= of_edges(parts_by_task, by_cell)
    return {key: str(value) for key, value in said.items()}
