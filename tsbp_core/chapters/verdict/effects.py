"""What keeping the term changes, over all studies that train, read from the results files."""

from dataclasses import dataclass

from tsbp_core.chapters.cifar10 import outcomes as cifar10
from tsbp_core.chapters.cifar10.plan import CHANGES_LEVEL
from tsbp_core.chapters.growth import outcomes as growth
from tsbp_core.chapters.growth.outcomes import Shape
from tsbp_core.chapters.growth.study import RATES
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.toy.plan import Condition
from tsbp_core.lab import conditions
from tsbp_core.lab.statistics import interval_text

OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}


@dataclass(frozen=True)
class Effect:
    """What keeping the term changes in one setting: mean and 95 % interval, in a unit."""

    task: str
    setting: str
    mean: float
    low: float
    high: float
    unit: str

    @property
    def verdict(self):
        """ "keep" or "drop" if the interval excludes zero, else "either"."""
        return "keep" if self.low > 0 else "drop" if self.high < 0 else "either"

    @property
    def text(self):
        """The mean, the interval and the unit."""
        return f"{interval_text(self.mean, self.low, self.high)} {self.unit}"

    @property
    def strength(self):
        """The mean over half the interval's width. Beyond -1 or 1 the interval excludes zero."""
        return self.mean / (0.5 * (self.high - self.low))


def effects():
    """All effects, a list of ``Effect``, task after task."""
    return [*spike_times(), *cifar10_small(), *cifar10_large(), *cifar10_changed(), *manifolds()]


def toy_gain(optimizer):
    """Decades of robust width that the toy neuron gains by the term, mean and interval."""
    return toy.gain(*conditions.pair(toy.load("wide"), Condition("zero", "random", optimizer, 1.0)))


def gain_by_change():
    """Points that the term gains after each change of chapter 7's network, mean and interval.

    The intervals are widened for the number of changes, by Bonferroni.
    """
    pairs = cifar10.by_change(cifar10.collect("factors"))
    return {change: cifar10.gain(pair, CHANGES_LEVEL) for change, pair in pairs.items()}


def spike_times():
    """Of chapter 5."""
    names = {"adam": "Adam", "sgd": "gradient descent"}
    return [
        _effect("spike times, one neuron", name, toy_gain(optimizer), "decades")
        for optimizer, name in names.items()
    ]


def cifar10_small():
    """Of chapter 7's grid."""
    task, runs = "CIFAR-10, 4 layers", cifar10.collect("grid")
    tables = {key: cifar10.by_rate(runs, key) for key in OPTIMIZERS}
    found = _middle_rates(task, runs)
    for lr, name in ((3e-3, "rate far too small"), (3.0, "rate far too large")):
        pair = cifar10.at_rate(tables["sgd"], "sgd", lr)
        found.append(_effect(task, f"SGD, {name}", cifar10.gain(pair)))
    for optimizer, name in OPTIMIZERS.items():
        losses = cifar10.by_rate(runs, optimizer, cifar10.train_loss)
        pair = cifar10.own_best(tables[optimizer], losses)
        found.append(_effect(task, f"{name}, each at its best rate", cifar10.gain(pair)))
    return found


def cifar10_large():
    """Of chapter 7's larger network and of chapter 12's recipe."""
    task = "CIFAR-10, 6 layers"
    recipe = cifar10.pairs(cifar10.collect("headline"))[""]
    return [
        *_middle_rates(task, cifar10.collect("larger")),
        _effect(task, "AdamW, chapter 12", cifar10.gain(recipe)),
    ]


def cifar10_changed():
    """Of five of chapter 7's changes."""
    gains = gain_by_change()
    return [
        _effect("CIFAR-10, one change", f"AdamW, {change.replace('-', ' ')}", gains[change])
        for change in ("16-steps", "soft-reset", "8-layers", "peak-5", "peak-12.5")
    ]


def manifolds():
    """Of chapter 10."""
    found, trained = [], growth.load().trained
    shapes = [Shape("peak", 100), Shape("peak", 10), *(Shape("area", k) for k in (10, 25, 100))]
    for depth in RATES:
        task = f"manifolds, {depth} layer{'s' * (depth > 1)}"
        gains = growth.gains(trained, depth=depth)
        for shape in shapes:
            setting = f"peak {shape.height:.3g}, slope {shape.slope:g}"
            found.append(_effect(task, setting, gains[shape]))
    return found


def _middle_rates(task, runs):
    return [
        _effect(task, f"{name}, middle rates", cifar10.gain(cifar10.primary(runs, optimizer)))
        for optimizer, name in OPTIMIZERS.items()
    ]


def _effect(task, setting, gain, unit="points"):
    return Effect(task, setting, *map(float, gain), unit)
