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

Each run that ends is kept as a results file of its own. Runs are independent: they are computed in
any order, by any number of processes that share the folders, and go on where they were cut off.
"""

import argparse
import errno
import itertools
import os
import time
from dataclasses import asdict, dataclass, replace

import joblib
import numpy as np
from tqdm import tqdm

from tsbp_core.chapters.cifar10 import training as cifar10
from tsbp_core.chapters.cifar10.training import Settings
from tsbp_core.lab import checkpoints, datasets, results
from tsbp_core.lab.statistics import t_interval

RHOS = (1.0, 0.0)
MARGIN = 0.5
"""Points of accuracy that count as no difference."""
NEAR = 5.0
"""Points below the best run at which a learning rate still counts as good."""
CHANCE = 10.0
PAPER = 88.98
"""The higher of the two accuracies that the paper reports (Yang, 2020)."""
SHOWN_CLASSES = ("airplane", "cat", "ship")
"""The explorer shows the spikes that the first test image of each causes."""
SHOWN_CHANNELS = (2, 8, 32, 72)
"""How many channels of each layer it shows."""
RATES = {
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "sgd": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0),
}
"""Half a decade apart. Pilot runs with rho = 0.5, held-out images and another seed placed them."""
MIDDLE = slice(2, 5)
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
FACTORS = {
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
FACTORS_LEVEL = 1 - 0.05 / len(FACTORS)
"""Level of an interval that is corrected for their number, by Bonferroni."""


@dataclass(frozen=True)
class Run:
    """One training run; ``name`` says what it is within its study, without the seed."""

    name: str
    settings: Settings
    seed: int

    def record(self, study):
        """Name of its results file."""
        return f"cifar10-{study}/{self.name}-seed{self.seed}"


def grid(seeds=5, base=COMPACT, at=slice(None)):
    """Both methods x optimisers x learning rates x seeds, seed after seed."""
    return [
        Run(
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


def larger(seeds=3):
    """The middle of the grid with a larger network."""
    return grid(seeds, LARGER, MIDDLE)


def factors(seeds=3):
    """Both methods x ``FACTORS`` x seeds with AdamW at the middle rate, seed after seed."""
    return [
        Run(f"{factor}-{run.name}", replace(run.settings, **change), run.seed)
        for seed in range(seeds)
        for factor, change in FACTORS.items()
        for run in grid(seeds, at=slice(3, 4))
        if (run.seed, run.settings.optimizer) == (seed, "adamw")
    ]


def headline(seeds=3):
    """Both methods x seeds with ``HEADLINE``."""
    return [
        Run(f"rho{rho:g}", replace(HEADLINE, reset_gradient=rho), seed)
        for seed in range(seeds)
        for rho in RHOS
    ]


def curve(seeds=1):
    """``headline`` with 5,000 training images held out in place of the test set."""
    return [replace(run, settings=replace(run.settings, held_out=5000)) for run in headline(seeds)]


def ablation(seeds=3):
    """``SHORT`` with each of ``ABLATION`` x seeds, seed after seed."""
    return [
        Run(name, replace(SHORT, **change), seed)
        for seed in range(seeds)
        for name, change in ABLATION.items()
    ]


def smoke(seeds=1):
    """A few seconds, to see that everything works here."""
    tiny = Settings(network="8C3-P4-8C3-P4", batch=50, limit=400)
    return [
        Run(f"rho{rho:g}", replace(tiny, reset_gradient=rho), seed)
        for seed in range(seeds)
        for rho in RHOS
    ]


STUDIES = {
    "grid": grid,
    "factors": factors,
    "larger": larger,
    "headline": headline,
    "curve": curve,
    "ablation": ablation,
    "smoke": smoke,
}


def run_study(study, runs, root=None, jobs=1, quiet=False, device="cpu"):
    """Compute the runs that have no results file yet.

    Parameters
    ----------
    study : str
        Names the folders of results files and checkpoints.
    runs : list of Run
    root : path, optional
        Where CIFAR-10 is, as in ``datasets.cifar10``.
    jobs : int, default 1
        Processes, -1 for one a core; the cores are shared out evenly. Floating-point sums, and so
        the last bits of a run, depend on the number of threads.
    quiet : bool, default False
        Show no progress bar.
    device : str, default "cpu"
        Where to train; on a GPU processes share it.

    Returns
    -------
    int
        Runs still missing, as other processes are at work on them.
    """
    missing = [run for run in runs if not _path(study, run).exists()]
    jobs = min(joblib.effective_n_jobs(jobs), max(1, len(missing)))
    threads = max(1, os.cpu_count() // jobs)
    with tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run", disable=quiet) as bar:
        parallel = joblib.Parallel(jobs, return_as="generator_unordered")
        for line in parallel(
            joblib.delayed(_run_one)(study, run, root, threads, device) for run in missing
        ):
            bar.update()
            if line and not quiet:
                tqdm.write(line)
    return sum(not _path(study, run).exists() for run in runs)


def _run_one(study, run, root, threads, device):
    """Train and write the results file; returns a line about it, or None if it is not ours."""
    import torch

    torch.set_num_threads(threads)
    checkpoint = _checkpoint(study, run)
    with checkpoints.claimed(checkpoint) as ours:
        if not ours or _path(study, run).exists():
            return None
        data = datasets.cifar10(root)
        found = cifar10.train(run.settings, run.seed, data, checkpoint, device=device)
        results.save(
            run.record(study),
            command=f"make cifar10 STUDY={study}",
            settings={
                **asdict(run.settings),
                "seed": run.seed,
                "threads": threads,
                "device": torch.cuda.get_device_name() if device == "cuda" else device,
            },
            wall_time_s=found.pop("seconds"),
            results=found,
        )
    ended = final(found)
    words = f"{ended['accuracy']:.2%}" if ended else "diverged"
    return f"{run.name}, seed {run.seed}: {words}"


def _path(study, run):
    return results.RESULTS / f"{run.record(study)}.json"


def _checkpoint(study, run):
    return results.PROJECT / "data" / "checkpoints" / f"{run.record(study)}.pt"


def collect(study, runs):
    """The results files of ``runs`` by run, of those seeds of which all runs are there."""
    missing = {run.seed for run in runs if not _path(study, run).exists()}
    return {run: results.load(run.record(study)) for run in runs if run.seed not in missing}


def final(run):
    """What ``cifar10.evaluate`` said at a run's end, of the test set or of held-out images.

    None for a run that diverged.
    """
    if run["test"] or run["diverged"]:
        return run["test"]
    return run["epochs"][-1]["held_out"]


def accuracy(found):
    """Final accuracy of a results file in %."""
    ended = final(found["results"])
    return 100 * ended["accuracy"] if ended else CHANCE


def spent(found):
    """Minutes and PFLOP of training up to the end of each epoch of a results file, [E] each."""
    epochs = found["results"]["epochs"]
    units = {"seconds": 60, "gflop": 1e6}
    return [np.cumsum([epoch[key] for epoch in epochs]) / unit for key, unit in units.items()]


def held_out(found):
    """Accuracy in % on the held-out images after each epoch of a results file, [E]."""
    return [100 * epoch["held_out"]["accuracy"] for epoch in found["results"]["epochs"]]


def train_loss(found):
    """Mean loss over the last epoch of a results file; infinite after divergence."""
    ended = not found["results"]["diverged"]
    return found["results"]["epochs"][-1]["train_loss"] if ended else np.inf


def table(collected, optimizer, outcome=accuracy):
    """An outcome of the grid by rho, arrays [S, L]."""
    seeds = sorted({run.seed for run in collected})
    rates = RATES[optimizer]
    tables = {rho: np.full((len(seeds), len(rates)), np.nan) for rho in RHOS}
    for run, found in collected.items():
        s = run.settings
        if s.optimizer == optimizer:
            at = seeds.index(run.seed), rates.index(s.lr)
            tables[s.reset_gradient][at] = outcome(found)
    return tables


def at_rate(tables, optimizer, lr):
    """One learning rate's column of what ``table`` returns, [S] by rho."""
    at = RATES[optimizer].index(lr)
    return {rho: table[:, at] for rho, table in tables.items()}


def pairs(collected, outcome=accuracy):
    """An outcome of any study, {condition: {rho: [S]}}; a condition is a run's name without rho."""
    found = {}
    for run, data in collected.items():
        condition = found.setdefault(
            run.name.partition("rho")[0].rstrip("-"), {rho: [] for rho in RHOS}
        )
        condition[run.settings.reset_gradient].append(outcome(data))
    return found


def by_factor(collected, outcome=accuracy):
    """An outcome of ``factors``, {change: {rho: [S]}}."""
    return dict(zip(FACTORS, pairs(collected, outcome).values(), strict=True))


def first_layer(found):
    """Complete to detached gradient in the first layer: "ratio" of lengths, "cosine".

    Each at the start and at the end, [2].
    """
    probes = found["results"]["probes"]
    return {key: [probes[at][key][0] for at in (0, -1)] for key in ("ratio", "cosine")}


def primary(collected, optimizer):
    """Accuracy averaged over the ``MIDDLE`` rates, [S] by rho: the outcome named in advance."""
    tables = table(collected, optimizer)
    return {rho: t[:, MIDDLE].mean(axis=1) for rho, t in tables.items()}


def probes(collected, optimizer, lr, rho):
    """How both gradients compare along the runs of one condition, means over seeds.

    Returns
    -------
    dict
        ``update`` [P]; ``ratio`` and ``cosine``, complete to detached, [P, layers].
    """
    found = [data["probes"] for data in _of(collected, optimizer, lr, rho)]
    means = {
        key: np.mean([[probe[key] for probe in seed] for seed in found], axis=0)
        for key in ("ratio", "cosine")
    }
    return {"update": [probe["update"] for probe in found[0]], **means}


def firing_rates(collected, optimizer, lr, rho):
    """Mean spikes a neuron and step of each layer on the test images, mean over seeds."""
    found = [data["test"]["rates"] for data in _of(collected, optimizer, lr, rho)]
    return np.mean(found, axis=0)


def _of(collected, optimizer, lr, rho):
    """What the runs of one condition that did not diverge found, a dict a seed."""
    return [
        found["results"]
        for run, found in collected.items()
        if (run.settings.optimizer, run.settings.lr, run.settings.reset_gradient)
        == (optimizer, lr, rho)
        and not found["results"]["diverged"]
    ]


def robust_width(tables, rates, near=NEAR):
    """Decades of learning rate at which each method comes near the best run of its seed.

    Between the learning rates of the grid, accuracy is interpolated linearly in their logarithm.

    Parameters
    ----------
    tables : dict
        By rho: accuracy in % [S, L].
    rates : sequence [L]
    near : float
        Points below the best accuracy of either method.

    Returns
    -------
    dict
        By rho: decades [S].
    """
    x = np.log10(rates)
    fine = np.linspace(x[0], x[-1], 1001)
    best = np.max([t.max(axis=1) for t in tables.values()], axis=0)
    return {
        rho: np.array(
            [
                np.mean(np.interp(fine, x, row) >= top - near) * (x[-1] - x[0])
                for row, top in zip(t, best, strict=True)
            ]
        )
        for rho, t in tables.items()
    }


def shift(tables, rates):
    """Decades by which moving the curve of rho = 0 to larger rates fits that of rho = 1 best.

    Accuracy is interpolated as in ``robust_width``; the fit is by least squares over the learning
    rates that both curves cover. Not among the outcomes named in advance.

    Returns
    -------
    ndarray [S]
    """
    x = np.log10(rates)
    moves = np.linspace(-1, 1, 401)

    def misfit(one, other, move):
        at = x[(x - move >= x[0]) & (x - move <= x[-1])]
        return np.mean((np.interp(at, x, one) - np.interp(at - move, x, other)) ** 2)

    return np.array(
        [
            min(moves, key=lambda move: misfit(one, other, move))
            for one, other in zip(tables[1.0], tables[0.0], strict=True)
        ]
    )


def own_best(tables, losses):
    """Accuracy [S] of each method at the rate where its mean training loss is least, by rho."""
    return {rho: t[:, losses[rho].mean(axis=0).argmin()] for rho, t in tables.items()}


def difference(values, level=0.95):
    """Mean over seeds of rho = 1 minus rho = 0, and its interval by Student's t."""
    paired = np.asarray(values[1.0]) - np.asarray(values[0.0])
    return (paired.mean(), *t_interval(paired, level))


def spike_trains(root=None):
    """What chapter 7's explorer draws: spikes of trained networks shown some test images.

    The networks are the grid's of seed 0 with AdamW at 0.01. They are trained first if their
    checkpoints are not here.

    Returns
    -------
    dict
        ``images``: their places in the test set; by rho, ``spikes`` [image][layer][step], a list
        of the places in [channels, H, W] that fire, and ``evidence`` [image][step], the logits
        [10] of the mean spikes so far; ``sides``: H = W of each layer.
    """
    import torch

    data = datasets.cifar10(root)
    wanted = [datasets.CLASSES.index(name) for name in SHOWN_CLASSES]
    picked = [int(np.flatnonzero(data.test_labels == label)[0]) for label in wanted]
    images = cifar10.normalised(torch.from_numpy(data.test_images[picked]))
    found = {"images": picked}
    for run in grid(1):
        settings = run.settings
        if (settings.optimizer, settings.lr) != ("adamw", 0.01):
            continue
        checkpoint = _checkpoint("grid", run)
        cifar10.train(settings, run.seed, data, checkpoint)
        net = cifar10.SpikingNet(settings.network, settings.steps, settings.neuron()).eval()
        net.load_state_dict(checkpoints.load(checkpoint)["net"])
        with torch.no_grad():
            layers = net(images)[1]
            steps = torch.arange(1, settings.steps + 1)[:, None, None]
            so_far = layers[-1].flatten(2).cumsum(0) / steps
            evidence = net.readout(so_far).transpose(0, 1)
        found["sides"] = [s.shape[-1] for s in layers]
        found[f"{settings.reset_gradient:g}"] = {
            "spikes": [
                [
                    [s[:count].flatten().nonzero().flatten().tolist() for s in layer[:, i]]
                    for layer, count in zip(layers, SHOWN_CHANNELS, strict=True)
                ]
                for i in range(len(picked))
            ],
            "evidence": [[[round(v, 3) for v in row] for row in e.tolist()] for e in evidence],
        }
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cifar10.study",
        description="Train paired networks on CIFAR-10; the same command goes on where it stopped.",
    )
    parser.add_argument("study", choices=[*STUDIES, "spikes"])
    parser.add_argument("--root", help="folder with the data set (TSBP_DATA, or data/)")
    parser.add_argument("--jobs", type=int, default=-1, help="processes (-1: one a core)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    args = parser.parse_args(argv)
    try:
        datasets.cifar10(args.root)  # downloaded once, before the processes start
        if args.study == "spikes":
            start = time.perf_counter()
            path = results.save(
                "cifar10-spikes",
                command="make cifar10 STUDY=spikes",
                settings={"classes": SHOWN_CLASSES, "channels": SHOWN_CHANNELS},
                results=spike_trains(args.root),
                wall_time_s=time.perf_counter() - start,
            )
            print(f"wrote {path}")
            return
        runs = STUDIES[args.study]()
        missing = run_study(args.study, runs, args.root, args.jobs, device=args.device)
    except datasets.DatasetError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from the last whole epoch") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise SystemExit(
            f"stopped, as {results.PROJECT / 'data'} has no room left ({error.strerror}). What was "
            "computed is kept: make room, and the same command goes on from the last whole epoch"
        ) from None
    if missing:
        raise SystemExit(f"{missing} runs are being computed by other processes")
    print(f"all {len(runs)} runs are in {results.RESULTS / f'cifar10-{args.study}'}")


if __name__ == "__main__":
    main()
