"""Escape noise: the gradient of the expected loss, exactly, against what surrogates make of it.

With escape noise a neuron fires with probability p[t] = sigma((u[t] - theta)/width). Whatever the
spikes s, the run has a probability P(s), and the expected loss E L = sum over s of P(s) L(s) is a
smooth function of the input. Its derivative is a sum over all 2^T spike trains, which for short
runs can be computed (Williams, 1992):

    dE L/dx = sum over s of P(s) L(s) dlog P(s)/dx .

The surrogate gradient, with h = p', replaces it by the mean over s of the backward pass, and rho
decides whether that includes the missing term. Its surrogate may be wider than the noise, as in a
network that has none. For long runs both are means over sampled trains.

Arrays are [T, K, I]: time, spike trains, instances.
"""

from dataclasses import dataclass, replace

import numpy as np

from tsbp_core import numpy_lif
from tsbp_core.neuron import charge, reset, reset_slope
from tsbp_core.numpy_lif import Run

LOSSES = ("trace", "count", "linear")
RHOS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Task:
    """Random instances: currents and losses of one neuron.

    ``mean`` and ``deviation`` are those of the normal input current at each step. Losses: "trace",
    half the squared distance of traces (tau_s = 3) from those of a random target with ``rate``
    spikes a step; "count", half the squared distance from the target's number of spikes, over T;
    "linear", the sum of c[t] s[t] with c from the standard normal distribution.
    """

    steps: int
    loss: str
    mean: float = 0.4
    deviation: float = 0.4
    rate: float = 0.3

    def draw(self, instances, seed=0):
        """Return x [T, I] and a function from spikes [T, K, I] to losses [K, I] and dL/ds."""
        rng = np.random.default_rng((seed, self.steps))
        x = rng.normal(self.mean, self.deviation, (self.steps, instances))
        target = (rng.random((self.steps, 1, instances)) < self.rate).astype(float)
        c = rng.normal(size=(self.steps, 1, instances))
        if self.loss == "trace":
            return x, numpy_lif.TraceLoss(target)
        if self.loss == "count":

            def count(spikes):
                excess = spikes.sum(axis=0) - target.sum(axis=0)
                return 0.5 * excess**2 / len(spikes), np.broadcast_to(
                    excess / len(spikes), spikes.shape
                )

            return x, count
        if self.loss == "linear":
            return x, lambda spikes: ((c * spikes).sum(axis=0), np.broadcast_to(c, spikes.shape))
        raise ValueError(f"loss must be one of {LOSSES}, got {self.loss!r}")


def all_trains(steps):
    """Every spike train of ``steps`` steps, [T, 2^T, 1]."""
    places = np.arange(2**steps)
    return ((places >> np.arange(steps)[:, None]) & 1).astype(float)[:, :, None]


def given(spikes, x, lif):
    """The run of a neuron that fires ``spikes`` [T, K, I] on the current ``x`` [T, I]."""
    current = np.broadcast_to(x[:, None], spikes.shape)
    return Run(spikes, numpy_lif.forward(current, lif, reset_spikes=spikes).membrane)


def sample(x, trains, lif, rng):
    """Draw a run of ``trains`` spike trains [T, K, I] of a neuron with escape noise."""
    shape = (len(x), trains, x.shape[1])
    s, u = np.empty(shape), np.empty(shape)
    v = np.zeros(shape[1:])
    for t in range(len(x)):
        u[t] = charge(x[t], v, lif)
        s[t] = rng.random(v.shape) < lif.surrogate.primitive(u[t] - lif.threshold)
        v = reset(u[t], s[t], lif)
    return Run(s, u)


def log_probability(run, lif):
    """log P(s) of each spike train [K, I]."""
    z = (run.membrane - lif.threshold) / lif.surrogate.width
    return -np.logaddexp(0.0, np.where(run.spikes > 0, -z, z)).sum(axis=0)


def score(run, lif):
    """dlog P(s)/dx of each train [T, K, I]; at given spikes the reset only scales the membrane."""
    s, u = run
    p = lif.surrogate.primitive(u - lif.threshold)
    slope = np.broadcast_to(reset_slope(u, s, 0.0, lif), u.shape)
    d = (s - p) / lif.surrogate.width
    for t in reversed(range(len(d) - 1)):
        d[t] += lif.decay * d[t + 1] * slope[t]
    return d


def exact(x, loss, lif, surrogate=None):
    """dE L/dx [T, I] by enumeration, and the means of the surrogate gradients, [T, I] by rho.

    The backward passes use ``surrogate``, and that of ``lif``, whose width the noise has, if None.
    """
    shape = (len(x), 2 ** len(x), x.shape[1])
    run = given(np.broadcast_to(all_trains(len(x)), shape), x, lif)
    probability = np.exp(log_probability(run, lif))
    value, g = loss(run.spikes)
    truth = (probability * value * score(run, lif)).sum(axis=1)
    means, surrogate = {}, surrogate or lif.surrogate
    for rho in RHOS:
        own = replace(lif, reset_gradient=rho, surrogate=surrogate)
        delta = numpy_lif.backward(g, run, own)
        means[rho] = (probability * delta).sum(axis=1)
    return truth, means


CHUNK = 500
"""Trains that ``estimate`` samples at once."""


def estimate(x, loss, lif, trains):
    """The same means over ``trains`` sampled trains, in two independent halves: [2, T, I].

    The score is multiplied by the loss minus the chunk's mean loss of the other trains, which
    leaves its mean as it is and makes it less noisy.

    Raises
    ------
    ValueError
        If ``trains`` is not a multiple of 2 ``CHUNK``: halves are made of whole chunks.
    """
    if trains < 1 or trains % (2 * CHUNK):
        raise ValueError(f"trains must be a multiple of {2 * CHUNK}, got {trains}")
    rng = np.random.default_rng((0, len(x)))
    totals = {key: np.zeros((2, *x.shape)) for key in ("truth", *RHOS)}
    for i in range(trains // CHUNK):
        half = i % 2
        run = sample(x, CHUNK, lif, rng)
        value, g = loss(run.spikes)
        others = (value.sum(axis=0) - value) / (CHUNK - 1)
        totals["truth"][half] += ((value - others) * score(run, lif)).sum(axis=1)
        for rho in RHOS:
            own = replace(lif, reset_gradient=rho)
            totals[rho][half] += numpy_lif.backward(g, run, own).sum(axis=1)
    means = {key: total / (trains / 2) for key, total in totals.items()}
    return means.pop("truth"), means
