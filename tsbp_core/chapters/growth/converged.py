"""Manifolds to convergence: does the term help in the end, or is it only learnt faster with it?

``study`` trained for 150 updates at one learning rate a depth. Here networks train on the same
task for 2,400 updates at learning rates past the best on both sides, and their curves are kept.

The plan, written before the first run
--------------------------------------
Unit: a cell is a neuron (surrogate, reset, decay, threshold), a depth, T and an optimiser. In a
cell each seed gives one pair of networks, rho = 1 and rho = 0, equal in manifolds, samples, first
weights, batches and number of updates. Seeds are 20 to 29, and 30 to 39 too in the blocks "main
again" and "shallow again". ``study`` used 0 to 4, the pilot 100.

Learning rates: RATES, a factor of 2 apart (SGD: 4), the same for both methods. Each method is taken
at its own best: where the mean over seeds of its accuracy on a validation part is highest, scored
as the outcome is. A best rate at an edge of the grid is marked. The test part chooses nothing.

Primary outcome, "ends": test accuracy at the end, the mean of updates 2,000, 2,200 and 2,400, in
points, rho = 1 minus rho = 0, paired over seeds, each method at its own best rate. Student's t
interval over seeds, Bonferroni over the cells of the family: "verdict" is main, shallow and long
(44 cells), "near" 24, "momentum" 6. With MARGIN = 2 points:
    equal  the interval lies within -2 to +2
    help   it lies above 0 (and not within)      harm  it lies below 0 (and not within)
    open   all else
A network whose logits are not finite answers by guess. Ends is about 2,400 updates at a constant
rate; a cell is flat if for both methods, at these rates, the mean training loss of the last 300
updates is less than 0.02, or less than 5 %, below that of the 300 before. Where it is not, the
cell is said to be unfinished.

Secondary, "speed": updates until the test accuracy first reaches a target, which lies nine tenths
of the way from chance to the lower of the two methods' mean ends; each method at the rate whose
mean validation curve reaches it first; log2 of the ratio, rho = 1 over rho = 0, paired, interval as
above. A network that never reaches it counts as 2,400, and their number is given. faster: below 0;
slower: above 0; equal: within a factor of 1.25 both ways; else open.
Also without verdicts: differences at 150, 300 and 600 updates, of the mean accuracy over all
updates and with early stopping, each at rates chosen for it alike; rate by rate at the end.

What would refute the book's rules, read off the family "verdict":
1. "Spike times matter, so keep the term" is about the cells where h is at most 2.5 high. It stands
   for what is learnt in the end if at least half of the main block's ten help and none of the whole
   family's harms; it is refuted if at least half are equal or harmed; else undecided. It stands for
   speed by the same count with faster for help and slower for harm.
2. "Tall: drop it" is about heights 6.25 and 25. It stands if all of the main block's four are
   harmed, and is refuted if one is equal or helped; else undecided.
3. Chapter 10's bound: refuted if a cell with h at most ``study.growth_bound`` high is harmed. In
   the family "near" heights are the same multiples of the bound at every decay and threshold: with
   threshold 0.5 they are four times those with threshold 2. If the bound tells where harm begins,
   the effect follows the multiple; if height alone does, harm begins at smaller multiples with
   threshold 0.5 than with 1, and at larger ones with 2.

Number of looks: the families above. Nothing is added to a family after the first run, and what is
run first is decided by the order of BLOCKS and the time there is, not by results.

The pilot: seed 100, T = 50, slope 10 with area 1, 900 updates of Adam at seven rates and both rho.
Best after 900 on validation were 0.02 to 0.04 with one layer, both resets; with three layers 0.005
to 0.01 (soft) and 0.01 (hard); at 150 updates about twice as much. With slope 25, soft, three
layers it was 0.0025 with the term. Momentum, soft, three layers, slope 10, 600 updates: 0.032 with
the term, 0.008 without. RATES have two or more rates on both sides of all these. It was seen there
that one layer ends near 99 %, where no method can be much better than the other.
"""

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tsbp_core import LIF, block_lif, neuron, surrogates, torch_lif
from tsbp_core.chapters.growth import manifolds, side_by_side
from tsbp_core.chapters.growth import study as growth
from tsbp_core.lab import results

NAME = "growth-converged"
RHOS = (1.0, 0.0)
RATES = {
    (1, "adam"): (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16),
    (3, "adam"): (0.000625, 0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04),
    (3, "sgd"): (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064),
}
"""Learning rates by hidden layers and optimiser."""
UPDATES = 2400
POINTS = (25, 50, 75, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1200, 1500, 1800, 2000, 2200)
POINTS = (*POINTS, UPDATES)
"""Updates after which networks are tested."""
LAST = 3
"""Tests whose mean is the end."""
STRETCH = 300
"""Updates over which the training loss is averaged."""
TRAIN = {"train": 100, "validation": 50, "test": 100, "updates": UPDATES}
"""Samples a class, and updates."""
SECONDS_OF_WORK = {"cuda": 0.05, "cpu": 100.0}
"""A guess, before anything was timed, of the seconds that a million of ``work`` takes."""
EVERY = 20.0
"""Seconds of training after which results are saved."""
SEEDS, MORE_SEEDS = tuple(range(20, 30)), tuple(range(30, 40))
MARGIN = 2.0
"""Points that matter."""
FACTOR = 1.25
"""Ratio of updates that matters."""
SHARE = 0.9
"""How far from chance to the end the target of "speed" lies."""
SURROGATES = (
    *(("area", k) for k in (4, 10, 14, 20, 25, 100)),
    *(("peak", k) for k in (10, 25, 100)),
)
"""Units and slopes: h is 1, 2.5, 3.5, 5, 6.25, 25 high with area 1, and 1 high and as narrow."""
LONG = (("area", 4), ("area", 10), ("area", 25), ("peak", 10))
NEAR = ((0.9, 0.5), (0.9, 2.0), (0.5, 1.0))
"""Decays and thresholds."""
NEAR_HEIGHTS = (2.5, 3.5, 5.0, 6.25)
"""At decay 0.9 and threshold 1; scaled as the bound is at others."""


@dataclass(frozen=True)
class Cell:
    """One comparison: a neuron but for rho, a depth, T and an optimiser."""

    unit: str
    slope: float
    reset: str
    depth: int = 3
    steps: int = 50
    decay: float = growth.DECAY
    threshold: float = growth.THRESHOLD
    optimizer: str = "adam"

    @property
    def name(self):
        """As in ``study.trained_conditions``; what differs from there is added."""
        parts = [
            f"{self.unit}/slope={self.slope:.4g}/{self.reset}/depth={self.depth}/T={self.steps}"
        ]
        if (self.decay, self.threshold) != (growth.DECAY, growth.THRESHOLD):
            parts.append(f"decay={self.decay:g}/threshold={self.threshold:g}")
        if self.optimizer != "adam":
            parts.append(self.optimizer)
        return "/".join(parts)

    @property
    def rates(self):
        return RATES[self.depth, self.optimizer]

    @property
    def task(self):
        return manifolds.Task(steps=self.steps, depth=self.depth, **TRAIN)

    @property
    def beside(self):
        """Cells for which this is the same can be trained side by side."""
        return self.reset, self.depth, self.steps, self.decay, self.threshold, self.optimizer

    def lif(self, rho):
        surrogate = surrogates.Sigmoid(1.0 / self.slope, unit=self.unit)
        return LIF(self.decay, self.threshold, self.reset, surrogate, rho)

    @property
    def height(self):
        """h at the threshold."""
        return self.lif(1.0).surrogate.scale

    @property
    def multiple(self):
        """Height over ``study.growth_bound``."""
        return self.height / growth.growth_bound(self.lif(1.0))


def cells(pairs, **settings):
    """Cells with both resets for each (unit, slope)."""
    return [Cell(unit, k, reset, **settings) for reset in growth.RESETS for unit, k in pairs]


def near_cells():
    """Area 1, heights at the same multiples of the bound for each decay and threshold of NEAR."""
    found = []
    for decay, threshold in NEAR:
        for reset in growth.RESETS:
            usual, here = (
                growth.growth_bound(LIF(*pair, reset))
                for pair in ((growth.DECAY, growth.THRESHOLD), (decay, threshold))
            )
            for height in NEAR_HEIGHTS:
                slope = 4.0 * height * here / usual
                found.append(Cell("area", slope, reset, decay=decay, threshold=threshold))
    return found


MAIN, SHALLOW = cells(SURROGATES), cells(SURROGATES, depth=1)
BLOCKS = {
    "main": (MAIN, SEEDS),
    "shallow": (SHALLOW, SEEDS),
    "near": (near_cells(), SEEDS),
    "long": (cells(LONG, steps=200), SEEDS),
    "main again": (MAIN, MORE_SEEDS),
    "momentum": (cells(LONG[:3], optimizer="sgd"), SEEDS),
    "shallow again": (SHALLOW, MORE_SEEDS),
}
"""Cells and seeds, in the order in which they run."""
FAMILIES = {"verdict": ("main", "shallow", "long"), "near": ("near",), "momentum": ("momentum",)}
"""Blocks whose cells are corrected for together."""


def family(name):
    """All cells of a family, run or not: the looks that intervals are corrected for."""
    return [cell for block in FAMILIES[name] for cell in BLOCKS[block][0]]


def units(blocks, done, together):
    """What is to be trained at once: lists of (block, cells, seeds) not yet in ``done``.

    Parameters
    ----------
    blocks : sequence of str
    done : dict
        By cell's name, a dict by seed as text.
    together : bool
        All seeds and all cells that can be side by side; else one cell and one seed at a time.
    """
    found = []
    for block in blocks:
        all_cells, seeds = BLOCKS[block]
        missing = {
            cell: [seed for seed in seeds if str(seed) not in done.get(cell.name, {})]
            for cell in all_cells
        }
        if not together:
            found += [(block, [cell], [seed]) for cell, left in missing.items() for seed in left]
            continue
        groups = {}
        for cell, left in missing.items():
            if left:
                groups.setdefault((cell.beside, tuple(left)), []).append(cell)
        found += [(block, group, list(left)) for (_, left), group in groups.items()]
    return found


def work(group, seeds):
    """Millions of steps of a layer that training a unit takes; time goes by it."""
    cell = group[0]
    networks = len(group) * len(RHOS) * len(cell.rates) * len(seeds)
    return networks * cell.steps * cell.depth * UPDATES / 1e6


def train(group, seeds, device):
    """Train all networks of a unit: by cell's name and seed, what is kept of them.

    Thousandths of ``validation`` and ``test`` accuracy [rho, rate, point], and mean ``loss`` over
    stretches of STRETCH updates [rho, rate, stretch].
    """
    cell = group[0]
    lifs = [each.lif(rho) for rho in RHOS for each in group]
    found = side_by_side.train(
        cell.task, lifs, cell.rates, seeds, POINTS, cell.optimizer, device=device
    )
    shape = len(RHOS), len(group)
    loss = found["loss"].reshape(-1, STRETCH, *found["loss"].shape[1:]).mean(axis=1)
    kept = {"loss": np.moveaxis(loss, 0, -1).astype(float).round(3)}
    for part in ("validation", "test"):
        kept[part] = np.rint(1000 * found[part]).astype(int)
    kept = {key: values.reshape(*shape, *values.shape[1:]) for key, values in kept.items()}
    return {
        each.name: {
            str(seed): {key: values[:, c, :, k].tolist() for key, values in kept.items()}
            for k, seed in enumerate(seeds)
        }
        for c, each in enumerate(group)
    }


def settings():
    """What the numbers depend on, as JSON has it."""
    return {
        "rates": {f"depth={depth}/{name}": list(rates) for (depth, name), rates in RATES.items()},
        "rhos": list(RHOS),
        "points": list(POINTS),
        "stretch": STRETCH,
        "task": TRAIN,
    }


def open_results(folder):
    """Results so far: {"cells": by name and seed, "runs": how they were made}.

    Raises
    ------
    ValueError
        If they were made with other settings.
    """
    path = Path(folder) / f"{NAME}.json"
    if not path.exists():
        return {"cells": {}, "runs": []}
    document = json.loads(path.read_text())
    if document["settings"] != settings():
        raise ValueError(f"{path} was made with other settings; move it away to begin anew")
    return document["results"]


def run(folder, device="cpu", blocks=tuple(BLOCKS), seconds=None, report=print):
    """Train what ``folder`` lacks, unit after unit; save every EVERY seconds and at the end.

    With ``seconds``, a unit that would by the pace so far take longer than is left is passed over.
    Returns what there is then.
    """
    start = saved = time.perf_counter()
    found = open_results(folder)
    device = torch.device(device)
    pace, passed_over = SECONDS_OF_WORK[device.type], 0
    made = {**results.provenance(), **machine(device), "units": []}

    def save():
        results.save(
            NAME,
            command="make converged",
            settings=settings(),
            results={**found, "runs": [*found["runs"], made]},
            wall_time_s=sum(unit[-1] for run in [*found["runs"], made] for unit in run["units"]),
            folder=folder,
        )

    try:
        for block, group, seeds in units(blocks, found["cells"], together=device.type == "cuda"):
            begun = time.perf_counter()
            size = work(group, seeds)
            name = f"{block}: {group[0].name} and {len(group) - 1} more, seeds {seeds}"
            if seconds is not None and begun - start + pace * size > seconds:
                passed_over += 1
                continue
            for cell, by_seed in train(group, seeds, device).items():
                found["cells"].setdefault(cell, {}).update(by_seed)
            now = time.perf_counter()
            took = now - begun
            pace = took / size
            made["units"].append([block, group[0].name, len(group), seeds, round(took, 2)])
            if now - saved > EVERY:
                save()
                saved = time.perf_counter()
            report(f"{now - start:6.1f} s, of which {took:.1f} s for {name}")
    finally:
        if made["units"]:
            save()
    if passed_over:
        report(f"passed over {passed_over} units, each longer than the time that was left")
    return found


def machine(device):
    """The device's name and a digest of the code that the numbers come from."""
    modules = (neuron, surrogates, block_lif, torch_lif, manifolds, side_by_side)
    code = b"".join(Path(module.__file__).read_bytes() for module in modules)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "code": hashlib.sha256(code).hexdigest()[:16]}


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.growth.converged",
        description="Train pairs of networks on manifolds to convergence; resumable.",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", default=results.RESULTS, type=Path, help="folder of the results")
    parser.add_argument("--seconds", type=float, help="begin nothing that would take longer")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=list(BLOCKS))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        found = run(args.out, args.device, args.blocks, args.seconds)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from the last unit saved") from None
    trained = sum(len(by_seed) for by_seed in found["cells"].values())
    planned = sum(len(group) * len(seeds) for group, seeds in BLOCKS.values())
    print(f"{trained} of {planned} pairs of cell and seed are in {args.out / NAME}.json")


if __name__ == "__main__":
    main()
