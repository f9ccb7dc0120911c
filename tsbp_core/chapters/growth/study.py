"""What networks learn in 150 updates, with the term and without: the first study of chapter 10.

Outcomes, named before the final run. A pilot with other seeds, the soft reset, rho = 0.5 and
T = 100 chose the learning rate of each depth: of 0.005, 0.01, 0.02 and 0.04 the one with the best
held-out accuracy on average over peak-1 slopes 4 and 100 and area-1 slopes 25 and 100.

1. Held-out accuracy, rho = 1 minus rho = 0, paired over seeds, with Student's t interval.
   Expected: within 5 points of zero where the peak is kept at 1; below zero for tall surrogates,
   more so with depth, and with T. Runs that stay at chance or diverge are results.
2. Length of the first layer's gradient at the first update, where both start from equal weights.

Added after the first results: whether other learning rates change outcome 1 where it is largest
(``rate_conditions``). ``converged`` trains further, at each method's best learning rate.
"""

import itertools
import json
from dataclasses import asdict

import torch
from tqdm import tqdm

from tsbp_core import block_lif, function_lif, inductor_lif, neuron, surrogates, torch_lif
from tsbp_core.chapters.growth import manifolds
from tsbp_core.chapters.growth.outcomes import (
    OTHER_RATES,
    RATES,
    SEEDS,
    STEPS,
    TRAINED,
    Rated,
    Trained,
)
from tsbp_core.chapters.growth.probe import RESETS, RHOS, make_neuron
from tsbp_core.lab import conditions, results

_CODE = (neuron, surrogates, block_lif, function_lif, inductor_lif, torch_lif, manifolds)
"""Modules that decide the numbers. What other versions of them trained is not used again."""


def trained_conditions():
    """Name, neuron and task of every trained condition."""
    named = {}
    for depth, steps, shape, reset, rho in itertools.product(RATES, STEPS, TRAINED, RESETS, RHOS):
        name = conditions.name(Trained(*shape, reset, depth, steps, rho))
        task = manifolds.Task(steps=steps, depth=depth, rate=RATES[depth])
        named[name] = make_neuron(reset, *shape, rho), task
    return named


def rate_conditions():
    """Slope 25 and area 1 with three layers, soft reset and T = 50, at other rates."""
    named = {}
    for rate, rho in itertools.product(OTHER_RATES, RHOS):
        name = conditions.name(Rated("area", 25, "subtract", 3, 50, rate, rho))
        task = manifolds.Task(steps=50, depth=3, rate=rate)
        named[name] = make_neuron("subtract", "area", 25, rho), task
    return named


def train_all(named, folder, quiet=False):
    """Train what ``folder`` does not hold yet; return the outcome of all ``named`` conditions.

    ``named``: as ``trained_conditions`` and ``rate_conditions`` return them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {}
    for name, (lif, task) in tqdm(named.items(), unit="condition", disable=quiet):
        key = results.code_digest(_CODE, repr((lif, task, SEEDS)))
        path = folder / f"{key}.json"
        if not path.exists():
            with results.atomic_file(path) as file:
                file.write(json.dumps(manifolds.train(task, lif, SEEDS)).encode())
        by_name[name] = json.loads(path.read_text())
    return by_name


def study():
    """The trained networks, and those at other learning rates."""
    folder = results.checkpoint("growth")
    return {
        "trained": train_all(trained_conditions(), folder),
        "rates": train_all(rate_conditions(), folder),
    }


def main():
    torch.set_num_threads(1)  # the arrays are small
    results.make(
        "growth",
        study,
        command="make growth",
        settings={
            "neuron": repr(make_neuron("zero", "area", 4)),
            "task": asdict(manifolds.Task()),
            "rates": RATES,
            "seeds": SEEDS,
        },
    )


if __name__ == "__main__":
    main()
