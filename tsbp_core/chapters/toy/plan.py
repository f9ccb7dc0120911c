"""The toy neuron's studies: main (targets, optimisers, rho), wide, map (one change at a time), why.

A study is a list of units: one condition, for a range of seeds, at all learning rates.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tsbp_core import surrogates
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy.unit import Unit
from tsbp_core.lab import conditions

RHOS = (1.0, 0.5, 0.0)
CHUNK = 50
"""Seeds a unit, enough for vectorisation and few enough for the cache."""
WIDE = (-6, 1)
"""Decades of the wider grid that was added, since some ranges reach below the announced one."""


class Condition(NamedTuple):
    """Of the main study, and on the wide grid."""

    reset: str
    target: str
    optimizer: str
    rho: float


class Changed(NamedTuple):
    """Of the map; ``change`` is a factor and its level, as in "decay=0.9", or "default="."""

    change: str
    optimizer: str
    rho: float

    @property
    def factor(self):
        return self.change.partition("=")[0]

    @property
    def level(self):
        return self.change.partition("=")[2]


class Arm(NamedTuple):
    """Of "why": the rho of the gradient whose direction is taken, and of the one whose length."""

    reset: str
    optimizer: str
    direction: float
    length: float


def units_main(seeds=100):
    """Resets x targets x optimisers x rho; the soft reset is an addition, without rho = 0.5."""
    units = []
    for reset, rhos in (("zero", RHOS), ("subtract", (1.0, 0.0))):
        for target, optimizer, rho in itertools.product(toy.TARGETS, toy.OPTIMIZERS, rhos):
            name = conditions.name(Condition(reset, target, optimizer, rho))
            lif = replace(toy.NEURON, reset=reset, reset_gradient=rho)
            units.append(Unit(name, lif, toy.Settings(target=target), optimizer))
    return _chunks(seeds, units)


def units_wide(seeds=100):
    """The main study without rho = 0.5, on the wide grid."""
    units = [unit for unit in units_main(seeds) if unit.lif.reset_gradient != 0.5]
    return [replace(unit, decades=WIDE) for unit in units]


def changes():
    """The map: changes of the neuron and of the task, by factor and level."""
    area = {"unit": "area"}
    families = {
        "FastSigmoid": surrogates.FastSigmoid(2.5, **area),
        "Triangle": surrogates.Triangle(0.8, **area),
        "Rectangle": surrogates.Rectangle(0.8, **area),
        "Gaussian": surrogates.Gaussian(0.8 / np.sqrt(2 * np.pi), **area),
        "Arctan": surrogates.Arctan(0.8 / np.pi, **area),
    }
    return {
        "default": {"": ({}, {})},
        "surrogate": {name: ({"surrogate": s}, {}) for name, s in families.items()},
        "unit": {"peak": ({"surrogate": surrogates.Sigmoid(0.2)}, {})},
        "width": {
            f"{w:g}": ({"surrogate": surrogates.Sigmoid(w, **area)}, {})
            for w in (0.05, 0.1, 0.4, 0.8)
        },
        "reset": {"subtract": ({"reset": "subtract"}, {})},
        "decay": {f"{d:g}": ({"decay": d}, {}) for d in (0.5, 0.7, 0.9, 0.95, 0.99)},
        "T": {f"{n}": ({}, {"steps": n}) for n in (25, 50, 200, 400)},
        "N": {f"{n}": ({}, {"inputs": n}) for n in (20, 50, 200, 400)},
    }


def units_map(seeds=50):
    """One change at a time around the default x optimisers x rho in {1, 0}."""
    units = []
    for factor, levels in changes().items():
        for level, (lif, settings) in levels.items():
            for optimizer, rho in itertools.product(toy.OPTIMIZERS, (1.0, 0.0)):
                name = conditions.name(Changed(f"{factor}={level}", optimizer, rho))
                own = replace(toy.NEURON, reset_gradient=rho, **lif)
                units.append(Unit(name, own, toy.Settings(**settings), optimizer, decades=WIDE))
    return _chunks(seeds, units)


def units_why(seeds=100):
    """Direction of one gradient with the length of the other, and both compared along training."""
    units = []
    arms = itertools.product(("zero", "subtract"), toy.OPTIMIZERS, (1.0, 0.0), (True, False))
    for reset, optimizer, rho, same in arms:
        own = replace(toy.NEURON, reset=reset, reset_gradient=rho)
        other = replace(own, reset_gradient=1.0 - rho)
        name = conditions.name(Arm(reset, optimizer, rho, rho if same else 1.0 - rho))
        length_of = None if same else other
        unit = Unit(name, own, optimizer=optimizer, length_of=length_of, probe=same, decades=WIDE)
        units.append(unit)
    return _chunks(seeds, units, size=seeds)  # quantiles over seeds cannot be joined


def _chunks(seeds, units, size=CHUNK):
    edges = [*range(0, seeds, size), seeds]
    return [replace(unit, start=i, stop=j) for unit in units for i, j in itertools.pairwise(edges)]


@dataclass(frozen=True)
class Study:
    """A study: its units for a number of seeds, its results file, what makes it, its seeds."""

    units: Callable
    kind: type
    file: str
    command: str
    seeds: int = 100


STUDIES = {
    "main": Study(units_main, Condition, "toy", "make toy"),
    "wide": Study(units_wide, Condition, "toy-wide", "make toy-wide"),
    "map": Study(units_map, Changed, "toy-map", "make toy-map", 50),
    "why": Study(units_why, Arm, "toy-why", "make toy-why"),
}
