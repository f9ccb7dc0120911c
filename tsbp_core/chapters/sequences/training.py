"""Train many recurrent networks side by side, each with its own method, rate and seed.

All networks take the same steps, so that an update is one list of kernels. On a GPU the list is
recorded once, as a CUDA graph, and replayed; its steps are fused by torch's compiler where that
works.
"""

import functools
import math
import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from tsbp_core import LIF
from tsbp_core.chapters.sequences import recurrent
from tsbp_core.chapters.sequences.data import FOLDS, TEST
from tsbp_core.chapters.sequences.recurrent import Weights
from tsbp_core.compiler import reason
from tsbp_core.neuron import charge

MOMENTUM, SQUARES, SMALL = 0.9, 0.999, 1e-8
"""Of both optimisers, of Adam's mean square, and in its denominator, as torch's Adam has them."""


PIECE = 400
"""Sequences that are judged at a time."""


LONG = 500
"""Updates from which on compiling the steps takes less time than it saves on a CPU."""


CALIBRATION = 100
"""Sequences on which the first weights are scaled."""


class Method(NamedTuple):
    """How one network learns."""

    optimizer: str
    """"adam" or "sgd" (with momentum)."""
    rate: float
    rho: float
    seed: int


@dataclass(frozen=True)
class Settings:
    """Size of the networks and length of the training.

    Parameters
    ----------
    hidden : int
        Neurons.
    batch : int
        Sequences an update.
    updates : int
    looks : int
        Not read, and part of the results' keys: ``study.looks`` says when networks are looked at.
    recurrence : float
        Size of the recurrent weights at the start; see ``initial_weights``.
    """

    hidden: int = 64
    batch: int = 64
    updates: int = 1500
    looks: int = 20
    recurrence: float = 2.0


def initial_weights(data, net, settings, seeds, device="cpu"):
    """Normal weights of a network for each seed, fixed by it: Weights of [S, ...].

    W is scaled neuron by neuron, so that the membrane that the input alone would cause, with no
    reset, has standard deviation 1 over time and part of the pool. V is scaled so that one spike of
    each neuron would move every membrane by ``settings.recurrence`` (root mean square, over the
    length of the effect). R is scaled so that the logits of the untrained network have standard
    deviation 1.
    """
    channels, hidden = data.x.shape[2], settings.hidden
    shapes = (channels, hidden), (hidden, hidden), (hidden, data.classes)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn = [[torch.randn(shape, generator=g) for shape in shapes] for g in generators]
    W, V, R = (torch.stack(parts).to(device) for parts in zip(*drawn, strict=True))
    some = np.flatnonzero(data.fold != TEST)[:CALIBRATION]
    x = torch.from_numpy(data.x[some]).to(device).transpose(0, 1).expand(len(seeds), -1, -1, -1)
    window = torch.from_numpy(data.window[some]).to(device).T[:, None, :, None]
    membranes = integrate((x @ W[:, None]).unbind(1), net)
    W = W / membranes.std(dim=(0, 2))[:, None]
    pulse = torch.eye(1, x.shape[1]).T.to(device)
    V = V * settings.recurrence / math.sqrt(hidden) / integrate(pulse, net).norm()
    run = recurrent.forward(x, window, Weights(W, V, R), net, keep=False)
    return Weights(W, V, R / run.logits.std(dim=(1, 2)).clamp(min=1e-3)[:, None, None])


def integrate(drives, net):
    """Membranes [T, ...] that ``drives`` over time cause, with no reset."""
    i = v = torch.zeros_like(drives[0])
    membranes = []
    for drive in drives:
        i = net.keep * i + drive / net.tau_s
        v = charge(i, v, net.lif)
        membranes.append(v)
    return torch.stack(membranes)


def batches(data, settings, seed):
    """Samples of every update, [updates, batch]: shuffled passes over the seed's training part."""
    part = np.flatnonzero((data.fold != TEST) & (data.fold != seed % FOLDS))
    rng = np.random.default_rng((seed, 4))
    passes = -(-settings.updates * settings.batch // len(part))
    order = np.concatenate([rng.permutation(part) for _ in range(passes)])
    return order[: settings.updates * settings.batch].reshape(settings.updates, settings.batch)


class Optimizer:
    """Adam and gradient descent with momentum on flat weights [N, P], in place.

    ``adam`` [N, 1] says which, ``rate`` [N, 1] how fast. The numbers are those of torch.optim.
    """

    def __init__(self, weights, adam, rate):
        self.weights, self.adam, self.rate = weights, adam, rate
        self.mean, self.square = torch.zeros_like(weights), torch.zeros_like(weights)
        self.powers = torch.ones(2, dtype=torch.float64, device=weights.device)
        self.decays = torch.tensor([MOMENTUM, SQUARES], dtype=torch.float64).to(weights.device)
        self.share = 1 - MOMENTUM * adam.to(weights)

    def step(self, gradient):
        """Take a step against ``gradient`` [N, P]."""
        self.powers.mul_(self.decays)
        left = (1 - self.powers).to(self.weights.dtype)
        self.mean.mul_(MOMENTUM).addcmul_(gradient, self.share)
        self.square.mul_(SQUARES).addcmul_(gradient, gradient, value=1 - SQUARES)
        adam = self.mean / left[0] / ((self.square / left[1]).sqrt() + SMALL)
        self.weights.sub_(self.rate * torch.where(self.adam, adam, self.mean))


def flatten(weights):
    """Weights as one array [N, P]."""
    return torch.cat([part.flatten(1) for part in weights], dim=1)


def views(flat, like):
    """Weights of the shapes of ``like`` that share the memory of ``flat`` [N, P]."""
    sizes = [part[0].numel() for part in like]
    parts = flat.split(sizes, dim=1)
    return Weights(*(p.unflatten(1, w.shape[1:]) for p, w in zip(parts, like, strict=True)))


class Trainer:
    """Networks that learn one task, each by its ``Method``.

    Parameters
    ----------
    data : Data
    net : recurrent.Net
    settings : Settings
    methods : sequence of Method
        One a network.
    device : str, default "cpu"
    fuse : bool, optional
        Whether to compile the steps; by default on a GPU, and on a CPU from ``LONG`` updates on.
    """

    def __init__(self, data, net, settings, methods, device="cpu", fuse=None):
        self.net, self.device = net, device
        lif = net.lif  # spikes depend on neither surrogate nor rho: such neurons share a kernel
        self.plain = replace(net, lif=LIF(lif.decay, lif.threshold, lif.reset))
        hot = np.eye(data.classes, dtype=np.float32)[data.labels]
        self.x, self.hot, self.window = (
            torch.from_numpy(a).to(device) for a in (data.x, hot, data.window)
        )
        self.seeds = seeds = sorted({m.seed for m in methods})
        row = torch.tensor([seeds.index(m.seed) for m in methods], device=device)
        first = initial_weights(data, net, settings, seeds, device)
        first = Weights(*(part[row] for part in first))
        self.flat = flatten(first)
        self.weights = views(self.flat, first)
        plan = np.stack([batches(data, settings, seed) for seed in seeds], axis=1)
        self.plan = torch.from_numpy(plan).to(device)
        self.row = row
        column = {"device": device, "dtype": torch.float32}
        self.rho = torch.tensor([[[m.rho]] for m in methods], **column)
        self.optimizer = Optimizer(
            self.flat,
            torch.tensor([[m.optimizer == "adam"] for m in methods], device=device),
            torch.tensor([[m.rate] for m in methods], **column),
        )
        self.validation = torch.from_numpy(
            np.stack([np.flatnonzero(data.fold == seed % FOLDS) for seed in seeds])
        ).to(device)
        self.test = torch.from_numpy(np.flatnonzero(data.fold == TEST)).to(device)
        self.picked = self.plan[0].clone()
        self.loss = torch.zeros(len(methods), device=device)
        self.done = 0
        fuse = device != "cpu" or settings.updates >= LONG if fuse is None else fuse
        self.forward_step, self.backward_step = (
            Fused(step) if fuse else step
            for step in (recurrent.forward_step, recurrent.backward_step)
        )
        self.replay = None

    def batch(self, picked):
        """Currents [N, T, B, D], windows [T, N, B, 1], labels [N, B, C] of ``picked`` [S, B]."""
        own = picked[self.row]
        window = self.window[own].permute(2, 0, 1).contiguous()
        return self.x[own].transpose(1, 2), window[..., None], self.hot[own]

    def gradients(self, picked, rhos=None):
        """Losses [N] on ``picked`` [S, B], and the gradients, Weights, for each of ``rhos``."""
        x, window, hot = self.batch(picked)
        run = recurrent.forward(x, window, self.weights, self.plain, self.forward_step)
        loss, dlogits = recurrent.cross_entropy(run.logits, hot)
        gradients = [
            recurrent.gradient(
                x, window, run, dlogits, self.weights, rho, self.net, self.backward_step
            )
            for rho in rhos or [self.rho]
        ]
        return loss, gradients

    def update(self):
        """One update on the batch ``picked``; its loss is added to ``loss``."""
        loss, (gradient,) = self.gradients(self.picked)
        self.optimizer.step(flatten(gradient))
        self.loss.add_(loss)

    def advance(self, updates):
        """Take ``updates`` updates; return the mean loss of each network [N]."""
        self.loss.zero_()
        for _ in range(updates):
            self.picked.copy_(self.plan[self.done])
            if self.replay is None and self.device != "cpu":
                self.record()
            else:
                (self.replay or self.update)()
            self.done += 1
        return (self.loss / updates).cpu().numpy()

    def record(self):
        """Take one update while recording it as a CUDA graph, or for good without one."""
        self.replay = self.update
        kept = [t.clone() for t in self._state()]
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(2):
                    self.update()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.update()
            self.replay = graph.replay
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph, only slower: {error}", stacklevel=2)
        for now, before in zip(self._state(), kept, strict=True):
            now.copy_(before)
        self.replay()

    def _state(self):
        o = self.optimizer
        return self.flat, o.mean, o.square, o.powers, self.loss

    def right(self, picked):
        """Share of ``picked`` [S, B] that each network [N] gets right."""
        hits = torch.zeros(len(self.row), device=self.device)
        for part in picked.split(PIECE, dim=1):
            x, window, hot = self.batch(part)
            logits = recurrent.forward(x, window, self.weights, self.net, keep=False).logits
            hit = (logits.argmax(dim=-1) == hot.argmax(dim=-1)) & logits.isfinite().all(dim=-1)
            hits += hit.sum(dim=1)
        return (hits / picked.shape[1]).cpu().numpy()


class Fused:
    """A step compiled for the shapes that it meets, or itself, with a warning, where that fails.

    The step is traced to torch operations first, so that the compiler meets no Python.
    """

    def __init__(self, step):
        self.step = step

    def __call__(self, *arguments):
        *tensors, net = arguments
        key = self.step, net, tuple(t.shape for t in tensors), tuple(t.stride() for t in tensors)
        if key not in _FUSED:
            _FUSED[key] = _fuse(functools.partial(self.step, net=net), tensors)
        return _FUSED[key](*tensors)


_FUSED = {}


def _fuse(function, tensors):
    apart = [t.clone() for t in tensors]  # an array passed twice would be traced as one argument
    try:
        fused = torch.compile(make_fx(function)(*apart), dynamic=False)
        fused(*apart)
        return fused
    except Exception as error:
        warnings.warn(f"steps are not fused, only slower: {reason(error)}", stacklevel=3)
        return function
