"""One neuron learns a spike train: both gradients, over learning rates and seeds.

Our set-up, since the paper's is known from its abstract only (one neuron, 100 steps): N inputs fire
at random; their synaptic traces, weighted, are the neuron's current; the loss compares the trace of
the neuron's spikes with that of a random target. Everything is vectorised over seeds and learning
rates: arrays are [T, S, L] for T steps, S seeds and L learning rates.
"""

import argparse
import time
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tsbp_core import LIF, numpy_lif, results, surrogates
from tsbp_core.experiments.statistics import bootstrap_interval

COMMAND = "make toy"
LAST = 20
"""Updates at the end over which the final loss is averaged."""
SOLVED = 0.2
"""A run has learnt if its final loss is below this share of the initial one."""


@dataclass(frozen=True)
class Settings:
    """The task. ``rate``: spikes a step; ``tau``: synaptic time constant in steps."""

    steps: int = 100
    inputs: int = 100
    rate: float = 0.1
    tau: float = 3.0
    weight_mean: float = 0.05
    weight_std: float = 0.2
    updates: int = 300


NEURON = LIF(decay=0.8, threshold=1.0, reset="zero", surrogate=surrogates.Sigmoid(0.2, unit="area"))
LEARNING_RATES = np.logspace(-4, 1, 41)


class Task(NamedTuple):
    """``traces`` [S, N, T], ``weights`` [S, N] and ``target`` spikes [T, S], one set a seed."""

    traces: np.ndarray
    weights: np.ndarray
    target: np.ndarray


class Outcome(NamedTuple):
    """What training leaves behind."""

    losses: np.ndarray
    """Loss before each update, [updates, S, L]."""
    weights: np.ndarray
    """Final weights, [S, L, N]."""
    diverged: np.ndarray
    """True where a gradient was not finite; such a run stops and keeps its weights, [S, L]."""


def make_task(seeds, settings=None):
    """Draw inputs, initial weights and target for each seed, independently of the method."""
    p = settings or Settings()
    draws = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        spikes = (rng.random((p.steps, p.inputs)) < p.rate).astype(float)
        weights = rng.normal(p.weight_mean, p.weight_std, p.inputs)
        target = (rng.random(p.steps) < p.rate).astype(float)
        draws.append((numpy_lif.trace(spikes, p.tau).T, weights, target))
    traces, weights, targets = zip(*draws, strict=True)
    return Task(np.stack(traces), np.stack(weights), np.stack(targets, axis=1))


def run_neurons(task, weights, lif):
    """Run every neuron of ``weights`` [S, L, N] on its seed's inputs."""
    x = np.ascontiguousarray((weights @ task.traces).transpose(2, 0, 1))
    return numpy_lif.forward(x, lif)


def train(task, lif, learning_rates, *, optimizer="adam", settings=None, progress=None):
    """Train one neuron for each seed and learning rate by full-batch gradient descent.

    Parameters
    ----------
    task : Task
        From ``make_task``.
    lif : LIF
        The neuron; its ``reset_gradient`` chooses the method.
    learning_rates : sequence of L floats
    optimizer : {"adam", "sgd"}, default "adam"
        Adam with betas 0.9 and 0.999 and eps 1e-8, or plain gradient descent.
    settings : Settings, optional
    progress : callable, optional
        Called once after each update.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If the optimizer is unknown, or a learning rate is not positive and finite.
    """
    if optimizer not in ("adam", "sgd"):
        raise ValueError(f"optimizer must be 'adam' or 'sgd', got {optimizer!r}")
    lr = np.asarray(learning_rates, float)[:, None]
    if not ((lr > 0) & np.isfinite(lr)).all():
        raise ValueError(f"learning rates must be positive and finite, got {learning_rates}")
    settings = settings or Settings()
    loss = numpy_lif.TraceLoss(task.target[:, :, None], settings.tau)
    w = np.repeat(task.weights[:, None], len(lr), axis=1)
    losses = np.empty((settings.updates, *w.shape[:2]))
    diverged = np.zeros(w.shape[:2], bool)
    m, m2 = np.zeros_like(w), np.zeros_like(w)
    inputs = task.traces.transpose(0, 2, 1)
    for i in range(settings.updates):
        run = run_neurons(task, w, lif)
        losses[i], g = loss(run.spikes)
        dx = numpy_lif.backward(g, run, lif)
        dw = dx.transpose(1, 2, 0) @ inputs
        diverged |= ~np.isfinite(dw).all(axis=-1)
        dw[diverged] = 0.0
        if optimizer == "adam":
            m += 0.1 * (dw - m)
            m2 += 0.001 * (dw * dw - m2)
            dw = m / (1 - 0.9 ** (i + 1)) / (np.sqrt(m2 / (1 - 0.999 ** (i + 1))) + 1e-8)
        w = np.where(diverged[..., None], w, w - lr * dw)
        if progress:
            progress()
    return Outcome(losses, w, diverged)


def sweep(learning_rates=LEARNING_RATES, seeds=20, lif=NEURON, settings=None, quiet=False):
    """Train both methods with both optimisers on the same tasks.

    Parameters
    ----------
    learning_rates : sequence of L floats
    seeds : int, default 20
        Seeds 0 to ``seeds`` - 1. Both methods see the same inputs, weights and targets.
    lif : LIF
        The neuron; its ``reset_gradient`` is set by the sweep.
    settings : Settings, optional
    quiet : bool, default False
        Show no progress bar.

    Returns
    -------
    dict
        ``{optimizer: {"rho=1" | "rho=0": {"initial", "final", "diverged"}}}``: the initial loss and
        the mean of the last 20 losses of every run, and whether it diverged, as [S][L] lists.
    """
    settings = settings or Settings()
    task = make_task(range(seeds), settings)
    outcome = {}
    with tqdm(total=4 * settings.updates, unit="update", disable=quiet) as bar:
        for optimizer in ("adam", "sgd"):
            outcome[optimizer] = {}
            for rho in (1.0, 0.0):
                losses, _, diverged = train(
                    task,
                    replace(lif, reset_gradient=rho),
                    learning_rates,
                    optimizer=optimizer,
                    settings=settings,
                    progress=bar.update,
                )
                outcome[optimizer][f"rho={rho:.0f}"] = {
                    "initial": losses[0].round(5).tolist(),
                    "final": losses[-LAST:].mean(axis=0).round(5).tolist(),
                    "diverged": diverged.tolist(),
                }
    return outcome


def robust_width(initial, final, learning_rates):
    """Decades of learning rate at which a run has learnt, for each seed [S].

    ``initial`` and ``final`` are losses [S, L]; the learning rates are equally spaced in log.
    """
    learnt = np.asarray(final) < SOLVED * np.asarray(initial)
    spacing = np.diff(np.log10(learning_rates)).mean()
    return learnt.sum(axis=1) * spacing


def compare(study):
    """Summarise a results document of this study, pairing the methods seed by seed.

    Returns
    -------
    dict
        By optimizer: ``ratio`` {rho: final over initial loss [S, L]}, ``width`` {rho: robust width
        [S]}, ``gain`` (mean, low, high) of the width's paired difference, rho = 1 minus rho = 0.
    """
    rates = study["settings"]["learning_rates"]
    summary = {}
    for optimizer, methods in study["results"].items():
        ratio, width = {}, {}
        for rho in (1.0, 0.0):
            runs = methods[f"rho={rho:.0f}"]
            ratio[rho] = np.array(runs["final"]) / np.array(runs["initial"])
            width[rho] = robust_width(runs["initial"], runs["final"], rates)
        difference = width[1.0] - width[0.0]
        gain = (difference.mean(), *bootstrap_interval(difference))
        summary[optimizer] = {"ratio": ratio, "width": width, "gain": gain}
    return summary


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.experiments.toy", description=__doc__
    )
    parser.add_argument("--seeds", type=int, default=20, help="number of paired seeds (20)")
    parser.add_argument("--updates", type=int, default=Settings.updates, help="updates a run (300)")
    parser.add_argument("--name", default="toy", help="results file in data/results (toy)")
    args = parser.parse_args(argv)
    if args.seeds < 2 or args.updates < LAST:
        parser.error(f"needs at least 2 seeds and {LAST} updates")
    settings = Settings(updates=args.updates)
    start = time.perf_counter()
    outcome = sweep(seeds=args.seeds, settings=settings)
    path = results.save(
        args.name,
        command=COMMAND,
        settings={
            "task": asdict(settings),
            "neuron": repr(NEURON),
            "learning_rates": LEARNING_RATES.tolist(),
            "seeds": list(range(args.seeds)),
        },
        results=outcome,
        wall_time_s=time.perf_counter() - start,
    )
    for optimizer, found in compare(results.load(args.name)).items():
        width, (mean, low, high) = found["width"], found["gain"]
        print(
            f"{optimizer}: robust width {width[1.0].mean():.2f} decades with the term, "
            f"{width[0.0].mean():.2f} without; paired difference {mean:+.2f} "
            f"[{low:+.2f}, {high:+.2f}]"
        )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
