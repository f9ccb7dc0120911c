"""One training run on CIFAR-10.

Runs that differ in rho alone are paired: the same seed gives the same initial weights, the same
batches and the same augmentation. An epoch's random numbers depend on the seed and the epoch alone,
so a run that was cut off resumes from its last checkpoint to the very bits that an uninterrupted
run ends with. The test set is used once, at the end.
"""

import math
import time
from dataclasses import asdict

import torch

from tsbp_core.chapters.cifar10.evaluation import (
    compare_gradients,
    evaluate,
    rescale_gradients,
    smoothed_loss,
)
from tsbp_core.chapters.cifar10.network import (
    SpikingNet,
    augment,
    autocast,
    digest,
    finite,
    normalised,
    training_flop,
)
from tsbp_core.chapters.cifar10.settings import OPTIMIZERS
from tsbp_core.lab import checkpoints

PROBES = (0.0, 0.05, 0.2, 0.5, 1.0)
"""Where in a run, as a share of its updates, both methods' gradients are compared."""
PROBE_IMAGES = 256


def train(settings, seed, data, checkpoint=None, device="cpu"):
    """Train one network.

    Parameters
    ----------
    settings : Settings
    seed : int
        Sets initial weights, batches and augmentation.
    data : Cifar10
        From ``datasets.cifar10``.
    checkpoint : Path, optional
        Written after each epoch, and resumed from if it is there.
    device : str or torch.device, default "cpu"
        Where to train. Random numbers are the same everywhere, sums are not to the last bit.

    Returns
    -------
    dict
        ``epochs``: a list with train_loss, train_accuracy, seconds, gflop of each epoch, and what
        ``evaluate`` returns for held-out images; ``test``: what ``evaluate`` returns for the test
        set, or None with held-out images or after divergence; ``probes``: what
        ``compare_gradients`` returns along training, with the number of steps then;
        ``diverged``: whether a loss, or a weight after an epoch, was not finite, which ends the
        run; ``seconds``: of all epochs, evaluation of held-out images included;
        ``gflop_per_image``: of a training step; ``weights_sha256``: of the final weights, to
        compare runs bit by bit.

    Raises
    ------
    ValueError
        If the checkpoint is of a run with other settings or another seed, or the warm-up is one
        update.
    """
    run = _Training(settings, seed, data, device)
    made_by = {**asdict(settings), "seed": seed}
    if checkpoint:
        run.state = checkpoints.restore(checkpoint, made_by, run.parts) or run.state
    state = run.state
    while len(state["epochs"]) < settings.epochs and not state["diverged"]:
        start = time.perf_counter()
        run.epoch()
        state["seconds"] += time.perf_counter() - start
        if checkpoint:
            checkpoints.keep(checkpoint, made_by, run.parts, state)
    test = None
    if not state["diverged"]:
        run.compare(run.updates)
        if not settings.held_out:
            test = evaluate(
                run.net, *_tensors(data.test_images, data.test_labels, device), settings
            )
    flop = training_flop(run.net, run.example)
    return {**state, "test": test, "gflop_per_image": flop / 1e9, "weights_sha256": digest(run.net)}


class _Training:
    """A run: its network, images [n, 3, 32, 32] and optimiser, and its state so far."""

    def __init__(self, settings, seed, data, device):
        torch.manual_seed(seed)
        net = SpikingNet(settings.network, settings.steps, settings.neuron())
        self.settings, self.seed, self.device = settings, seed, device
        self.net = net.to(device, memory_format=torch.channels_last)
        arrays = (a[: settings.limit] for a in (data.train_images, data.train_labels))
        images, labels = _tensors(*arrays, device)
        kept = len(images) - settings.held_out
        self.images, self.labels = images[:kept], labels[:kept]
        self.held_out = images[kept:], labels[kept:]
        if net.whitening is not None:
            net.whiten(normalised(self.images[:5000]))
        self.batches = math.ceil(kept / settings.batch)
        self.updates = settings.epochs * self.batches
        if settings.warmup * self.updates == 1:
            raise ValueError(
                "torch's schedule cannot warm up in exactly one update: train longer, or change "
                f"warmup, which is {settings.warmup:g} of {self.updates} updates"
            )
        self.optimizer = _optimizer(net, settings)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            settings.lr,
            total_steps=self.updates,
            pct_start=settings.warmup,
            anneal_strategy="linear",
            cycle_momentum=False,
        )
        self.parts = {"net": net, "optimizer": self.optimizer, "schedule": self.schedule}
        self.state = {"epochs": [], "probes": [], "diverged": False, "seconds": 0.0}
        self.example = torch.zeros(2, 3, 32, 32, device=device)
        self.probe = normalised(self.images[:PROBE_IMAGES]), self.labels[:PROBE_IMAGES]

    def epoch(self):
        """Train for an epoch and note it; divergence ends it early, and leaves no record."""
        start, state, net = time.perf_counter(), self.state, self.net
        number = len(state["epochs"])
        net.first.steps = self.settings.steps_at(number)
        net.train()
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        picks = torch.randperm(len(self.images), generator=generator).split(self.settings.batch)
        total_loss, correct = 0.0, 0
        for i, picked in enumerate(picks, number * self.batches):
            self.compare(i)
            loss, right = self.update(picked.to(self.device), generator)
            if not math.isfinite(loss):
                state["diverged"] = True
                return
            total_loss += loss * len(picked)
            correct += right
        count = len(self.images)
        record = {"train_loss": total_loss / count, "train_accuracy": correct / count}
        record["seconds"] = round(time.perf_counter() - start, 2)
        record["gflop"] = count * training_flop(net, self.example) / 1e9
        if self.settings.held_out:
            record["held_out"] = evaluate(net, *self.held_out, self.settings)
        state["epochs"].append(record)
        state["diverged"] = not finite(net)

    def update(self, picked, generator):
        """Learn from a batch: its mean loss, and how many are right. No change if it diverged."""
        x, y = augment(self.images[picked], generator, self.settings.shift), self.labels[picked]
        x = normalised(x)
        with autocast(self.settings.precision, self.device):
            logits, _ = self.net(x)
            loss = smoothed_loss(logits, y, self.settings)
        if torch.isfinite(loss):
            self.optimizer.zero_grad()
            loss.backward()
            if self.settings.length_of is not None:
                rescale_gradients(self.net, x, y, self.settings, self.settings.length_of)
            self.optimizer.step()
            self.schedule.step()
        return loss.item(), (logits.argmax(1) == y).sum().item()

    def compare(self, update):
        """Note both methods' gradients, if they are to be compared before this update."""
        if update in {round(share * self.updates) for share in PROBES}:
            comparison = compare_gradients(self.net, *self.probe, self.settings)
            self.state["probes"].append(
                {"update": update, "steps": self.net.first.steps, **comparison}
            )


def _tensors(images, labels, device):
    return (torch.from_numpy(array).to(device) for array in (images, labels))


def _optimizer(net, settings):
    """Weight decay acts on weights alone, not on batch norm and biases."""
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, settings.lr)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, settings.lr, momentum=0.9, nesterov=True)
    raise ValueError(f"optimizer must be one of {OPTIMIZERS}, got {settings.optimizer!r}")
