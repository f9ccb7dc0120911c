"""The paired study on CIFAR-10: does the term matter at scale, and at which learning rates?

Written before the runs of ``grid``, so that nobody chooses afterwards:

- Unit of comparison: two runs that differ in rho alone, with the same seed, optimiser and rate.
- Primary outcome: test accuracy, rho = 1 minus rho = 0, averaged over the three ``MIDDLE`` learning
  rates of each seed, for each optimiser. The methods count as equivalent if two one-sided tests
  place the mean difference within ``MARGIN`` points (a 90 % interval inside the margin).
- Also: the difference at each learning rate with its 95 % interval; accuracy at each method's own
  best rate, which the mean training loss chooses, not the test set; robust width, the decades of
  learning rate at which a run comes within ``NEAR`` points of the best run of its seed and
  optimiser; training loss; length and direction of both gradients; firing rates.
- A diverged run counts with the accuracy of chance.

Where the term might start to matter, two further studies with three seeds. They were planned when
most or all of the grid was in, before any run of their own; nothing was named a primary outcome
there, and both are read as exploration:

- ``factors``: one change at a time to the compact network, with AdamW at its middle rate. (With
  SGD, as the grid shows, a change of length alone can decide at a single rate.) Outcomes: the
  paired difference in test accuracy, divergence, and the length of the complete gradient over that
  of the detached one in the first layer, at the start and at the end.
- ``larger``: the three middle rates again with a network of six layers that should pass 80 %, with
  the same neurons.

``headline`` is a recipe for the paper's accuracy on two CPU cores, both methods, three seeds.
Nine short variants and then a pilot, each with one other seed, rho = 1 and 5,000 training images
held out, chose it: the pilot's 16 epochs, 11 of them with two steps, reached 90.7 % of these
images. The study is shorter by four epochs, for time, and was fixed before it ran. It wants a
whole machine: JOBS=1. ``curve`` repeats seed 0 with 5,000 training images held out, to see
accuracy after each epoch.

``ablation`` asks what each step of this recipe buys: half its width and 4 epochs, rho = 1, one
thing undone at a time. Outcomes: accuracy on 5,000 held-out training images and seconds, both
paired by seed. Four epochs are few, so that what protects against overfitting may not pay yet. It
was written after the recipe, and chose nothing.

``swap`` asks why the term costs half a point with AdamW: what the grid's five seeds give at the
``MIDDLE`` rates if each weight tensor's gradient has one method's direction and one method's
length, update by update, before AdamW sees it. It was planned when the grid was long in, before any
run of its own:

- Unit of comparison: a seed; test accuracies are averaged over the three rates. The runs with their
  own length are those of the grid, computed again: kernels changed since, and with them last bits,
  which two epochs of training blow up to tenths of a point.
- Outcomes: the effect of the direction (complete minus detached, averaged over both lengths) and
  that of the length (over both directions), each with an interval corrected for the two.
- Verdict: what has an interval below zero carries the cost; if neither has, it is open. AdamW
  divides a constant length out, so the direction is expected to carry it: an interval of the length
  that excludes zero would contradict that.

``best`` asks what is left of the difference when both methods are tuned and trained on: 10 epochs,
each method at its own best rate, 10 seeds. It was planned after ``grid``, ``larger`` and
``headline``, before any run of its own. Still before, its networks were set to compute in bfloat16,
as those of ``larger`` and ``headline`` do: a run takes 0.6 of the time.

- ``tuning`` chooses the rates: ``TUNING_RATES`` lie on both sides of the grid's best; two seeds
  that ``best`` has not; 5,000 training images held out. The rate with the highest mean accuracy on
  them is a method's own, and is written down here. If it is the first or the last, the sweep goes
  on by a place that way. The test set chooses nothing. (Two rates of SGD with the term tied, 8,133
  of 10,000 images each. The plan had no word on that; before anybody looked at the losses it was
  added that the lower mean training loss decides, as in the grid.)
- Primary outcome: test accuracy, rho = 1 minus rho = 0, paired over the 10 seeds, for each
  optimiser. Two looks: "equivalent" if the 95 % interval lies within ``MARGIN`` points (two
  one-sided tests at 2.5 %), "help" or "harm" if the 97.5 % interval excludes zero. Both can hold:
  a difference that is there, and small. Neither: open.
- Power, before: at own best rates the grid's pairs scatter by 0.50 (AdamW) and 0.54 (SGD) points,
  the headline's by 0.20. If ten epochs scatter by 0.5 and the true difference is 0, "equivalent"
  comes out in 61 % of such studies, if by 0.35 in 96 %; if the true difference is 0.2, in 37 and
  67 %. A true difference of 0.5 is found in 68 and 95 %.
- Also: test accuracy with the flipped image, training loss, both methods' gradients.
- It refutes "either, if you tune the rate" if an interval lies beyond the margin, and weakens it if
  both are open.

Each run that ends is kept as a results file of its own. Runs are independent: they are computed in
any order, by any number of processes that share the folders, and go on where they were cut off.
"""

import itertools
from dataclasses import dataclass, replace

from tsbp_core.chapters.cifar10.settings import Settings

RHOS = (1.0, 0.0)
MARGIN = 0.5
"""Points of accuracy that count as no difference."""
PAPER = 88.98
"""The higher of the two accuracies that the paper reports (Yang, 2020)."""
RATES = {
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "sgd": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0),
}
"""Half a decade apart. Pilot runs with rho = 0.5, held-out images and another seed placed them."""
MIDDLE = slice(2, 5)
TUNING_RATES = {"adamw": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1), "sgd": (3e-2, 1e-1, 3e-1, 1.0)}
"""Of ``tuning``; both methods' best of the grid lie inside."""
OWN_RATES = {("adamw", 1.0): 0.01, ("adamw", 0.0): 0.01, ("sgd", 1.0): 0.1, ("sgd", 0.0): 0.3}
"""What ``tuning`` chose, by optimiser and rho: the rates of ``best``."""
WEIGHT_DECAY = {"adamw": 0.01, "sgd": 5e-4}
COMPACT = Settings(network="24C3-P2-48C3-P2-96C3-P2-96C3-P2")
LARGER = replace(
    COMPACT,
    network="W2-32C3-P2-32C3-128C3-P2-128C3-128C3-P2-128C3",
    epochs=4,
    batch=256,
    precision="bfloat16",
)
HEADLINE = Settings(
    network="W2-64C3-P2-64C3-256C3-P2-256C3-256C3-P2-256C3",
    doublings=(8,),
    epochs=12,
    batch=256,
    lr=5e-3,
    weight_decay=0.02,
    precision="bfloat16",
    decay=0.5,
    surrogate_width=0.4,
)
"""T = 2 for 8 epochs, then T = 4."""
SHORT = replace(HEADLINE, network=LARGER.network, doublings=(3,), epochs=4, held_out=5000)
ABLATION = {
    "recipe": {},
    "2-steps-throughout": {"steps": 2, "doublings": ()},
    "4-steps-throughout": {"doublings": ()},
    "no-whitening": {"network": LARGER.network.removeprefix("W2-")},
    "no-shifts": {"shift": 0},
    "no-smoothing": {"label_smoothing": 0.0},
    "sgd": {"optimizer": "sgd", "lr": 0.3, "weight_decay": WEIGHT_DECAY["sgd"]},
    "batch-128": {"batch": 128},
    "float32": {"precision": "float32"},
    "decay-0.8": {"decay": 0.8},
    "surrogate-0.2": {"surrogate_width": 0.2},
}
"""What ``ablation`` changes. ``SHORT`` has T = 2 for 3 epochs, then T = 4."""
CHANGES = {
    "8-steps": {"steps": 8},
    "16-steps": {"steps": 16},
    "soft-reset": {"reset": "subtract"},
    "8-layers": {"network": "24C3-24C3-P2-48C3-48C3-P2-96C3-96C3-P2-96C3-96C3-P2"},
    "peak-1-as-narrow": {"surrogate_width": 0.02, "surrogate_unit": "peak"},
    "peak-5": {"surrogate_width": 0.05},
    "peak-5-soft-reset": {"surrogate_width": 0.05, "reset": "subtract"},
    "peak-12.5": {"surrogate_width": 0.02},
}
"""What ``factors`` changes. ``COMPACT`` has T = 4, the hard reset, 4 layers and a peak of 1.25."""
CHANGES_LEVEL = 1 - 0.05 / len(CHANGES)
"""Level of an interval that is corrected for their number, by Bonferroni."""

SWAP_LEVEL = 1 - 0.05 / 2
"""Level of an interval of ``swap``, for its two outcomes."""


@dataclass(frozen=True)
class TrainingRun:
    """One training run; ``name`` says what it is within its study, without the seed.

    ``change`` is one of ``CHANGES``, if it makes one.
    """

    name: str
    settings: Settings
    seed: int
    change: str = ""

    @property
    def condition(self):
        """What it is but for rho."""
        return self.name.removesuffix(f"rho{self.settings.reset_gradient:g}").rstrip("-")

    def record(self, study):
        """Name of its results file."""
        return f"cifar10-{study}/{self.name}-seed{self.seed}"


def grid(seeds=5, base=COMPACT, at=slice(None)):
    """Both methods x optimisers x learning rates x seeds, seed after seed."""
    return [
        TrainingRun(
            f"{optimizer}-lr{lr:g}-rho{rho:g}",
            replace(
                base,
                optimizer=optimizer,
                lr=lr,
                weight_decay=WEIGHT_DECAY[optimizer],
                reset_gradient=rho,
            ),
            seed,
        )
        for seed in range(seeds)
        for optimizer, rates in RATES.items()
        for lr, rho in itertools.product(rates[at], RHOS)
    ]


def tuning(seeds=2):
    """``TUNING_RATES`` for 10 epochs, 5,000 training images held out, seed after seed."""
    base = replace(COMPACT, epochs=10, precision="bfloat16", held_out=5000)
    return [
        replace(run, seed=100 + run.seed)
        for run in grid(seeds, base)
        if run.settings.lr in TUNING_RATES[run.settings.optimizer]
    ]


def best(seeds=10):
    """Each method at its own of ``OWN_RATES`` for 10 epochs, seed after seed."""
    return [
        run
        for run in grid(seeds, replace(COMPACT, epochs=10, precision="bfloat16"))
        if run.settings.lr == OWN_RATES[run.settings.optimizer, run.settings.reset_gradient]
    ]


def swap(seeds=5):
    """The middle of the grid with AdamW, both directions x both lengths, seed after seed."""
    runs = []
    for run in grid(seeds, at=MIDDLE):
        if run.settings.optimizer == "adamw":
            other = 1 - run.settings.reset_gradient
            swapped = replace(run.settings, length_of=other)
            runs += [run, TrainingRun(f"{run.name}-length-of-rho{other:g}", swapped, run.seed)]
    return runs


def larger(seeds=3):
    """The middle of the grid with a larger network."""
    return grid(seeds, LARGER, MIDDLE)


def one_change(seeds=3):
    """Both methods x ``CHANGES`` x seeds with AdamW at the middle rate, seed after seed."""
    return [
        TrainingRun(f"{name}-{run.name}", replace(run.settings, **change), run.seed, name)
        for seed in range(seeds)
        for name, change in CHANGES.items()
        for run in grid(seeds, at=slice(3, 4))
        if (run.seed, run.settings.optimizer) == (seed, "adamw")
    ]


def headline(seeds=3):
    """Both methods x seeds with ``HEADLINE``."""
    return [
        TrainingRun(f"rho{rho:g}", replace(HEADLINE, reset_gradient=rho), seed)
        for seed in range(seeds)
        for rho in RHOS
    ]


def curve(seeds=1):
    """``headline`` with 5,000 training images held out in place of the test set."""
    return [replace(run, settings=replace(run.settings, held_out=5000)) for run in headline(seeds)]


def ablation(seeds=3):
    """``SHORT`` with each of ``ABLATION`` x seeds, seed after seed."""
    return [
        TrainingRun(name, replace(SHORT, **change), seed)
        for seed in range(seeds)
        for name, change in ABLATION.items()
    ]


def smoke(seeds=1):
    """A few seconds, to see that everything works here."""
    tiny = Settings(network="8C3-P4-8C3-P4", batch=50, limit=400)
    return [
        TrainingRun(f"rho{rho:g}", replace(tiny, reset_gradient=rho), seed)
        for seed in range(seeds)
        for rho in RHOS
    ]


STUDIES = {
    "grid": grid,
    "swap": swap,
    "tuning": tuning,
    "best": best,
    "factors": one_change,
    "larger": larger,
    "headline": headline,
    "curve": curve,
    "ablation": ablation,
    "smoke": smoke,
}
