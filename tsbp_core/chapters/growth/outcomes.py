"""What the study of chapter 10 found, by condition, and what the term gains of accuracy."""

from typing import NamedTuple

import numpy as np

from tsbp_core.chapters.growth.study import Probed, Rated, Stepped, Trained, make_neuron
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import t_interval


class Shape(NamedTuple):
    """A surrogate of the study."""

    unit: str
    slope: float

    @property
    def height(self):
        """h at the threshold."""
        return make_neuron("zero", self.unit, self.slope).surrogate.scale


class Found(NamedTuple):
    """The committed results, in the order of ``study.study``."""

    lengths: dict
    """By ``Probed``."""
    steps: dict
    """By ``Stepped``, then by rho."""
    square_bound: dict
    """By reset."""
    trained: dict
    """By ``Trained``."""
    rates: dict
    """By ``Rated``."""


def load():
    """The committed results, a ``Found``."""
    found = results.load("growth")["results"]
    steps = conditions.by_condition(Stepped, found["steps"])
    return Found(
        conditions.by_condition(Probed, found["lengths"]),
        {key: {float(rho): said for rho, said in cell.items()} for key, cell in steps.items()},
        found["square_bound"],
        conditions.by_condition(Trained, found["trained"]),
        conditions.by_condition(Rated, found["rates"]),
    )


def gain(trained, condition):
    """Held-out accuracy with the term minus without, of each seed [S], in points."""
    pair = (np.array(run["accuracy"]) for run in conditions.pair(trained, condition))
    return 100.0 * np.subtract(*pair)


def gains(trained, **chosen):
    """Mean gain with its 95 % t interval over seeds, by ``Shape``.

    Averaged, seed by seed, over the conditions chosen by ``reset``, ``depth`` or ``T``.
    """
    by_shape = {}
    for condition in trained:
        fits = all(getattr(condition, field) == value for field, value in chosen.items())
        if fits and condition.rho == 1.0:
            shape = Shape(condition.unit, condition.slope)
            by_shape.setdefault(shape, []).append(gain(trained, condition))
    means = {shape: np.mean(values, axis=0) for shape, values in by_shape.items()}
    return {shape: (values.mean(), *t_interval(values)) for shape, values in means.items()}
