"""A unit of the toy neuron's studies: a condition, a range of seeds, all learning rates."""

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from tsbp_core import LIF, numpy_lif
from tsbp_core.chapters.gradient.steps import jacobian
from tsbp_core.chapters.toy import experiment as toy

PROBED = (0, 1, 3, 10, 30, 100, 299)
"""Updates before which the two gradients are compared."""
LAGS = (1, 2, 3, 5, 8, 13, 20)
"""Steps over which the products of the per-step factors are taken."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Unit:
    """Seeds ``start`` to ``stop`` - 1 in one condition.

    ``decades``: the learning rates go from 10 to the first to 10 to the second, 8 a decade. With
    ``length_of`` each gradient gets that neuron's gradient's length. With ``probe`` the two
    gradients are compared along training.
    """

    name: str
    lif: LIF
    settings: toy.Settings = toy.Settings()  # noqa: RUF009, frozen
    optimizer: str = "adam"
    length_of: LIF | None = None
    probe: bool = False
    decades: tuple = (-4, 1)
    start: int = 0
    stop: int = 50

    @property
    def rates(self):
        """Learning rates [L]."""
        low, high = self.decades
        return np.logspace(low, high, toy.DECADE * (high - low) + 1)


def run_unit(unit):
    """Train one unit.

    Returns
    -------
    dict
        ``initial`` [S], ``silent`` [S] (loss of a neuron that never fires), ``final`` [S][L] (mean
        of the last 20; NaN where the run diverged), ``diverged`` pairs [s, l],
        ``van_rossum`` and ``count_error`` [S][L] after training; ``cosine`` and ``length_ratio``
        [S] of the two gradients before it; with ``probe`` also ``along``, see ``_Probe``.
    """
    with threadpool_limits(1):  # more threads may split sums differently
        task = toy.make_task(range(unit.start, unit.stop), unit.settings, unit.lif)
        probe = _Probe(task, unit.lif, PROBED if unit.probe else PROBED[:1])
        outcome = toy.train(
            task,
            unit.lif,
            unit.rates,
            optimizer=unit.optimizer,
            settings=unit.settings,
            length_of=unit.length_of,
            watch=probe,
        )
        spikes = toy.run_neurons(task, outcome.weights, unit.lif).spikes
    target = task.target[:, :, None]
    cosine, ratio = probe.start
    silent, _ = numpy_lif.TraceLoss(target, unit.settings.tau)(np.zeros_like(target))
    final = outcome.losses[-toy.LAST :].mean(axis=0)
    final[outcome.diverged] = np.nan
    outcome = {
        "initial": digits(outcome.losses[0, :, 0]),
        "silent": digits(silent[:, 0]),
        "final": digits(final),
        "diverged": np.argwhere(outcome.diverged).tolist(),
        "van_rossum": digits(toy.van_rossum(spikes, target), 3),
        "count_error": np.abs(spikes.sum(axis=0) - target.sum(axis=0)).astype(int).tolist(),
        "cosine": digits(cosine),
        "length_ratio": digits(ratio),
    }
    if unit.probe:
        outcome["along"] = probe.along
    return outcome


class _Probe:
    """Compares the two gradients before the updates ``at``.

    ``start`` has cosine and length ratio [S] before training. ``along`` has, for each update,
    ``cosine`` and ``length_ratio``: quantiles over seeds, [L][quantile]; and ``products``: by rho
    and lag, quantiles of the absolute product of that many per-step factors, over seeds, neurons
    and steps of all learning rates, the share that is zero and the share that is negative.
    """

    def __init__(self, task, lif, at):
        self.task, self.lif, self.at = task, lif, at
        self.along = {}

    def __call__(self, update, run, g):
        if update not in self.at:
            return
        cosine, ratio = toy.compare_gradients(self.task, g, run, self.lif)
        if update == 0:
            self.start = cosine[:, 0], ratio[:, 0]
        if len(self.at) > 1:
            self.along[update] = {
                "cosine": _quantiles(cosine),
                "length_ratio": _quantiles(ratio),
                "products": {
                    f"{rho:g}": products(run, replace(self.lif, reset_gradient=rho))
                    for rho in (1.0, 0.0)
                },
            }


def products(run, lif):
    """Products of du[t+1]/du[t] over ``LAGS`` consecutive steps, summarised."""
    factors = jacobian(run, lif)[:-1]
    summary = {}
    for lag in LAGS:
        windows = np.lib.stride_tricks.sliding_window_view(factors, lag, axis=0)
        product = np.prod(windows, axis=-1).ravel()
        summary[lag] = {
            "size": digits(np.quantile(np.abs(product), QUANTILES)),
            "zero": float((product == 0).mean().round(4)),
            "negative": float((product < 0).mean().round(4)),
        }
    return summary


def _quantiles(values):
    """Quantiles over seeds of ``values`` [S, L], without NaN: [L][quantile]."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return [digits(np.quantile(c, QUANTILES)) if c.size else None for c in columns]


def digits(values, digits=4):
    """Nested lists of the values with this many significant digits."""
    values = np.asarray(values, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(values == 0, 0, np.floor(np.log10(np.abs(values))))
    scale = 10.0 ** (digits - 1 - np.nan_to_num(size))
    return (np.round(values * scale) / scale).tolist()
