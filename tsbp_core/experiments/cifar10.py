"""CIFAR-10 with a small spiking convolutional network: both gradients, paired.

For each seed the two methods (rho = 1 and rho = 0) start from the same weights and see the same
batches with the same augmentation. The test set is evaluated after each epoch and used for nothing.
An epoch's random numbers depend on the seed and the epoch alone, so a run that was cut off resumes
from its last checkpoint to the very bits that an uninterrupted run ends with.
"""

import argparse
import hashlib
import io
import itertools
import json
import math
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from tsbp_core import LIF, datasets, results, surrogates, torch_lif
from tsbp_core.experiments.statistics import t_interval

CHECKPOINTS = results.PROJECT / "data" / "checkpoints"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
RHOS = (1.0, 0.0)


@dataclass(frozen=True)
class Settings:
    """The network and its training; ``limit`` caps the number of training and test images."""

    widths: tuple = (24, 48, 96)
    steps: int = 4
    epochs: int = 3
    batch: int = 128
    lr: float = 5e-3
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    decay: float = 0.8
    threshold: float = 1.0
    reset: str = "zero"
    surrogate_width: float = 0.2
    limit: int = 50_000

    def neuron(self, rho):
        surrogate = surrogates.Sigmoid(self.surrogate_width, unit="area")
        return LIF(self.decay, self.threshold, self.reset, surrogate, rho)


PRESETS = {
    "quick": Settings(),
    "smoke": Settings(widths=(8, 8), epochs=2, batch=50, limit=400),
}


class SpikingNet(nn.Module):
    """Images [B, 3, 32, 32] to logits [B, 10]: conv, max-pool, batch norm, LIF in each layer.

    The image is the same at every step, so the first convolution runs once for all of them. The
    logits are a linear readout of the last layer's mean spikes over the steps.
    """

    def __init__(self, widths, steps, lif):
        super().__init__()
        self.steps = steps
        channels = (3, *widths)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in itertools.pairwise(channels)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.lif = torch_lif.LIFLayer(lif)
        self.readout = nn.Linear(widths[-1] * (32 >> len(widths)) ** 2, 10)

    def forward(self, images):
        """Return logits [B, 10] and the mean spikes a step of each layer's neurons, [layers]."""
        x, batch = images, len(images)
        rates = []
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(functional.max_pool2d(conv(x), 2))
            if i == 0:
                current = x.expand(self.steps, *x.shape)
            else:
                current = x.unflatten(0, (self.steps, batch))
            spikes = self.lif(current)
            rates.append(spikes.detach().mean())
            x = spikes.flatten(0, 1)
        return self.readout(spikes.mean(0).flatten(1)), torch.stack(rates)


def augment(images, generator):
    """Shift images [B, C, H, W] by up to 4 pixels (reflected border) and flip half of them."""
    n, _, h, w = images.shape
    padded = functional.pad(images, (4, 4, 4, 4), mode="reflect")
    top, left = torch.randint(0, 9, (2, n, 1), generator=generator)
    columns = torch.arange(w).expand(n, w)
    flipped = torch.rand((n, 1), generator=generator) < 0.5
    columns = left + torch.where(flipped, columns.flip(1), columns)
    rows = top + torch.arange(h)
    picked = padded.permute(0, 2, 3, 1)[
        torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
    return picked.permute(0, 3, 1, 2)


def train(settings, rho, seed, data, checkpoint=None, progress=None):
    """Train one network.

    Parameters
    ----------
    settings : Settings
    rho : float
        ``reset_gradient``: 1 complete, 0 detached.
    seed : int
        Sets initial weights, batches and augmentation.
    data : Cifar10
        From ``datasets.cifar10``.
    checkpoint : Path, optional
        Written after each epoch in one rename, and resumed from if it is there.
    progress : callable, optional
        Called with the loss after each batch.

    Returns
    -------
    dict
        ``epochs``: a list with train_loss, train_accuracy, test_accuracy, rates and seconds of
        each epoch; ``diverged``: whether a loss was not finite, which ends the run;
        ``weights_sha256``: of the final weights, to compare runs bit by bit.
    """
    torch.manual_seed(seed)
    net = SpikingNet(settings.widths, settings.steps, settings.neuron(rho))
    net.to(memory_format=torch.channels_last)
    images = torch.from_numpy(data.train_images[: settings.limit])
    labels = torch.from_numpy(data.train_labels[: settings.limit])
    batches = math.ceil(len(images) / settings.batch)
    optimizer = torch.optim.AdamW(net.parameters(), settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.lr, total_steps=settings.epochs * batches
    )
    state = {"epochs": [], "diverged": False}
    if checkpoint and (saved := _load(checkpoint)):
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        state = saved["state"]
        if progress:
            for _ in range(len(state["epochs"]) * batches):
                progress(None)

    while len(state["epochs"]) < settings.epochs and not state["diverged"]:
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(1000 * seed + len(state["epochs"]))
        net.train()
        total_loss, correct = 0.0, 0
        for picked in torch.randperm(len(images), generator=generator).split(settings.batch):
            x = augment(_normalised(images[picked]), generator)
            y = labels[picked]
            logits, _ = net(x.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, y, label_smoothing=settings.label_smoothing)
            if not torch.isfinite(loss):
                state["diverged"] = True
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.item() * len(y)
            correct += (logits.argmax(1) == y).sum().item()
            if progress:
                progress(loss.item())
        if not state["diverged"]:
            accuracy, rates = evaluate(net, data, settings.limit)
            state["epochs"].append(
                {
                    "train_loss": total_loss / len(images),
                    "train_accuracy": correct / len(images),
                    "test_accuracy": accuracy,
                    "rates": rates,
                    "seconds": round(time.perf_counter() - start, 2),
                }
            )
        if checkpoint:
            _save(
                checkpoint,
                {
                    "net": net.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "state": state,
                },
            )
    return {**state, "weights_sha256": _digest(net)}


@torch.no_grad()
def evaluate(net, data, limit, batch=500):
    """Return the test accuracy and each layer's mean spikes a neuron and step."""
    net.eval()
    images = torch.from_numpy(data.test_images[:limit])
    labels = torch.from_numpy(data.test_labels[:limit])
    correct, rates = 0, 0.0
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        logits, rate = net(_normalised(x).contiguous(memory_format=torch.channels_last))
        correct += (logits.argmax(1) == y).sum().item()
        rates = rates + rate * len(y)
    return correct / len(labels), (rates / len(labels)).tolist()


def study(settings, seeds, data, name, quiet=False):
    """Train both methods for seeds 0 to ``seeds`` - 1; resumes whatever ``name`` left unfinished.

    Returns
    -------
    list of dict
        One record a run: rho, seed, and what ``train`` returns.
    """
    key = hashlib.sha256(json.dumps(asdict(settings)).encode()).hexdigest()[:10]
    folder = CHECKPOINTS / f"{name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    size = min(settings.limit, len(data.train_images))
    batches = settings.epochs * math.ceil(size / settings.batch)
    runs = []
    for seed in range(seeds):
        for rho in RHOS:
            label = f"seed {seed}, rho {rho:.0f}"
            with tqdm(total=batches, desc=label, unit="batch", disable=quiet) as bar:

                def progress(loss, bar=bar):
                    bar.update()
                    if loss is not None:
                        bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

                checkpoint = folder / f"seed{seed}-rho{rho:.0f}.pt"
                run = train(settings, rho, seed, data, checkpoint, progress)
            runs.append({"rho": rho, "seed": seed, **run})
            if not quiet:
                tqdm.write(f"{label}: {_summary(run)}")
    return runs


def compare(study):
    """Summarise a results document of ``study``, pairing the methods seed by seed.

    Diverged runs count with the accuracy of their last whole epoch, or chance if there is none.

    Returns
    -------
    dict
        ``accuracy`` {rho: test accuracy in % after each epoch [S, E]}, ``difference`` (final
        accuracy, rho = 1 minus rho = 0, in points [S]), ``interval`` (mean, low, high), ``rates``
        {rho: mean spikes a neuron and step of each layer after the last epoch}.
    """
    epochs = study["settings"]["epochs"]
    accuracy, rates = {}, {}
    for rho in RHOS:
        runs = [run for run in study["results"]["runs"] if run["rho"] == rho]
        curves = [[100 * epoch["test_accuracy"] for epoch in run["epochs"]] for run in runs]
        curves = [curve + [(curve or [10.0])[-1]] * (epochs - len(curve)) for curve in curves]
        accuracy[rho] = np.array(curves)
        last = [run["epochs"][-1]["rates"] for run in runs if run["epochs"]]
        rates[rho] = np.mean(last, axis=0)
    difference = accuracy[1.0][:, -1] - accuracy[0.0][:, -1]
    interval = (difference.mean(), *t_interval(difference))
    return {"accuracy": accuracy, "difference": difference, "interval": interval, "rates": rates}


def _summary(run):
    if run["diverged"]:
        return f"diverged in epoch {len(run['epochs']) + 1}"
    seconds = sum(epoch["seconds"] for epoch in run["epochs"]) / len(run["epochs"])
    return f"test accuracy {run['epochs'][-1]['test_accuracy']:.2%}, {seconds:.0f} s an epoch"


def _normalised(images):
    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    return (images.float() / 255.0 - mean) / std


def _digest(net):
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _save(path, state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with results.atomic_file(path) as file:
        file.write(buffer.getbuffer())


def _load(path):
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True)
    except Exception as error:
        aside = path.with_suffix(".corrupt")
        path.replace(aside)
        tqdm.write(f"{path.name} can't be read ({error}); set aside as {aside.name}, starting over")
        return None


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.experiments.cifar10", description=__doc__
    )
    parser.add_argument("--preset", choices=PRESETS, default="quick", help="settings (quick)")
    parser.add_argument("--seeds", type=int, default=3, help="number of paired seeds (3)")
    parser.add_argument("--root", help="folder with the data set (TSBP_DATA, or data/)")
    parser.add_argument("--name", help="results file in data/results (cifar10-PRESET)")
    args = parser.parse_args(argv)
    if args.seeds < 1:
        parser.error("needs at least 1 seed")
    name = args.name or f"cifar10-{args.preset}"
    settings = PRESETS[args.preset]
    try:
        data = datasets.cifar10(args.root)
        runs = study(settings, args.seeds, data, name)
    except datasets.DatasetError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from the last whole epoch") from None
    path = results.save(
        name,
        command=f"make cifar10 PRESET={args.preset} SEEDS={args.seeds}",
        settings={**asdict(settings), "seeds": list(range(args.seeds))},
        results={"runs": runs},
        wall_time_s=sum(epoch["seconds"] for run in runs for epoch in run["epochs"]),
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
