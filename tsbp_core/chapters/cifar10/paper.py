"""The paper's CIFARNet and schedule, for GPUs: one, or several over hosts by torchrun.

From the paper (Yang, 2020): the layers, 5 steps, tau_m = 5, tau_s = 3, threshold 1, AdamW, 150
epochs. From the setting it follows, TSSL-BP (Zhang and Li, 2020): batches of 50, dropout of 0.2,
traces between layers, the kernel loss. Not known to us and therefore ours: the surrogate
``Sigmoid(0.2, unit="area")``, average pooling, no batch norm, the weights' scale, the
target train, the learning rate and its cosine schedule, shifts and flips.

    python -m tsbp_core.chapters.cifar10.paper --rho 1 --seed 0
    torchrun --nproc-per-node 8 -m tsbp_core.chapters.cifar10.paper --rho 1 --seed 0

The batch is shared out among the processes, with the same random numbers for any number of them, so
that a run cut off on 8 GPUs goes on with 1 and ends with the same result but for rounding.

The preset "quarter" is what a small machine can do of it: a quarter of the width, 10 epochs.
Its plan, written before its first run:

- Unit of comparison: two runs that differ in rho alone, seeds 0 to 4. Primary outcome: test
  accuracy, rho = 1 minus rho = 0. "help" or "harm" if the 95 % interval (Student's t) excludes
  zero; "equivalent" if the 90 % interval lies within half a point; else open. Also: the training
  loss after each epoch. A diverged run counts with the accuracy of chance.
- The learning rate is the preset's, which nobody tuned for this network. So a verdict other than
  open is said only if 1.5e-4 and 1.5e-3 (``--lr``, same seeds) do not contradict it.
- It is not the paper's experiment: its network is 4 times as wide and trained 15 times as long.

Added after the thirty runs, whose best rate is the highest, and before the pair itself: one pair at
5e-3, seed 0, says whether the best lies further up. No verdict comes from it.
"""

import argparse
import contextlib
import math
import os
import time
from dataclasses import asdict, dataclass, replace

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tsbp_core.chapters.cifar10.network import (
    augment,
    autocast,
    digest,
    finite,
    normalised,
    training_flop,
)
from tsbp_core.chapters.cifar10.paper_network import CIFARNet, kernel_loss
from tsbp_core.lab import checkpoints, datasets, results


@dataclass(frozen=True)
class Settings:
    """The run; ``network`` as in the paper, "P2" pools the spikes, a bare number is dense."""

    network: str = "96C3-256C3-P2-384C3-P2-384C3-256C3-1024-1024"
    steps: int = 5
    tau_s: float = 3.0
    epochs: int = 150
    batch: int = 50
    lr: float = 5e-4
    weight_decay: float = 0.01
    dropout: float = 0.2
    weight_scale: float = 7.0
    shift: int = 4
    precision: str = "bfloat16"
    reset_gradient: float = 1.0
    limit: int = 50_000


PRESETS = {
    "paper": Settings(),
    "quarter": Settings(network="24C3-64C3-P2-96C3-P2-96C3-64C3-256-256", epochs=10),
}
"""The paper's, and a quarter of its width for a fifteenth of its epochs."""


def train(settings, seed, data, checkpoint, device="cpu", progress=None):
    """Train the network, with the other processes where ``torch.distributed`` is set up.

    Parameters
    ----------
    settings : Settings
    seed : int
    data : Cifar10
    checkpoint : Path
        Written by the first process after each epoch, and resumed from.
    device : str
        Of this process.
    progress : callable, optional
        Called after each epoch with its record.

    Returns
    -------
    dict
        ``epochs``: train_loss and seconds of each; ``diverged``, as soon as the loss or a weight
        is not finite after an epoch, which ends the run; ``test_accuracy``, None after
        divergence; ``gflop_per_image``; ``weights_sha256``.

    Raises
    ------
    ValueError
        If there are more processes than images in a batch, or the checkpoint is of a run with
        other settings or another seed.
    """
    rank, world = _rank()
    if world > settings.batch:
        raise ValueError(f"{world} processes can't share batches of {settings.batch} images")
    run = Training(settings, seed, data, device)
    made_by = {**asdict(settings), "seed": seed}
    run.state = checkpoints.restore(checkpoint, made_by, run.parts, _load_and_share) or run.state
    state = run.state
    while len(state["epochs"]) < settings.epochs and not state["diverged"]:
        run.epoch()
        if rank == 0:
            checkpoints.keep(checkpoint, made_by, run.parts, state)
            if progress:
                progress(state["epochs"][-1])
    accuracy = None if state["diverged"] else evaluate(run.net, data, settings, device)
    flop = training_flop(run.net, torch.zeros(2, 3, 32, 32, device=device))
    return {
        **state,
        "test_accuracy": accuracy,
        "gflop_per_image": flop / 1e9,
        "weights_sha256": digest(run.net),
    }


class Training:
    """A run on this process's device: its network, data and optimiser, and its state so far."""

    def __init__(self, settings, seed, data, device):
        torch.manual_seed(seed)
        self.settings, self.seed, self.device = settings, seed, device
        self.net = CIFARNet(settings).to(device, memory_format=torch.channels_last)
        self.replica = DistributedDataParallel(self.net) if _rank()[1] > 1 else self.net
        arrays = (data.train_images, data.train_labels)
        self.images, self.labels = (torch.from_numpy(a[: settings.limit]) for a in arrays)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), settings.lr, weight_decay=settings.weight_decay
        )
        updates = settings.epochs * math.ceil(len(self.images) / settings.batch)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, updates)
        self.parts = {"net": self.net, "optimizer": self.optimizer, "schedule": self.schedule}
        self.state = {"epochs": [], "diverged": False}

    def epoch(self):
        """Train for an epoch and note it."""
        start, epochs = time.perf_counter(), self.state["epochs"]
        batches, generator = self.shuffled()
        self.net.train()
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        for picked in batches:
            total += self.update(picked, generator)
        if _rank()[1] > 1:
            distributed.all_reduce(total)
        loss = total.item() / len(self.images)
        self.state["diverged"] = not (math.isfinite(loss) and finite(self.net))
        epochs.append({"train_loss": loss, "seconds": time.perf_counter() - start})

    def shuffled(self):
        """Indices of the next epoch's batches, and what draws the rest of its random numbers."""
        seed = 1000 * self.seed + len(self.state["epochs"])
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self.images), generator=generator)
        return order.split(self.settings.batch), generator

    def update(self, picked, generator):
        """Learn from a batch, of which this process takes its part; the sum of this part's loss."""
        (rank, world), p = _rank(), self.settings
        x = augment(self.images[picked], generator, p.shift)
        masks = self.masks(len(picked), generator)
        mine = torch.arange(len(picked)).tensor_split(world)[rank]
        x = normalised(x[mine]).to(self.device)
        with autocast(p.precision, self.device):
            spikes = self.replica(x, [mask[mine].to(self.device) for mask in masks])
        losses = kernel_loss(spikes, self.labels[picked[mine]].to(self.device), p.tau_s)
        self.optimizer.zero_grad()
        (losses.sum() * world / len(picked)).backward()  # DDP takes the mean over processes
        self.optimizer.step()
        self.schedule.step()
        return losses.detach().sum()

    def masks(self, count, generator):
        """What dropout multiplies the hidden dense layers' traces by, a list of [B, width]."""
        dense = [layer for layer in self.net.layers if isinstance(layer, nn.Linear)]
        keep = 1 - self.settings.dropout
        return [
            torch.empty(count, layer.out_features).bernoulli_(keep, generator=generator) / keep
            for layer in dense[:-1]
        ]


def _load_and_share(path):
    """What the first process loads, for all."""
    rank, world = _rank()
    box = [checkpoints.load(path) if rank == 0 else None]
    if world > 1:
        distributed.broadcast_object_list(box)
    return box[0]


@torch.no_grad()
def evaluate(net, data, settings, device, batch=250):
    """Test accuracy: the answer is the class whose neuron fires most, the first of equals."""
    net.eval()
    rank, world = _rank()
    images, labels = (torch.from_numpy(a) for a in (data.test_images, data.test_labels))
    mine = torch.arange(len(images)).tensor_split(world)[rank]
    correct = torch.zeros((), device=device)
    for picked in mine.split(batch):
        with autocast(settings.precision, device):
            spikes = net(normalised(images[picked]).to(device))
        correct += (spikes.float().sum(0).argmax(1).cpu() == labels[picked]).sum()
    if world > 1:
        distributed.all_reduce(correct)
    return correct.item() / len(images)


def _rank():
    """This process and the number of processes."""
    if distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _machine():
    """What a run was computed by."""
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"processes": _rank()[1], "device": card}


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cifar10.paper",
        description="Train the paper's CIFARNet; the same command goes on where it stopped.",
    )
    parser.add_argument("--rho", type=float, default=1.0, help="reset_gradient (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", choices=PRESETS, default="paper")
    parser.add_argument("--lr", type=float, help="learning rate (the preset's)")
    parser.add_argument("--root", help="folder with the data set (TSBP_DATA, or data/)")
    args = parser.parse_args(argv)
    preset = PRESETS[args.preset]
    lr = preset.lr if args.lr is None else args.lr
    settings = replace(preset, reset_gradient=args.rho, lr=lr)
    name = f"cifar10-{args.preset}/lr{settings.lr:g}-rho{args.rho:g}-seed{args.seed}"
    if (results.RESULTS / f"{name}.json").exists():
        print(f"{name} is there")
        return
    device, cuda = "cpu", torch.cuda.is_available()
    if cuda:
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(device)
    if "RANK" in os.environ:
        distributed.init_process_group("nccl" if cuda else "gloo")
    checkpoint = results.checkpoint(f"{name}.pt")
    rank, _ = _rank()

    def run():
        return train(settings, args.seed, datasets.cifar10(args.root), checkpoint, device, print)

    try:
        with checkpoints.claimed(checkpoint) if rank == 0 else contextlib.nullcontext(True) as ours:
            if not ours:
                raise SystemExit(f"another process computes {name}")
            if rank > 0:
                run()
                return
            results.make(
                name,
                run,
                command=f"python -m tsbp_core.chapters.cifar10.paper --preset {args.preset} "
                f"--lr {settings.lr:g} --rho {args.rho:g} --seed {args.seed}",
                settings={**asdict(settings), "seed": args.seed, **_machine()},
            )
    except datasets.DatasetError as error:
        raise SystemExit(str(error)) from None
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == "__main__":
    main()
