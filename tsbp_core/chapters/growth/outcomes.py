"""The study of 150 updates: its conditions, what it found, and what the term gains of accuracy."""

from typing import NamedTuple

import numpy as np

from tsbp_core.chapters.growth.probe import make_neuron
from tsbp_core.chapters.growth.verdicts import paired_interval
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import t_interval

TRAINED = (*(("peak", k) for k in (4, 10, 25, 100)), *(("area", k) for k in (10, 25, 100)))
"""Units and slopes trained with; at slope 4 the two units are the same."""
RATES = {1: 0.04, 3: 0.01}
"""Learning rate of Adam by number of hidden layers, from the pilot."""
OTHER_RATES = (0.0025, 0.005, 0.02)
STEPS, SEEDS = (50, 100), (0, 1, 2, 3, 4)


class Trained(NamedTuple):
    """A condition of the trained networks; ``depth`` counts hidden layers."""

    unit: str
    slope: float
    reset: str
    depth: int
    T: int
    rho: float


class Rated(NamedTuple):
    """A condition at another learning rate."""

    unit: str
    slope: float
    reset: str
    depth: int
    T: int
    rate: float
    rho: float


class Shape(NamedTuple):
    """A surrogate of the study."""

    unit: str
    slope: float

    @property
    def height(self):
        """h at the threshold."""
        return make_neuron("zero", self.unit, self.slope).surrogate.scale


def load():
    """The committed results: by ``Trained``, and by ``Rated``."""
    made = results.load("growth")["results"]
    return (
        conditions.by_condition(Trained, made["trained"]),
        conditions.by_condition(Rated, made["rates"]),
    )


def gain(trained, condition):
    """Held-out accuracy with the term minus without, of each seed [S], in points."""
    pair = (np.array(run["accuracy"]) for run in conditions.pair(trained, condition))
    return 100.0 * np.subtract(*pair)


def seed_gains(trained, **chosen):
    """Gain of each seed [S] by ``Shape``, the mean over conditions chosen by ``depth`` or ``T``."""
    by_shape = {}
    for condition in trained:
        fits = all(getattr(condition, field) == value for field, value in chosen.items())
        if fits and condition.rho == 1.0:
            shape = Shape(condition.unit, condition.slope)
            by_shape.setdefault(shape, []).append(gain(trained, condition))
    return {shape: np.mean(values, axis=0) for shape, values in by_shape.items()}


def gains(trained, level=0.95, **chosen):
    """Mean of ``seed_gains`` with its t interval, by ``Shape``."""
    by_shape = seed_gains(trained, **chosen)
    return {
        shape: (values.mean(), *t_interval(values, level)) for shape, values in by_shape.items()
    }


def more(trained, shapes, one, other):
    """What the gain is more under choice ``one`` than under ``other``, paired, for each shape.

    Choices are as ``seed_gains`` takes them. A list of means with their t intervals, corrected for
    the number of shapes.
    """
    gains_by_shape = (seed_gains(trained, **choice) for choice in (one, other))
    first, second = ([by_shape[shape] for shape in shapes] for by_shape in gains_by_shape)
    return [paired_interval(pair, len(shapes)) for pair in zip(first, second, strict=True)]
