"""One neuron learns a spike train: both gradients, over learning rates and seeds.

Our set-up, since the paper's is not known (one neuron and 100 steps, at second hand): N inputs fire
at random; their synaptic traces, weighted, are the neuron's current; the loss compares the trace of
the neuron's spikes with that of a target. Everything is vectorised over seeds and learning rates:
arrays are [T, S, L] for T steps, S seeds and L learning rates.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tsbp_core import LIF, numpy_lif, surrogates

LAST = 20
"""Updates at the end over which the final loss is averaged."""
SOLVED = 0.2
"""A run has learnt if its final loss is below this share of the initial one."""
TARGETS = ("random", "teacher", "regular")
OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True)
class Settings:
    """The task. ``rate``: spikes a step; ``tau``: synaptic time constant in steps.

    ``target``: "random" spikes at the same rate, those of a "teacher" neuron with random weights on
    the same inputs, or "regular" ones, every 1/rate steps.
    """

    steps: int = 100
    inputs: int = 100
    rate: float = 0.1
    tau: float = 3.0
    weight_mean: float = 0.05
    weight_std: float = 0.2
    updates: int = 300
    target: str = "random"


NEURON = LIF(decay=0.8, threshold=1.0, reset="zero", surrogate=surrogates.Sigmoid(0.2, unit="area"))
LEARNING_RATES = np.logspace(-4, 1, 41)
DECADE = 8
"""Learning rates a decade."""


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


def make_task(seeds, settings=None, lif=NEURON):
    """Draw inputs, initial weights and target for each seed, independently of the method.

    Raises
    ------
    ValueError
        If the target's kind is unknown.
    """
    p = settings or Settings()
    if p.target not in TARGETS:
        raise ValueError(f"target must be one of {TARGETS}, got {p.target!r}")
    draws = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        spikes = (rng.random((p.steps, p.inputs)) < p.rate).astype(float)
        traces = numpy_lif.trace(spikes, p.tau)
        weights = rng.normal(p.weight_mean, p.weight_std, p.inputs)
        if p.target == "random":
            target = (rng.random(p.steps) < p.rate).astype(float)
        elif p.target == "teacher":
            teacher = rng.normal(p.weight_mean, p.weight_std, p.inputs)
            target = numpy_lif.forward(traces @ teacher, lif).spikes
        else:
            period = round(1 / p.rate)
            target = (np.arange(1, p.steps + 1) % period == 0).astype(float)
        draws.append((traces.T, weights, target))
    traces, weights, targets = zip(*draws, strict=True)
    return Task(np.stack(traces), np.stack(weights), np.stack(targets, axis=1))


def run_neurons(task, weights, lif):
    """Run every neuron of ``weights`` [S, L, N] on its seed's inputs."""
    x = np.ascontiguousarray((weights @ task.traces).transpose(2, 0, 1))
    run = numpy_lif.forward(x, lif)
    # Where a diverging run overflows, its gradient is NaN, which ends it.
    return run._replace(spikes=np.nan_to_num(run.spikes))


def weight_gradient(task, g, run, lif):
    """dL/dw [S, L, N], given g = dL/ds [T, S, L]."""
    dx = numpy_lif.backward(g, run, lif)
    return dx.transpose(1, 2, 0) @ task.traces.transpose(0, 2, 1)


def compare_gradients(task, g, run, lif):
    """Cosine of the detached and the complete dL/dw, and detached over complete length, [S, L].

    NaN where one of them is zero.
    """
    complete, detached = (
        weight_gradient(task, g, run, replace(lif, reset_gradient=rho)) for rho in (1.0, 0.0)
    )
    a, b = np.linalg.norm(complete, axis=-1), np.linalg.norm(detached, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (complete * detached).sum(axis=-1) / (a * b)
        ratio = np.where(np.isfinite(cosine), b / a, np.nan)
    return cosine, ratio


def train(
    task, lif, learning_rates, *, optimizer="adam", settings=None, length_of=None, watch=None
):
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
    length_of : LIF, optional
        Give each gradient the length that this neuron's rule has at the same weights.
    watch : callable, optional
        Called before each update with its number, the run and dL/ds.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If the optimizer is unknown, or a learning rate is not positive and finite.
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {OPTIMIZERS}, got {optimizer!r}")
    lr = np.asarray(learning_rates, float)[:, None]
    if not ((lr > 0) & np.isfinite(lr)).all():
        raise ValueError(f"learning rates must be positive and finite, got {learning_rates}")
    settings = settings or Settings()
    loss = numpy_lif.TraceLoss(task.target[:, :, None], settings.tau)
    w = np.repeat(task.weights[:, None], len(lr), axis=1)
    losses = np.empty((settings.updates, *w.shape[:2]))
    diverged = np.zeros(w.shape[:2], bool)
    m, m2 = np.zeros_like(w), np.zeros_like(w)
    for i in range(settings.updates):
        run = run_neurons(task, w, lif)
        losses[i], g = loss(run.spikes)
        if watch:
            watch(i, run, g)
        dw = weight_gradient(task, g, run, lif)
        if length_of:
            dw = _rescale(dw, weight_gradient(task, g, run, length_of))
        diverged |= ~np.isfinite(dw).all(axis=-1)
        dw[diverged] = 0.0
        if optimizer == "adam":
            m += 0.1 * (dw - m)
            m2 += 0.001 * (dw * dw - m2)
            dw = m / (1 - 0.9 ** (i + 1)) / (np.sqrt(m2 / (1 - 0.999 ** (i + 1))) + 1e-8)
        w = np.where(diverged[..., None], w, w - lr * dw)
    return Outcome(losses, w, diverged)


def _rescale(dw, other):
    """``dw`` with the length of ``other``; zero where ``dw`` has no direction."""
    length, wanted = (np.linalg.norm(d, axis=-1, keepdims=True) for d in (dw, other))
    return np.divide(dw, length, out=np.zeros_like(dw), where=length > 0) * wanted


def robust_width(initial, final, solved=SOLVED):
    """Decades of learning rate at which a run has learnt, for each seed [S].

    ``initial`` [S] and ``final`` [S, L] are losses, at ``DECADE`` learning rates a decade.
    """
    learnt = np.asarray(final) < solved * np.asarray(initial)[:, None]
    return learnt.sum(axis=1) / DECADE


def van_rossum(spikes, target, tau=10.0):
    """Distance of spike trains: 1/sqrt(2) for one spike alone, if ``tau`` is long.

    Parameters
    ----------
    spikes, target : ndarray [T, ...]
        As in ``numpy_lif.TraceLoss``.
    tau : float, default 10.0
        Time constant in steps. It differs from that of the loss, so that the distance is another
        view of the result.

    Returns
    -------
    ndarray [...]

    Raises
    ------
    ValueError
        As ``numpy_lif.TraceLoss`` does.
    """
    return np.sqrt(2.0 * tau * numpy_lif.TraceLoss(target, tau)(spikes)[0])
