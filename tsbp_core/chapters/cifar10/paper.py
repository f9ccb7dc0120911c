"""The paper's CIFARNet and schedule, for GPUs: one, or several over hosts by torchrun.

From the paper (Yang, 2020): the layers, 5 steps, tau_m = 5, tau_s = 3, threshold 1, AdamW, 150
epochs. From the setting it follows, TSSL-BP (Zhang and Li, 2020): batches of 50, dropout of 0.2,
traces between layers, the kernel loss. Not known to us and therefore ours: the surrogate
``Sigmoid(0.2, unit="area")``, average pooling of traces, no batch norm, the weights' scale, the
target train, the learning rate and its cosine schedule, shifts and flips.

    python -m tsbp_core.chapters.cifar10.paper --rho 1 --seed 0
    torchrun --nproc-per-node 8 -m tsbp_core.chapters.cifar10.paper --rho 1 --seed 0

The batch is shared out among the processes, with the same random numbers for any number of them, so
that a run cut off on 8 GPUs goes on with 1 and ends with the same result but for rounding.
"""

import argparse
import contextlib
import math
import os
import re
import time
from dataclasses import asdict, dataclass, replace

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tsbp_core import LIF, surrogates, torch_lif
from tsbp_core.chapters.cifar10 import training as cifar10
from tsbp_core.lab import checkpoints, datasets, results

NEURON = LIF(decay=1 - 1 / 5, threshold=1.0, surrogate=surrogates.Sigmoid(0.2, unit="area"))
"""tau_m = 5 steps."""


@dataclass(frozen=True)
class Settings:
    """The run; ``network`` as in the paper, "P2" pools the traces, a bare number is dense."""

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


class CIFARNet(nn.Module):
    """Images [B, 3, 32, 32] to output spikes [T, B, 10]; every layer is followed by LIF neurons.

    Layers receive the traces a[t] = (1 - 1/tau_s) a[t-1] + s[t]/tau_s of the spikes below. Weights
    are drawn from PyTorch's default distribution, times ``weight_scale``, which is such that all
    layers fire.
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.lif = torch_lif.LIFLayer(replace(NEURON, reset_gradient=settings.reset_gradient))
        channels, side = 3, 32
        layers = []
        for token in [*settings.network.split("-"), "10"]:
            if conv := re.fullmatch(r"(\d+)C(\d*[13579])", token):
                width, size = int(conv[1]), int(conv[2])
                layers.append(nn.Conv2d(channels, width, size, padding=size // 2))
                channels = width
            elif pool := re.fullmatch(r"P(\d+)", token):
                layers.append(nn.AvgPool2d(int(pool[1])))
                side //= int(pool[1])
            elif token.isdecimal():
                layers.append(nn.Linear(channels * side**2, int(token)))
                channels, side = int(token), 1
            else:
                raise ValueError(f"network {settings.network!r}: can't read {token!r}")
        self.layers = nn.ModuleList(layers)
        with torch.no_grad():
            for weight in self.parameters():
                weight.mul_(settings.weight_scale)

    def forward(self, images, masks=()):
        """``masks``, one a hidden dense layer, [B, width], multiply its traces (dropout)."""
        p, x, masks = self.settings, images, list(masks)
        for i, layer in enumerate(self.layers):
            if isinstance(layer, nn.AvgPool2d):
                x = layer(x)
                continue
            if isinstance(layer, nn.Linear):
                x = x.flatten(1)
            x = layer(x)
            x = x.expand(p.steps, *x.shape) if i == 0 else x.unflatten(0, (p.steps, -1))
            spikes = self.lif(x)
            a = traces(spikes, p.tau_s)
            if isinstance(layer, nn.Linear) and masks:
                a = a * masks.pop(0).to(a.dtype)
            x = a.flatten(0, 1)
        return spikes


def traces(spikes, tau_s):
    """Synaptic traces of spikes, [T, ...]."""
    a, kept = torch.zeros_like(spikes[0]), []
    for s in spikes.unbind(0):
        a = (1 - 1 / tau_s) * a + s / tau_s
        kept.append(a)
    return torch.stack(kept)


def kernel_loss(spikes, labels, tau_s):
    """Half the squared distance of the traces from the target's, over steps and classes, [B].

    The target: the neuron of the right class fires at every step but the first, the others never.
    """
    target = torch.zeros_like(spikes)
    target[1:, torch.arange(len(labels), device=labels.device), labels] = 1.0
    apart = traces(spikes.float(), tau_s) - traces(target.float(), tau_s)
    return 0.5 * apart.square().sum(dim=(0, 2))


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
        If there are more processes than images in a batch.
    """
    rank, world = _rank()
    if world > settings.batch:
        raise ValueError(f"{world} processes can't share batches of {settings.batch} images")
    torch.manual_seed(seed)
    net = CIFARNet(settings).to(device, memory_format=torch.channels_last)
    images, labels = (
        torch.from_numpy(a[: settings.limit]) for a in (data.train_images, data.train_labels)
    )
    optimizer = torch.optim.AdamW(net.parameters(), settings.lr, weight_decay=settings.weight_decay)
    batches = math.ceil(len(images) / settings.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs * batches)
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    state = {"epochs": [], "diverged": False}
    box = [checkpoints.load(checkpoint) if rank == 0 else None]
    if world > 1:
        distributed.broadcast_object_list(box)
    if saved := box[0]:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        state = saved["state"]
    replica = DistributedDataParallel(net) if world > 1 else net
    widths = [layer.out_features for layer in net.layers if isinstance(layer, nn.Linear)][:-1]

    while len(state["epochs"]) < settings.epochs and not state["diverged"]:
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(1000 * seed + len(state["epochs"]))
        net.train()
        total = torch.zeros((), device=device, dtype=torch.float64)
        for picked in torch.randperm(len(images), generator=generator).split(settings.batch):
            x = cifar10.augment(images[picked], generator, settings.shift)
            keep = 1 - settings.dropout
            masks = [
                torch.empty(len(picked), w).bernoulli_(keep, generator=generator) / keep
                for w in widths
            ]
            mine = torch.arange(len(picked)).tensor_split(world)[rank]
            x = cifar10.normalised(x[mine]).to(device)
            with cifar10.autocast(settings.precision, device):
                spikes = replica(x, [mask[mine].to(device) for mask in masks])
            losses = kernel_loss(spikes, labels[picked[mine]].to(device), settings.tau_s)
            optimizer.zero_grad()
            (losses.sum() * world / len(picked)).backward()  # DDP takes the mean over processes
            optimizer.step()
            schedule.step()
            total += losses.detach().sum()
        if world > 1:
            distributed.all_reduce(total)
        loss = total.item() / len(images)
        state["diverged"] = not (math.isfinite(loss) and cifar10.finite(net))
        state["epochs"].append({"train_loss": loss, "seconds": time.perf_counter() - start})
        if rank == 0:
            whole = {name: part.state_dict() for name, part in parts.items()}
            checkpoints.save(checkpoint, {**whole, "state": state})
            if progress:
                progress(state["epochs"][-1])
    accuracy = None if state["diverged"] else evaluate(net, data, settings, device)
    example = torch.zeros(2, 3, 32, 32, device=device)
    flop = cifar10.training_flop(net, example)
    return {
        **state,
        "test_accuracy": accuracy,
        "gflop_per_image": flop / 1e9,
        "weights_sha256": cifar10.digest(net),
    }


@torch.no_grad()
def evaluate(net, data, settings, device, batch=250):
    """Test accuracy: the answer is the class whose neuron fires most, the first of equals."""
    net.eval()
    rank, world = _rank()
    images, labels = (torch.from_numpy(a) for a in (data.test_images, data.test_labels))
    mine = torch.arange(len(images)).tensor_split(world)[rank]
    correct = torch.zeros((), device=device)
    for picked in mine.split(batch):
        with cifar10.autocast(settings.precision, device):
            spikes = net(cifar10.normalised(images[picked]).to(device))
        correct += (spikes.float().sum(0).argmax(1).cpu() == labels[picked]).sum()
    if world > 1:
        distributed.all_reduce(correct)
    return correct.item() / len(images)


def _rank():
    """This process and the number of processes."""
    if distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cifar10.paper",
        description="Train the paper's CIFARNet; the same command goes on where it stopped.",
    )
    parser.add_argument("--rho", type=float, default=1.0, help="reset_gradient (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="folder with the data set (TSBP_DATA, or data/)")
    args = parser.parse_args(argv)
    cuda = torch.cuda.is_available()
    device = "cpu"
    if cuda:
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(device)
    if "RANK" in os.environ:
        distributed.init_process_group("nccl" if cuda else "gloo")
    settings = Settings(reset_gradient=args.rho)
    name = f"cifar10-paper/rho{args.rho:g}-seed{args.seed}"
    checkpoint = results.PROJECT / "data" / "checkpoints" / f"{name}.pt"
    rank, world = _rank()
    try:
        with checkpoints.claimed(checkpoint) if rank == 0 else contextlib.nullcontext(True) as ours:
            if not ours:
                raise SystemExit(f"another process computes {name}")
            start = time.perf_counter()
            data = datasets.cifar10(args.root)
            found = train(settings, args.seed, data, checkpoint, device, print)
            if rank == 0:
                path = results.save(
                    name,
                    command=f"python -m tsbp_core.chapters.cifar10.paper --rho {args.rho:g} "
                    f"--seed {args.seed}",
                    settings={**asdict(settings), "seed": args.seed, "processes": world},
                    results=found,
                    wall_time_s=time.perf_counter() - start,
                )
                print(f"wrote {path}")
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == "__main__":
    main()
