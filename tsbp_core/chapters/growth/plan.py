"""The plan of ``converged``: does the term help in the end, or is it only learnt faster with it?

``study`` trained for 150 updates at one learning rate a depth. Here networks train on the same
task for 2,400 updates at learning rates past the best on both sides, and their curves are kept.

The plan, written before the first run
--------------------------------------
Unit: a cell is a neuron (surrogate, reset, decay, threshold), a depth, T and an optimiser. In a
cell each seed gives one pair of networks, rho = 1 and rho = 0, equal in manifolds, samples, first
weights, batches and number of updates. Seeds are 20 to 29, and 30 to 39 too in the blocks "main
again" and "shallow again". ``study`` used 0 to 4, the pilot 100.

Learning rates: RATES, a factor of 2 apart (the plan's words said 4 for SGD, its RATES and so the
runs have 2), the same for both methods. Each method is taken at its own best: where the mean over
seeds of its accuracy on a validation part is highest, scored as the outcome is. A best rate at an
edge of the grid is marked. The test part chooses nothing.

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
3. Chapter 10's bound: refuted if a cell with h at most ``probe.growth_bound`` high is harmed. In
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

from dataclasses import dataclass

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.growth import probe

NAME = "growth-converged"
"""Of the results file."""
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
"""Units and slopes. Heights are 1, 2.5, 3.5, 5, 6.25, 25 (area 1), and 1, as narrow (peak)."""
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
    decay: float = probe.DECAY
    threshold: float = probe.THRESHOLD
    optimizer: str = "adam"

    @property
    def name(self):
        """As in ``study.trained_conditions``; what differs from there is added."""
        parts = [
            f"{self.unit}/slope={self.slope:.4g}/{self.reset}/depth={self.depth}/T={self.steps}"
        ]
        if (self.decay, self.threshold) != (probe.DECAY, probe.THRESHOLD):
            parts.append(f"decay={self.decay:g}/threshold={self.threshold:g}")
        if self.optimizer != "adam":
            parts.append(self.optimizer)
        return "/".join(parts)

    @property
    def rates(self):
        return RATES[self.depth, self.optimizer]

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
        """Height over ``probe.growth_bound``."""
        return self.height / probe.growth_bound(self.lif(1.0))


def cells(pairs, **settings):
    """Cells with both resets for each (unit, slope)."""
    return [Cell(unit, k, reset, **settings) for reset in probe.RESETS for unit, k in pairs]


def near_cells():
    """Area 1, heights at the same multiples of the bound for each decay and threshold of NEAR."""
    cells = []
    for decay, threshold in NEAR:
        for reset in probe.RESETS:
            usual, here = (
                probe.growth_bound(LIF(*pair, reset))
                for pair in ((probe.DECAY, probe.THRESHOLD), (decay, threshold))
            )
            for height in NEAR_HEIGHTS:
                slope = 4.0 * height * here / usual
                cells.append(Cell("area", slope, reset, decay=decay, threshold=threshold))
    return cells


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
