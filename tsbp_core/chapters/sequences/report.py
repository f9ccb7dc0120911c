"""What chapters 11 and 14 say of the recurrent networks, in numbers and words.

``parts_by_task``: by task, its parts, as ``load`` gives them. ``by_cell``: outcomes of the cells,
as ``cells`` gives them.
"""

import itertools
from collections import Counter
from typing import NamedTuple

import numpy as np

from tsbp_core.chapters.growth.probe import growth_bound
from tsbp_core.chapters.sequences import data, outcomes, plan
from tsbp_core.chapters.sequences.plan import OPTIMIZERS, PEAKS, RESETS, RHOS, Group, rows
from tsbp_core.lab import results
from tsbp_core.lab.conditions import KINDS
from tsbp_core.lab.statistics import interval_text

TITLES = {
    "rows": "digits, row by row",
    "vowels": "spoken vowels",
    "xor": "delayed XOR",
    "pixels": "digits, pixel by pixel",
    "shuffled": "digits, shuffled pixels",
}
SHORT = {
    "rows": "rows",
    "vowels": "vowels",
    "xor": "XOR",
    "pixels": "pixels",
    "shuffled": "shuffled",
}
CLASSES = {"rows": 10, "vowels": 9, "xor": 2, "pixels": 10, "shuffled": 10}
STEPS = {"rows": 32, "vowels": 29, "xor": 64, "pixels": 64, "shuffled": 64}
NAMES = {"adam": "Adam", "sgd": "SGD"}


class Cell(NamedTuple):
    """A cell of the plan."""

    peak: str
    task: str
    reset: str
    optimizer: str

    @property
    def group(self):
        """The networks that it is part of."""
        return Group(self.task, self.reset, self.peak)

    @property
    def name(self):
        """As in the results of ``edges``."""
        return f"{self.task}/{self.group.name}/{self.optimizer}"

    @property
    def title(self):
        """In words, but for the surrogate."""
        return f"{TITLES[self.task]}, {KINDS[self.reset]}, {NAMES[self.optimizer]}"


CELLS = [Cell(*names) for names in itertools.product(PEAKS, data.TASKS, RESETS, OPTIMIZERS)]


def load(folder=results.RESULTS / "sequences"):
    """The results: by task its parts."""
    return {task: results.load(folder / task)["results"] for task in data.TASKS}


def final(parts_by_task, group):
    """The networks of a group that decide, each method at its own best rate."""
    return parts_by_task[group.task][f"{group.name}/final"]


def cells(parts_by_task):
    """Outcomes of each cell of the plan, by ``Cell``."""
    return {
        cell: outcomes.cell(
            parts_by_task[cell.task], cell.group.name, cell.optimizer, CLASSES[cell.task]
        )
        for cell in CELLS
    }


def curves(part, optimizer):
    """Validation accuracy in percent of each look and seed, by rho: [look, seed]."""
    seen = 100.0 * np.array(part["validation"])
    return {rho: seen[:, rows(part, optimizer, rho)] for rho in RHOS}


def by_rate(sweep, optimizer):
    """Last validation accuracy in percent of each seed, by rho and rate."""
    last = 100.0 * np.array(sweep["validation"][-1])
    rates = sorted({rate for name, rate, *_ in sweep["methods"] if name == optimizer})
    return {rho: {rate: last[rows(sweep, optimizer, rho, rate)] for rate in rates} for rho in RHOS}


def verdicts(by_cell, peak, of="gain"):
    """Verdicts of the cells of a surrogate: "gain" in the end, or "speed"."""
    return [summary[of]["verdict"] for cell, summary in by_cell.items() if cell.peak == peak]


def tally(by_cell, peak, of="gain"):
    """How many cells have each verdict, in words, the most frequent first."""
    counts = Counter(verdicts(by_cell, peak, of)).most_common()
    return ", ".join(f"{word} {n}" for word, n in counts)


def median_growth(parts_by_task):
    """Median of ``outcomes.added_growth`` of each group, by when: first, last."""
    return {
        group: {
            when: float(np.nanmedian(outcomes.added_growth(final(parts_by_task, group), when)))
            for when in ("first", "last")
        }
        for group in plan.groups()
    }


def expected(group, added):
    """Whether the term adds to the growth where h is above chapter 10's bound, and only there."""
    lif = group.lif
    return (added > 0) == (lif.surrogate.scale > growth_bound(lif))


def against(parts_by_task):
    """Groups whose sign is not the expected one, by when."""
    return {
        when: [
            group
            for group, added in median_growth(parts_by_task).items()
            if not expected(group, added[when])
        ]
        for when in ("first", "last")
    }


def rules(parts_by_task, by_cell):
    """The plan's word on its rules."""
    low, tall, faster = (
        verdicts(by_cell, peak, of)
        for peak, of in (("low", "gain"), ("tall", "gain"), ("low", "speed"))
    )
    return {
        "keep, in the end": outcomes.rule(low, "help", "harm"),
        "keep, for speed": outcomes.rule(faster, "faster", "slower"),
        "drop": outcomes.rule(tall, "harm", "help"),
        "bound": "refuted" if any(against(parts_by_task).values()) else "stands",
    }


def verdict_text(parts_by_task, by_cell):
    """The plan's words on its rules, in a sentence."""
    said = (
        "The plan's rules: to keep the term with a low surrogate, {keep, in the end} in the end, "
        "{keep, for speed} for speed; to drop it with a tall one, {drop}; that chapter 10's bound "
        "tells, {bound}."
    )
    return said.format_map(rules(parts_by_task, by_cell))


def gain_text(summary):
    """Gain at the end with its interval, in points."""
    return interval_text(*(summary["gain"][key] for key in ("mean", "low", "high")))


def speed_text(summary):
    """Ratio of updates with its interval."""
    ratio = (2 ** summary["speed"][key] for key in ("mean", "low", "high"))
    return "{:.2f} [{:.2f}, {:.2f}]".format(*ratio)


def microseconds(parts_by_task, task):
    """Time of one step of an update, forward and back, of all networks of a group: its median."""
    steps = STEPS[task]
    parts = [part for name, part in parts_by_task[task].items() if name.endswith("final")]
    taken = [part["seconds"] / part["updates"][-1] / steps for part in parts]
    return 1e6 * float(np.median(taken))


def learnt(parts_by_task, cell):
    """How many networks of a cell are right beyond the plan's bar in the test, by rho; and all."""
    part = final(parts_by_task, cell.group)
    right = 100 * np.array(part["test"]) >= outcomes.bar(CLASSES[cell.task])
    own = {rho: right[rows(part, cell.optimizer, rho)] for rho in RHOS}
    return {rho: int(values.sum()) for rho, values in own.items()}, len(own[1.0])


def of_cells(by_cell):
    """Gain, ratio of updates and both ends of each cell: "low-xor-subtract-sgd-gain" and so on."""
    said = {}
    for cell, summary in by_cell.items():
        name = "-".join(cell)
        said |= {
            f"{name}-gain": gain_text(summary),
            f"{name}-speed": speed_text(summary),
            f"{name}-updates": "{:.0f} and {:.0f}".format(*summary["updates"]),
            f"{name}-with": f"{summary['ends'][0]:.1f}",
            f"{name}-without": f"{summary['ends'][1]:.1f}",
        }
    return said


def of_counts(by_cell):
    """How many cells have which verdict."""
    flat = [summary["flat"] for summary in by_cell.values()]
    edges = [any(summary["edge"]) for summary in by_cell.values()]
    said = {
        "planned": len(CELLS),
        "looks": outcomes.COMPARISONS,
        "margin": f"{outcomes.MARGIN:g}",
        "seeds": len(plan.FINAL_SEEDS),
        "unfinished": flat.count(False),
        "edges": edges.count(True),
    }
    for peak, of in itertools.product(PEAKS, ("gain", "speed")):
        words = verdicts(by_cell, peak, of)
        said[f"{peak}-cells"] = len(words)
        said[f"{peak}-{of}"] = tally(by_cell, peak, of)
    said["low-finished"] = tally({c: s for c, s in by_cell.items() if s["flat"]}, "low")
    harmed = [s["gain"]["mean"] for s in by_cell.values() if s["gain"]["verdict"] == "harm"]
    said["harmed"] = f"{-max(harmed):.0f} to {-min(harmed):.0f}"
    return said


def untrained(parts_by_task, key, **chosen):
    """Least and most, over the groups chosen, of a median over seeds before training."""
    groups = [g for g in plan.groups() if all(getattr(g, k) == v for k, v in chosen.items())]
    medians = [np.median(final(parts_by_task, group)["first"][key]) for group in groups]
    return min(medians), max(medians)


def of_gradients(parts_by_task):
    """How the gradients of the same untrained weights differ, and where a sign is not expected."""
    wrong, between = against(parts_by_task), "{:.2f} to {:.2f}".format
    named = sorted({(g.peak, KINDS[g.reset]) for groups in wrong.values() for g in groups})
    grown = np.exp(untrained(parts_by_task, "growth/net/rho=0", peak="low", reset="subtract"))
    after = [
        outcomes.added_growth(final(parts_by_task, g), "last")
        for g in plan.groups()
        if g.peak == "tall"
    ]
    return {
        **{f"against-{when}": len(groups) for when, groups in wrong.items()},
        "against": "; ".join(f"{peak}, {kind} reset" for peak, kind in named) or "none",
        "groups": len(plan.groups()),
        "low-growth": between(*grown),
        "tall-cosines": between(*untrained(parts_by_task, "cosine", peak="tall")),
        "same": sum((added == 0).sum() for added in after),
        "tall-networks": sum(len(added) for added in after),
    }


def of_setting(parts_by_task, by_cell):
    """What the tasks and the networks are made of."""
    untimed = [
        summary["speed"]["timed"]
        for summary in by_cell.values()
        if summary["speed"]["verdict"] == "not learnt" != summary["gain"]["verdict"]
    ]
    timed = [
        summary["speed"].get("timed", summary["speed"]["verdict"])
        for cell, summary in by_cell.items()
        if cell.peak == "low"
    ]
    lifs = {kind: Group("xor", reset, "low").lif for reset, kind in KINDS.items()}
    return {
        **{f"bound-{kind}": f"{growth_bound(lif):.2f}" for kind, lif in lifs.items()},
        "networks": len(final(parts_by_task, Group("xor", "zero", "low"))["methods"]),
        "untimed": f"{len(untimed)} cell{'s' * (len(untimed) != 1)}",
        "untimed-words": ", ".join(f"{word} {n}" for word, n in Counter(untimed).most_common()),
        "untimed-rule": outcomes.rule(timed, "faster", "slower"),
        "microseconds": f"{microseconds(parts_by_task, 'xor'):.0f}",
        "hold": data.HOLD,
        "cue": data.CUE,
        "gap": data.GAP,
        "answer": data.ANSWER,
    }


def phrases(parts_by_task, by_cell):
    """All values of chapter 11's text."""
    said = of_cells(by_cell) | of_counts(by_cell)
    said |= of_gradients(parts_by_task) | of_setting(parts_by_task, by_cell)
    said["verdict"] = verdict_text(parts_by_task, by_cell)
    return {key: str(value) for key, value in said.items()}
