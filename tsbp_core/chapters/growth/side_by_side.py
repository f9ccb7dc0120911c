"""Many networks of ``manifolds`` trained at once: neurons, learning rates and seeds side by side.

Arrays are [S, T, B, N]: networks, time, batch, neurons. The networks are all combinations of
``lifs``, ``rates`` and ``seeds``, in this order, the last running fastest. On a GPU one kernel for
each rho steps all of them; on a CPU each neuron has its own call of ``torch_lif``.

A network is trained the same whatever stands beside it, to rounding. First weights, data and
batches come from the seed alone, by generators of the CPU, so that they have the same bits on every
device; sums are taken in another order on a GPU, so that what is learnt there has not.
"""

import functools
from dataclasses import replace

import numpy as np
import torch

from tsbp_core import torch_lif
from tsbp_core.chapters.growth import manifolds

OPTIMIZERS = ("adam", "sgd")
MOMENTUM = 0.9
BETAS, SMALL = (0.9, 0.999), 1e-8
"""Of Adam, as torch has them."""
EVALUATED = 250
"""Samples a network that are evaluated at once."""


def train(task, lifs, rates, seeds, points, optimizer="adam", device="cpu"):
    """Train len(lifs) x len(rates) x len(seeds) networks.

    Parameters
    ----------
    task : manifolds.Task
        Its rate is not used.
    lifs : sequence of LIF
        Neurons that differ in surrogate and rho only.
    rates : sequence of float
        Learning rates.
    seeds : sequence of int
        They decide data, first weights and batches, so that runs of equal seeds are pairs.
    points : sequence of int
        Updates after which the networks are tested; the last at the end.
    optimizer : {"adam", "sgd"}, default "adam"
        "sgd" has momentum 0.9.
    device : str or torch.device

    Returns
    -------
    dict
        ``validation`` and ``test``: accuracy [lifs, rates, seeds, points]; a sample whose logits
        are not finite counts as a guess. ``loss``: of each update's batch [updates, lifs, rates,
        seeds]. NumPy arrays.
    """
    if len({(lif.decay, lif.threshold, lif.reset) for lif in lifs}) > 1:
        raise ValueError("neurons side by side differ in surrogate and reset_gradient only")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {OPTIMIZERS}, got {optimizer!r}")
    if sorted(set(points)) != list(points) or points[0] < 1 or points[-1] > task.updates:
        raise ValueError(f"points must grow from 1 to {task.updates} at the most, got {points}")
    drawn = zip(*(samples(replace(task, depth=1), seed) for seed in seeds), strict=True)
    train_set, test_set, validation_set = (to_device(part, device) for part in drawn)
    order = batches(task, seeds, train_set[0].shape[1]).to(device)
    layer = lif_layer(lifs, len(rates) * len(seeds), device)
    weights = first_weights(task, lifs, len(rates), seeds, train_set, order[0], device)
    rate = torch.tensor(rates, device=device).repeat_interleave(len(seeds)).repeat(len(lifs))
    step = Optimizer(optimizer, weights, rate[:, None, None])
    losses, accuracies = [], {"validation": [], "test": []}
    for done in range(1, points[-1] + 1):
        times, labels = pick(train_set, order[done])
        logits = network(spike_trains_by_network(times, task.steps), weights, layer)
        losses.append(cross_entropy(logits, labels))
        step(torch.autograd.grad(losses[-1].sum(), weights))
        losses[-1].detach_()
        if done in points:
            for name, part in (("validation", validation_set), ("test", test_set)):
                accuracies[name].append(accuracy(part, task.steps, weights, layer))
    shape = len(lifs), len(rates), len(seeds)
    accuracies = {
        name: torch.stack(rows, dim=-1).view(*shape, -1) for name, rows in accuracies.items()
    }
    accuracies["loss"] = torch.stack(losses).view(-1, *shape)
    return {name: values.cpu().numpy() for name, values in accuracies.items()}


@functools.lru_cache(maxsize=64)
def samples(task, seed):
    """``manifolds.make_data``, kept: it takes longer than some networks."""
    return manifolds.make_data(task, seed)


def to_device(part, device):
    """Times [K, samples, N] and labels [K, samples] of all seeds, from a pair for each."""
    return [torch.from_numpy(np.stack(arrays)).to(device) for arrays in zip(*part, strict=True)]


def batches(task, seeds, count):
    """Places [1 + updates, K, B] of the samples of each batch; the first scales the weights."""
    orders = [np.random.default_rng((seed, 2)) for seed in seeds]
    drawn = [
        [order.integers(count, size=task.batch) for order in orders]
        for _ in range(1 + task.updates)
    ]
    return torch.from_numpy(np.array(drawn))


def pick(part, places):
    """The samples at ``places`` [K, B] of each seed: times [K, B, N] and labels [K, B]."""
    own = torch.arange(len(places), device=places.device)[:, None]
    return [values[own, places] for values in part]


def spike_trains_by_network(times, steps):
    """Spikes [K, T, B, N] of input neurons that fire once, at ``times`` [K, B, N]."""
    clock = torch.arange(steps, device=times.device)[:, None, None]
    return (times[:, None] == clock).float()


def first_weights(task, lifs, rates, seeds, train_set, places, device):
    """``manifolds.initial_weights`` of each seed, for all its networks: a list of [S, N, M].

    They depend on what the neurons share, not on surrogate and rho. Computed on the CPU.
    """
    times, _ = pick([values.cpu() for values in train_set], places.cpu())
    spikes = manifolds.spike_trains(times, task.steps)
    first = manifolds.initial_weights(spikes, task, lifs[0], seeds)
    copies = len(lifs) * rates
    return [w.detach().repeat(copies, 1, 1).to(device).requires_grad_() for w in first]


def lif_layer(lifs, each, device):
    """A function from currents [S, T, B, N] to spikes; neuron k for the k-th ``each`` networks."""
    if torch.device(device).type == "cuda":
        from tsbp_core.chapters.growth import kernels  # needs Triton, which only GPUs have

        return kernels.layer(lifs, each, device)

    def layer(x):
        parts = zip(x.transpose(0, 1).chunk(len(lifs), dim=1), lifs, strict=True)
        return torch.cat([torch_lif.lif(part, lif) for part, lif in parts], dim=1).transpose(0, 1)

    return layer


def network(spikes, weights, layer):
    """Logits [S, B, C] for inputs [K, T, B, N] of each seed: hidden layers, then a sum."""
    copies = len(weights[0]) // len(spikes)
    spikes = spikes.expand(copies, *spikes.shape).flatten(0, 1)
    for weight in weights[:-1]:
        currents = spikes.flatten(1, 2) @ weight
        spikes = layer(currents.unflatten(1, spikes.shape[1:3]))
    return spikes.sum(1) @ weights[-1]


def cross_entropy(logits, labels):
    """``manifolds.cross_entropy`` [S] for logits [S, B, C] and labels [K, B]."""
    return manifolds.cross_entropy(logits, labels.repeat(len(logits) // len(labels), 1))


@torch.no_grad()
def accuracy(part, steps, weights, layer):
    """Share of right answers [S] on times and labels; logits that are not finite are a guess."""
    right = 0.0
    for times, labels in zip(*(values.split(EVALUATED, dim=1) for values in part), strict=True):
        logits = network(spike_trains_by_network(times, steps), weights, layer)
        hits = logits.argmax(dim=-1) == labels.repeat(len(logits) // len(labels), 1)
        finite = logits.isfinite().all(dim=-1)
        right = right + torch.where(finite, hits.double(), 1.0 / logits.shape[-1]).sum(dim=1)
    return right / part[1].shape[1]


class Optimizer:
    """Adam or momentum as torch has them, with a rate [S, 1, 1] a network."""

    def __init__(self, name, weights, rate):
        self.weights, self.rate = weights, rate
        self.first, self.second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
        self.step = self.adam if name == "adam" else self.momentum
        self.updates = 0

    @torch.no_grad()
    def __call__(self, gradients):
        self.updates += 1
        for w, g, *moments in zip(self.weights, gradients, self.first, self.second, strict=True):
            w.sub_(self.rate * self.step(g, *moments))

    def adam(self, g, m, v):
        one, two = BETAS
        m.lerp_(g, 1.0 - one)
        v.mul_(two).addcmul_(g, g, value=1.0 - two)
        root = v.sqrt().div_((1.0 - two**self.updates) ** 0.5)
        return (m / root.add_(SMALL)).div_(1.0 - one**self.updates)

    def momentum(self, g, m, _):
        return m.mul_(MOMENTUM).add_(g)
