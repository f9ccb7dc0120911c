"""What keeping the term changes in each setting that we trained, side by side.

Read from the results files. The intervals of ``effects`` are Student's t over paired seeds,
corrected alike: for the number of rows, by Bonferroni, so that all of them hold at once with 95 %
confidence. Those of ``toy_gains`` and ``gain_by_change`` are their chapters'.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from tsbp_core.chapters.cifar10 import compared, quarter
from tsbp_core.chapters.cifar10 import outcomes as cifar10
from tsbp_core.chapters.cifar10 import plan as cifar10_plan
from tsbp_core.chapters.growth import plan, verdicts
from tsbp_core.chapters.sequences import outcomes as sequences
from tsbp_core.chapters.sequences import report
from tsbp_core.chapters.toy import experiment
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.toy.plan import Condition
from tsbp_core.lab import conditions
from tsbp_core.lab.statistics import interval_text, t_interval

TOY, SMALL, LARGE, PAPERS, CHANGED, MANIFOLDS, SEQUENCES = (
    "spike times, one neuron",
    "CIFAR-10, 4 layers",
    "CIFAR-10, 6 layers",
    "CIFAR-10, narrow CIFARNet",
    "CIFAR-10, one change",
    "manifolds, in the end",
    "sequences, in the end",
)
MARGINS = {
    TOY: 0.0,
    **dict.fromkeys((SMALL, LARGE, PAPERS, CHANGED), cifar10_plan.MARGIN),
    MANIFOLDS: plan.MARGIN,
    SEQUENCES: sequences.MARGIN,
}
"""Differences that count for nothing, by task, as their studies named them; none for the toy."""


@dataclass(frozen=True)
class Effect:
    """What keeping the term changes in one setting: mean and interval, in a unit.

    ``height``: of h at the threshold, which is 1 in all of them.
    """

    task: str
    setting: str
    height: float
    seeds: int
    mean: float
    low: float
    high: float
    unit: str
    margin: float = 0.0

    @property
    def verdict(self):
        """ "equal" within the margin; else "keep" or "drop" by the interval's sign, or "open"."""
        return verdicts.judge(self.low, self.high, self.margin, ("keep", "drop"))

    @property
    def text(self):
        """The mean, the interval and the unit."""
        return f"{interval_text(self.mean, self.low, self.high)} {self.unit}"


def toy_gains(optimizer, outcome="width"):
    """Decades of robust width that the toy neuron gains by the term, means and intervals.

    Of both resets and all targets, on the wide grid; the first is the hard reset's and the random
    target's. Intervals of 95 %, by the bootstrap of chapter 5.
    """
    found = toy.load("wide")
    return [
        toy.gain(*conditions.pair(found, Condition(reset, target, optimizer, 1.0)), outcome)
        for reset in ("zero", "subtract")
        for target in ("random", "teacher", "regular")
    ]


def gain_by_change():
    """Points that the term gains after each change of chapter 7's network, mean and interval.

    The intervals are widened for the number of changes, by Bonferroni.
    """
    pairs = cifar10.by_change(cifar10.collect("factors"))
    return {
        change: cifar10.gain(pair, cifar10_plan.CHANGES_LEVEL) for change, pair in pairs.items()
    }


def height(lif):
    """h at the threshold."""
    return lif.surrogate.scale


def toy_rows():
    """Decades of learning rate that work, for the random target and the hard reset."""
    for optimizer, name in (("adam", "Adam"), ("sgd", "gradient descent")):
        pair = conditions.pair(toy.load("wide"), Condition("zero", "random", optimizer, 1.0))
        widths = (toy.per_seed(result)["width"] for result in pair)
        yield TOY, name, height(experiment.NEURON), np.subtract(*widths), "decades"


def cifar10_rows():
    """Points of test accuracy on CIFAR-10."""

    def paired(values):
        return np.subtract(values[1.0], values[0.0])

    names = {"adamw": "AdamW", "sgd": "SGD"}
    runs = cifar10.collect("grid")
    tables = {key: cifar10.by_rate(runs, key) for key in names}
    larger = cifar10.collect("larger")
    usual = height(cifar10_plan.COMPACT.neuron())
    for task, found in ((SMALL, runs), (LARGE, larger)):
        for key, name in names.items():
            values = paired(cifar10.primary(found, key))
            yield task, f"{name}, middle rates", usual, values, "points"
        if task == SMALL:
            for key, name in names.items():
                losses = cifar10.by_rate(runs, key, cifar10.train_loss)
                values = paired(cifar10.own_best(tables[key], losses))
                yield task, f"{name}, each at its best rate", usual, values, "points"
    for key, pair in compared.pairs(compared.load()).items():
        yield SMALL, f"{names[key]}, tuned, 10 epochs", usual, paired(pair), "points"
    headline = cifar10.collect("headline")
    values = paired(cifar10.pairs(headline)[""])
    yield LARGE, "AdamW, chapter 13", height(cifar10_plan.HEADLINE.neuron()), values, "points"
    values = paired(quarter.pairs(quarter.load())[quarter.PRESET])
    yield PAPERS, "AdamW, 10 epochs", usual, values, "points"
    for name, pair in cifar10.by_change(cifar10.collect("factors")).items():
        changed = replace(cifar10_plan.COMPACT, **cifar10_plan.CHANGES[name])
        words = f"AdamW, {name.replace('-', ' ')}"
        yield CHANGED, words, height(changed.neuron()), paired(pair), "points"


def manifold_rows():
    """Points of test accuracy in the end on manifolds."""
    found = verdicts.load()
    shapes = ("peak", 10), *(("area", slope) for slope in (10, 14, 20, 25))
    three = [(*shape, 3) for shape in shapes]
    one = [(*shape, 1) for shape in (("peak", 10), ("area", 25), ("area", 100))]
    for unit, slope, depth in (*three, *one):
        for reset, name in (("subtract", "soft"), ("zero", "hard")):
            cell = plan.Cell(unit, slope, reset, depth)
            ends, _ = verdicts.at_own_best(verdicts.record(found[cell.name]), verdicts.end)
            layers = f"{depth} layer{'s' * (depth > 1)}"
            yield (
                MANIFOLDS,
                f"{layers}, {name}, peak {cell.height:.3g}",
                cell.height,
                ends[0] - ends[1],
                "points",
            )


def sequence_rows():
    """Points of test accuracy in the end of recurrent networks: what is learnt with Adam."""
    found = report.load()
    for cell, summary in report.cells(found).items():
        if cell.optimizer == "adam" and summary["gain"]["verdict"] != "not learnt":
            own = height(cell.group.lif)
            words = report.TITLES[cell.task].replace(",", ""), report.KINDS[cell.reset]
            final = report.final(found, cell.group)
            values = sequences.gains(final, cell.optimizer)
            yield SEQUENCES, f"{', '.join(words)}, peak {own:.3g}", own, values, "points"


def effects():
    """What keeping the term changes, over all studies that train: a list of ``Effect``."""
    rows = [*toy_rows(), *cifar10_rows(), *manifold_rows(), *sequence_rows()]
    level = 1.0 - 0.05 / len(rows)
    return [
        Effect(
            task,
            setting,
            height,
            len(paired),
            float(np.mean(paired)),
            *map(float, t_interval(paired, level)),
            unit,
            MARGINS[task],
        )
        for task, setting, height, paired, unit in rows
    ]


def counts(effects):
    """How many have each verdict, the most frequent first."""
    return dict(Counter(effect.verdict for effect in effects).most_common())
