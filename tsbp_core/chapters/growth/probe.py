"""When credit grows on its way back in time: the bound, and a probe of one neuron.

Between two steps credit is multiplied by the Jacobian J[t] = du[t+1]/du[t],

    reset "subtract":  J = lambda (1 - rho theta h)
    reset "zero":      J = lambda (1 - s - rho u h)

and over many steps by products of it. The probe measures how long the complete gradient of random
neurons is, relative to the detached one, and sets beside it what J says.

Outcomes: the median over neurons of the ratio of lengths, and the ratio of their root mean squares.
Expected, before the first run: the latter at most 1 where the peak of h is at most 1/theta (soft
reset), and growing with T only where one step can amplify: above (1 + 1/lambda)/theta (soft) or
1/(lambda theta) (hard).

Where a few neurons make the root mean square, no interval from one draw can be trusted: it knows
nothing of those that were not drawn. So DRAWS of neurons are measured, and all are kept.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from tsbp_core import LIF, neuron, numpy_lif, surrogates
from tsbp_core.chapters.gradient.steps import jacobian
from tsbp_core.lab import conditions, results

DECAY, THRESHOLD = 0.9, 1.0
RESETS = ("subtract", "zero")
UNITS = ("area", "peak")
RHOS = (1.0, 0.0)
SLOPES = (1, 2, 4, 6, 8, 10, 14, 20, 25, 35, 50, 70, 100, 200)
LENGTHS = (10, 25, 50, 100, 200, 400)
INSTANCES = 2000
DRAWS = tuple(range(1, 21))
"""Seeds; steps and the bound of the mean square are those of the first."""
MEAN, DEVIATION = 0.3, 0.5
"""Of the probe's normal input currents."""


class Probed(NamedTuple):
    """A condition of the probe's lengths."""

    reset: str
    unit: str
    slope: float
    T: int


class Stepped(NamedTuple):
    """A condition of what the probe's single steps say."""

    reset: str
    unit: str
    slope: float


def make_neuron(reset, unit, slope, rho=1.0):
    """The study's neuron; h is the derivative of a logistic curve of this slope, peak slope/4."""
    surrogate = surrogates.Sigmoid(1.0 / slope, unit=unit)
    return LIF(DECAY, THRESHOLD, reset, surrogate, rho)


def growth_bound(lif):
    """Height of h at the threshold above which some membrane has J beyond 1 in size.

    With the soft reset this is also the height up to which none has. With the hard reset a spike
    far above the threshold can have it earlier, if h is wide enough. Without memory, at decay 0,
    no height is.
    """
    if lif.decay == 0.0:
        return math.inf
    if lif.reset == "subtract":
        return (1.0 + 1.0 / lif.decay) / lif.threshold
    return 1.0 / (lif.decay * lif.threshold)


def draw(steps, instances, seed=1):
    """Input currents and credits of random neurons, both [T, I]; a shorter run is its beginning."""
    rng = np.random.default_rng(seed)
    pairs = rng.normal((MEAN, 0.0), (DEVIATION, 1.0), (steps, instances, 2))
    return pairs[..., 0], pairs[..., 1]


def describe_steps(run, lif):
    """What single steps say: shares of J beyond 1 and below 0, and its mean logarithms.

    ``typical`` is the mean of log abs(J), the rate at which one path grows (None where some J is
    0), and ``square`` half the log of the mean of J^2, the rate for the root mean square over
    many paths, if steps were independent.
    """
    J = jacobian(run, lif)
    return {
        "above": (np.abs(J) > 1).mean(),
        "negative": (J < 0).mean(),
        "typical": np.log(np.abs(J)).mean() if J.all() else None,
        "square": 0.5 * np.log((J**2).mean()),
    }


def predicted_length(run, lif, steps):
    """Root mean square length of the gradient over ``steps``, were J independent between steps.

    With credits of mean square 1, E delta[t]^2 = E h^2 + E J^2 E delta[t+1]^2.
    """
    h = lif.surrogate.derivative(run.membrane - lif.threshold)
    start, factor = (h**2).mean(), (jacobian(run, lif) ** 2).mean()
    with np.errstate(over="ignore"):  # beyond all floating numbers: infinite
        powers = factor ** np.arange(steps)
    return np.sqrt(start * np.cumsum(powers).sum())


def exact_rate(lif):
    """Half the log of the factor a step by which the mean square of credit grows, dependence kept.

    Membranes are a Markov chain, u' = lambda v(u) + x. The mean square m(u) of the credit reaching
    u from far ahead obeys m(u) = J(u)^2 E[m(u')]; its growth is the largest eigenvalue of that map,
    here on a grid of 800 membranes. ``describe_steps`` has the same for independent steps.
    """
    u = np.linspace(-3.5, 4.5, 800)
    s = (u >= lif.threshold).astype(float)
    after = lif.decay * neuron.reset(u, s, lif) + MEAN
    chance = np.exp(-0.5 * ((u - after[:, None]) / DEVIATION) ** 2)
    chance /= chance.sum(axis=1, keepdims=True)
    squares = jacobian(numpy_lif.Run(s, u), lif) ** 2
    m = np.ones_like(u)
    for _ in range(200):
        grown = squares * (chance @ m)
        factor = grown.max()
        m = grown / factor
    return 0.5 * np.log(factor)


def compare_lengths(long, short):
    """Ratio of lengths [I] of paired gradients: its median, and that of root mean squares.

    A neuron with no gradient by either has no ratio, and is left out of the median.
    """
    some = (long > 0.0) | (short > 0.0)
    with np.errstate(divide="ignore"):  # none by the second alone: infinite
        ratio = long[some] / short[some]
    return {
        "median": np.median(ratio),
        "pooled": np.sqrt((long**2).mean() / (short**2).mean()),
    }


def probe(slopes=SLOPES, lengths=LENGTHS, instances=INSTANCES, draws=DRAWS):
    """The complete gradient's length over the detached one's, and what J says, by condition.

    Returns
    -------
    dict
        ``lengths``: by condition, ``median`` and ``pooled`` of ``compare_lengths`` for each draw,
        and ``predicted``. ``steps``: ``describe_steps`` by condition and rho.
    """
    probed = {"lengths": {}, "steps": {}}
    for reset, unit, slope, draw_seed in itertools.product(RESETS, UNITS, slopes, draws):
        x, g = draw(max(lengths), instances, draw_seed)
        lifs = [make_neuron(reset, unit, slope, rho) for rho in RHOS]
        run = numpy_lif.forward(x, lifs[0])
        if draw_seed == draws[0]:
            said = {f"{lif.reset_gradient:g}": describe_steps(run, lif) for lif in lifs}
            probed["steps"][conditions.name(Stepped(reset, unit, slope))] = said
        for steps in lengths:
            part = numpy_lif.Run(run.spikes[:steps], run.membrane[:steps])
            deltas = [numpy_lif.backward(g[:steps], part, lif) for lif in lifs]
            measured = compare_lengths(*(np.linalg.norm(delta, axis=0) for delta in deltas))
            cell = probed["lengths"].setdefault(
                conditions.name(Probed(reset, unit, slope, steps)),
                {
                    "predicted": np.divide(*(predicted_length(run, lif, steps) for lif in lifs)),
                    "median": [],
                    "pooled": [],
                },
            )
            for key, value in measured.items():
                cell[key].append(value)
    return probed


def square_bound(reset, instances=INSTANCES, steps=200):
    """Peak of an area-1 h at which the mean of J^2 reaches 1, by bisection of the slope."""
    x, _ = draw(steps, instances)
    run = numpy_lif.forward(x, make_neuron(reset, "area", 1))
    low, high = 4.0, 100.0
    for _ in range(40):
        slope = np.sqrt(low * high)
        grows = describe_steps(run, make_neuron(reset, "area", slope))["square"] > 0
        low, high = (low, slope) if grows else (slope, high)
    return make_neuron(reset, "area", high).surrogate.scale


class ProbeResults(NamedTuple):
    """The committed results."""

    lengths: dict
    """By ``Probed``."""
    steps: dict
    """By ``Stepped``, then by rho."""
    square_bound: dict
    """By reset."""


def load():
    """The committed results, a ``ProbeResults``."""
    probed = results.load("growth-probe")["results"]
    steps = conditions.by_condition(Stepped, probed["steps"])
    return ProbeResults(
        conditions.by_condition(Probed, probed["lengths"]),
        {key: {float(rho): said for rho, said in cell.items()} for key, cell in steps.items()},
        probed["square_bound"],
    )


def spread(values):
    """Median of the draws, and in brackets the least and the most, as text."""
    return f"{np.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def main():
    results.make(
        "growth-probe",
        lambda: {**probe(), "square_bound": {reset: square_bound(reset) for reset in RESETS}},
        command="make growth-probe",
        settings={
            "neuron": repr(make_neuron("zero", "area", 4)),
            "slopes": SLOPES,
            "lengths": LENGTHS,
            "instances": INSTANCES,
            "draws": DRAWS,
            "current": [MEAN, DEVIATION],
        },
    )


if __name__ == "__main__":
    main()
