"""Random smooth manifolds as spike trains, and spiking networks that tell them apart.

Each class is a smooth random surface: a point of the unit cube goes to N coordinates, each a random
Fourier series whose amplitudes fall with the frequency. Coordinate n, standardised to [0, 1], is
the time at which input neuron n fires its one spike. Nothing but these times tells the class. The
setting is that of Zenke and Vogels (2021); this code, its series and its network are ours.

Networks of several seeds train side by side: arrays are [T, S, B, N], time, seeds, batch, neurons.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from tsbp_core import torch_lif
from tsbp_core.neuron import charge


@dataclass(frozen=True)
class Task:
    """The data, the network and its training.

    Parameters
    ----------
    steps : int
        T, the time steps over which the input spikes are spread.
    depth : int
        Hidden layers.
    classes, inputs, dimensions : int
        Manifolds, input neurons (one spike each), dimensions of the cube.
    smoothness : float
        Amplitudes fall as frequency to the power of minus this.
    harmonics : int
        Highest frequency, in periods along a side of the cube.
    train, test, validation : int
        Samples a class for training, held out, and held out for choosing a learning rate.
    hidden, batch, updates : int
        Neurons a hidden layer, samples an update, updates.
    rate : float
        Learning rate of Adam.
    """

    steps: int = 50
    depth: int = 1
    classes: int = 10
    inputs: int = 32
    dimensions: int = 1
    smoothness: float = 1.5
    harmonics: int = 10
    train: int = 100
    test: int = 40
    validation: int = 0
    hidden: int = 32
    batch: int = 50
    updates: int = 150
    rate: float = 0.02

    @property
    def chance(self):
        """Accuracy of a guess."""
        return 1.0 / self.classes


class Manifolds:
    """One random smooth manifold a class, the same for the same seed.

    Called with points [C, P, D] of the unit cube, it returns [C, P, N] in [0, 1]. A coordinate is
    the product over dimensions of a random Fourier series, standardised by its range on 1,000
    random points.
    """

    def __init__(self, task, seed):
        rng = np.random.default_rng((seed, 0))
        shape = (task.classes, 1, task.inputs, task.dimensions, task.harmonics)
        self.frequency = np.arange(1.0, task.harmonics + 1)
        self.amplitude = rng.normal(size=shape) * self.frequency**-task.smoothness
        self.phase = rng.random(shape)
        y = self._series(rng.random((task.classes, 1000, task.dimensions)))
        self.low, self.high = y.min(axis=1, keepdims=True), y.max(axis=1, keepdims=True)

    def __call__(self, points):
        y = (self._series(points) - self.low) / (self.high - self.low)
        return np.clip(y, 0.0, 1.0)

    def _series(self, points):
        turns = self.frequency * points[:, :, None, :, None] + self.phase
        return (self.amplitude * np.sin(2 * np.pi * turns)).sum(axis=-1).prod(axis=-1)


def make_data(task, seed):
    """Spike times [samples, N] in steps and labels [samples]: training, test and validation."""
    rng = np.random.default_rng((seed, 1))
    parts = np.cumsum([0, task.train, task.test, task.validation])
    points = rng.random((task.classes, parts[-1], task.dimensions))
    places = Manifolds(task, seed)(points)
    times = np.minimum((places * task.steps).astype(int), task.steps - 1)
    labels = np.broadcast_to(np.arange(task.classes)[:, None], times.shape[:2])
    return [
        (times[:, i:j].reshape(-1, task.inputs), labels[:, i:j].ravel())
        for i, j in itertools.pairwise(parts)
    ]


def spike_trains(times, steps):
    """Spikes [T, S, B, N] of input neurons that fire once, at ``times`` [S, B, N]."""
    return torch.zeros(steps, *times.shape).scatter_(0, times[None], 1.0)


def currents(spikes, weight):
    """Spikes [T, S, B, N] times the weights of each seed [S, N, M]."""
    flat = spikes.transpose(0, 1).flatten(1, 2) @ weight
    return flat.unflatten(1, (len(spikes), -1)).transpose(0, 1)


def initial_weights(spikes, task, lif, seeds):
    """Normal weights, a list of [S, N, M], scaled so that activity neither dies nor saturates.

    Each seed's membranes, their resets left aside, have standard deviation 1 on ``spikes``, layer
    by layer, and so have the logits.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    sizes = [task.inputs, *[task.hidden] * task.depth, task.classes]
    weights = []
    for layer in range(task.depth + 1):
        shape = sizes[layer : layer + 2]
        weight = torch.stack([torch.randn(shape, generator=g) for g in generators])
        if layer < task.depth:
            v = [torch.zeros(())]
            for x in currents(spikes, weight).unbind(0):
                v.append(charge(x, v[-1], lif))
            weight /= torch.stack(v[1:]).std(dim=(0, 2, 3))[:, None, None]
            spikes = torch_lif.lif(currents(spikes, weight), lif, "eager")
        else:
            weight /= (spikes.sum(0) @ weight).std(dim=(1, 2))[:, None, None]
        weights.append(weight.requires_grad_())
    return weights


def network(spikes, weights, lif):
    """Logits [S, B, C]: hidden layers of LIF neurons, then a sum over time and neurons."""
    for weight in weights[:-1]:
        spikes = torch_lif.lif(currents(spikes, weight), lif, "eager")
    return spikes.sum(0) @ weights[-1]


def cross_entropy(logits, labels):
    """Mean over the batch [S] for logits [S, B, C] and labels [S, B]."""
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none"
    )
    return each.view(len(logits), -1).mean(dim=1)


def train(task, lif, seeds):
    """Train a network for each seed with Adam; neurons and their gradient are ``lif``.

    Seeds decide data, first weights and batches, so that runs of equal seeds are pairs.

    Returns
    -------
    dict of lists over seeds [S]
        ``accuracy`` on held-out samples, ``loss`` (mean of the last ten updates), ``first``: length
        of the gradient of the first layer's weights at the first update, ``median`` and
        ``longest``: the same over all updates. What is not finite is NaN or infinite.
    """
    drawn = zip(*(make_data(task, seed) for seed in seeds), strict=True)
    train_set, test_set, _ = (
        [torch.from_numpy(np.stack(arrays)) for arrays in zip(*part, strict=True)] for part in drawn
    )
    orders = [np.random.default_rng((seed, 2)) for seed in seeds]
    own = torch.arange(len(seeds))[:, None]

    def batch():
        count = train_set[0].shape[1]
        picked = np.stack([order.integers(count, size=task.batch) for order in orders])
        times, labels = (part[own, torch.from_numpy(picked)] for part in train_set)
        return spike_trains(times, task.steps), labels

    weights = initial_weights(batch()[0], task, lif, seeds)
    optimizer = torch.optim.Adam(weights, lr=task.rate)
    losses, lengths = [], []
    for _ in range(task.updates):
        spikes, labels = batch()
        logits = network(spikes, weights, lif)
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.sum().backward()
        lengths.append(weights[0].grad.double().flatten(1).norm(dim=1))
        optimizer.step()
        losses.append(loss.detach())
    with torch.no_grad():
        logits = network(spike_trains(test_set[0], task.steps), weights, lif)
        right = (logits.argmax(dim=-1) == test_set[1]) & logits.isfinite().all(dim=-1)
    lengths = torch.stack(lengths)
    return {
        "accuracy": right.double().mean(dim=1).tolist(),
        "loss": torch.stack(losses[-10:]).double().mean(dim=0).tolist(),
        "first": lengths[0].tolist(),
        "median": lengths.median(dim=0).values.tolist(),
        "longest": lengths.max(dim=0).values.tolist(),
    }
