"""When credit grows on its way back in time: the bound, a probe of one neuron, and training.

Between two steps credit is multiplied by the Jacobian J[t] = du[t+1]/du[t],

    reset "subtract":  J = lambda (1 - rho theta h)
    reset "zero":      J = lambda (1 - s - rho u h)

and over many steps by products of it. The probe measures how long the complete gradient of random
neurons is, relative to the detached one, and sets beside it what J says. The training study asks
whether that decides what a network learns.

Outcomes, named before the final run. A pilot with other seeds, the soft reset, rho = 0.5 and
T = 100 chose the learning rate of each depth: of 0.005, 0.01, 0.02 and 0.04 the one with the best
held-out accuracy on average over peak-1 slopes 4 and 100 and area-1 slopes 25 and 100.

1. Probe: over instances, quantiles of the ratio of lengths, and ratio of their root mean squares.
   Expected: the latter at most 1 where the peak of h is at most 1/theta (soft reset), and growing
   with T only where one step can amplify: above (1 + 1/lambda)/theta (soft) or 1/(lambda theta)
   (hard).
2. Training: held-out accuracy, rho = 1 minus rho = 0, paired over seeds, with Student's t interval.
   Expected: within 5 points of zero where the peak is kept at 1; below zero for tall surrogates,
   more so with depth, and with T. Runs that stay at chance or diverge are results.
3. Length of the first layer's gradient at the first update, where both start from equal weights.

Added after the first results: whether other learning rates change outcome 2 where it is largest
(``rate_conditions``).
"""

import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from tsbp_core import LIF, block_lif, neuron, numpy_lif, surrogates, torch_lif
from tsbp_core.chapters.gradient.steps import jacobian
from tsbp_core.chapters.growth import manifolds
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import bootstrap_interval

DECAY, THRESHOLD = 0.9, 1.0
RESETS = ("subtract", "zero")
UNITS = ("area", "peak")
RHOS = (1.0, 0.0)
SLOPES = (1, 2, 4, 6, 8, 10, 14, 20, 25, 35, 50, 70, 100, 200)
LENGTHS = (10, 25, 50, 100, 200, 400)
INSTANCES = 2000
MEAN, DEVIATION = 0.3, 0.5
"""Of the probe's normal input currents."""
TRAINED = (*(("peak", k) for k in (4, 10, 25, 100)), *(("area", k) for k in (10, 25, 100)))
"""Units and slopes trained with; at slope 4 the two units are the same."""
RATES = {1: 0.04, 3: 0.01}
"""Learning rate of Adam by number of hidden layers, from the pilot."""
OTHER_RATES = (0.0025, 0.005, 0.02)
STEPS, SEEDS = (50, 100), (0, 1, 2, 3, 4)


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


class Trained(NamedTuple):
    """A condition of the trained networks; ``depth`` counts hidden layers."""

    unit: str
    slope: float
    reset: str
    depth: int
    T: int
    rho: float


class Rated(NamedTuple):
    """A condition at another learning rate."""

    unit: str
    slope: float
    reset: str
    depth: int
    T: int
    rate: float
    rho: float


def make_neuron(reset, unit, slope, rho=1.0):
    """The study's neuron; h is the derivative of a logistic curve of this slope, peak slope/4."""
    surrogate = surrogates.Sigmoid(1.0 / slope, unit=unit)
    return LIF(DECAY, THRESHOLD, reset, surrogate, rho)


def growth_bound(lif):
    """Height of h at the threshold above which some membrane has J beyond 1 in size.

    With the soft reset this is also the height up to which none has. With the hard reset a spike
    far above the threshold can have it earlier, if h is wide enough.
    """
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


def exact_rate(lif, points=800):
    """Half the log of the factor a step by which the mean square of credit grows, dependence kept.

    Membranes are a Markov chain, u' = lambda v(u) + x. The mean square m(u) of the credit reaching
    u from far ahead obeys m(u) = J(u)^2 E[m(u')]; its growth is the largest eigenvalue of that map,
    here on a grid of ``points`` membranes. ``describe_steps`` has the same for independent steps.
    """
    u = np.linspace(-3.5, 4.5, points)
    s = (u >= lif.threshold).astype(float)
    after = lif.decay * neuron.reset(u, s, lif) + MEAN
    chance = np.exp(-0.5 * ((u - after[:, None]) / DEVIATION) ** 2)
    chance /= chance.sum(axis=1, keepdims=True)
    squares = jacobian(numpy_lif.Run(s, u), lif) ** 2
    m = np.ones(points)
    for _ in range(200):
        grown = squares * (chance @ m)
        factor = grown.max()
        m = grown / factor
    return 0.5 * np.log(factor)


def compare_lengths(long, short, resamples=1000, seed=0):
    """Ratio of lengths [I] of paired gradients: quantiles, and ratio of root mean squares.

    ``median`` and ``pooled`` come with 95 % bootstrap intervals over instances.
    """

    def pooled(long, short, axis=-1):
        return np.sqrt((long**2).mean(axis) / (short**2).mean(axis))

    ratio = long / short
    drawn = {"resamples": resamples, "seed": seed}
    return {
        "quantiles": np.percentile(ratio, [5, 25, 50, 75, 95, 99]).tolist(),
        "median": [np.median(ratio), *bootstrap_interval(ratio, statistic=np.median, **drawn)],
        "pooled": [
            pooled(long, short),
            *bootstrap_interval(long, short, statistic=pooled, **drawn),
        ],
    }


def probe(slopes=SLOPES, lengths=LENGTHS, instances=INSTANCES):
    """The complete gradient's length over the detached one's, and what J says, by condition."""
    found = {"lengths": {}, "steps": {}}
    x, g = draw(max(lengths), instances)
    for reset, unit, slope in itertools.product(RESETS, UNITS, slopes):
        lifs = [make_neuron(reset, unit, slope, rho) for rho in RHOS]
        run = numpy_lif.forward(x, lifs[0])
        said = {f"{lif.reset_gradient:g}": describe_steps(run, lif) for lif in lifs}
        found["steps"][conditions.name(Stepped(reset, unit, slope))] = said
        for steps in lengths:
            part = numpy_lif.Run(run.spikes[:steps], run.membrane[:steps])
            deltas = [numpy_lif.backward(g[:steps], part, lif) for lif in lifs]
            measured = compare_lengths(*(np.linalg.norm(delta, axis=0) for delta in deltas))
            measured["predicted"] = np.divide(*(predicted_length(run, lif, steps) for lif in lifs))
            found["lengths"][conditions.name(Probed(reset, unit, slope, steps))] = measured
    return found


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
    modules = (neuron, surrogates, block_lif, torch_lif, manifolds)
    code = b"".join(Path(module.__file__).read_bytes() for module in modules)
    found = {}
    for name, (lif, task) in tqdm(named.items(), unit="condition", disable=quiet):
        key = hashlib.sha256(repr((lif, task, SEEDS)).encode() + code).hexdigest()[:16]
        path = folder / f"{key}.json"
        if not path.exists():
            with results.atomic_file(path) as file:
                file.write(json.dumps(manifolds.train(task, lif, SEEDS)).encode())
        found[name] = json.loads(path.read_text())
    return found


def study():
    """All measurements: the probe, the bounds of the mean square, the trained networks."""
    folder = results.PROJECT / "data" / "checkpoints" / "growth"
    return {
        **probe(),
        "square_bound": {reset: square_bound(reset) for reset in RESETS},
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
            "slopes": SLOPES,
            "lengths": LENGTHS,
            "instances": INSTANCES,
            "current": [MEAN, DEVIATION],
            "task": asdict(manifolds.Task()),
            "rates": RATES,
            "seeds": SEEDS,
        },
    )


if __name__ == "__main__":
    main()
