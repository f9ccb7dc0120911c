"""CIFAR-10 with spiking convolutional networks: the network and one training run.

Runs that differ in rho alone are paired: the same seed gives the same initial weights, the same
batches and the same augmentation. An epoch's random numbers depend on the seed and the epoch alone,
so a run that was cut off resumes from its last checkpoint to the very bits that an uninterrupted
run ends with. The test set is used once, at the end.
"""

import contextlib
import copy
import hashlib
import itertools
import math
import operator
import re
import time
from dataclasses import asdict, dataclass, replace

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from tsbp_core import LIF, surrogates, torch_lif
from tsbp_core.lab import checkpoints

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
OPTIMIZERS = ("adamw", "sgd")
PROBES = (0.0, 0.05, 0.2, 0.5, 1.0)
"""Where in a run, as a share of its updates, both methods' gradients are compared."""
PROBE_IMAGES = 256


@dataclass(frozen=True)
class Settings:
    """A network and its training.

    ``network`` names the layers as ``SpikingNet`` reads them. ``held_out`` training images are
    kept for evaluation after each epoch, in place of the test set; ``limit`` caps the number of
    training images. SGD has Nesterov's momentum of 0.9. At each epoch of ``doublings``, counted
    from 0, the number of steps doubles, to end at ``steps``.

    Raises
    ------
    ValueError
        If ``steps`` can't be halved that often, or ``doublings`` lie outside the epochs.
    """

    network: str = "32C3-P2-64C3-P2-128C3-P2-128C3-P2"
    steps: int = 4
    doublings: tuple[int, ...] = ()
    epochs: int = 2
    batch: int = 128
    optimizer: str = "adamw"
    lr: float = 1e-2
    weight_decay: float = 0.01
    warmup: float = 0.25
    label_smoothing: float = 0.1
    shift: int = 2
    precision: str = "float32"
    decay: float = 0.8
    threshold: float = 1.0
    reset: str = "zero"
    surrogate_width: float = 0.2
    surrogate_unit: str = "area"
    reset_gradient: float = 1.0
    held_out: int = 0
    limit: int = 50_000

    def __post_init__(self):
        if self.steps < 1 or self.steps % 2 ** len(self.doublings):
            raise ValueError(
                f"steps must be a positive multiple of {2 ** len(self.doublings)}, as they double "
                f"{len(self.doublings)} times, got {self.steps}"
            )
        if not all(0 < doubling < self.epochs for doubling in self.doublings):
            raise ValueError(
                f"doublings must be epochs from 1 to {self.epochs - 1}, got {self.doublings}"
            )

    def steps_at(self, epoch):
        """Number of steps in an epoch."""
        return self.steps >> sum(epoch < doubling for doubling in self.doublings)

    def neuron(self):
        """The ``LIF`` of all layers."""
        surrogate = surrogates.Sigmoid(self.surrogate_width, unit=self.surrogate_unit)
        return LIF(self.decay, self.threshold, self.reset, surrogate, self.reset_gradient)


class SpikingNet(nn.Module):
    """Images [B, 3, 32, 32] to logits [B, 10]; conv, max-pool, batch norm, LIF in each layer.

    The image is the same at every step, so the first convolution runs once for all of them, and
    its neurons, ``first``, read its current in place of T copies of it. The logits are a linear
    readout of the last layer's mean spikes over the steps.

    Parameters
    ----------
    network : str
        Layers joined by "-", as in "32C3-64C3-P2": a convolution to 32 channels with 3 x 3 weights
        and its neurons; then one to 64 whose current is max-pooled by 2 before the neurons.
        "W2" in front stands for fixed filters that whiten patches of 2 x 2 pixels; ``whiten``
        sets them.
    steps : int
        T.
    lif : LIF
        The neurons of all layers.

    Raises
    ------
    ValueError
        If ``network`` can't be read.
    """

    def __init__(self, network, steps, lif):
        super().__init__()
        tokens = network.split("-")
        self.whitening = None
        channels, side = 3, 32
        if tokens[0].startswith("W"):
            width = int(tokens.pop(0)[1:])
            self.whitening = nn.Conv2d(3, 6 * width**2, width, bias=False)
            self.whitening.weight.requires_grad_(False)
            channels, side = 6 * width**2, side - width + 1
        self.convs, self.norms, self.pools = nn.ModuleList(), nn.ModuleList(), []
        for token in tokens:
            if conv := re.fullmatch(r"(\d+)C(\d*[13579])", token):
                width, size = int(conv[1]), int(conv[2])
                self.convs.append(nn.Conv2d(channels, width, size, padding=size // 2, bias=False))
                self.norms.append(nn.BatchNorm2d(width))
                self.pools.append(1)
                channels = width
            elif (pool := re.fullmatch(r"P(\d+)", token)) and self.pools:
                self.pools[-1] *= int(pool[1])
            else:
                raise ValueError(f"network {network!r}: can't read {token!r}; see SpikingNet")
        self.sides = list(itertools.accumulate(self.pools, operator.floordiv, initial=side))
        self.first = torch_lif.LIFLayer(lif, steps=steps)
        self.lif = torch_lif.LIFLayer(lif)
        self.readout = nn.Linear(channels * self.sides[-1] ** 2, 10)

    def forward(self, images):
        """Return logits [B, 10] and each layer's spikes, a list of [T, B, C, H, W]."""
        x = images if self.whitening is None else self.whitening(images)
        layers = [self.first(self.current(0, x))]
        for i in range(1, len(self.convs)):
            current = self.current(i, layers[-1].flatten(0, 1))
            layers.append(self.lif(current.unflatten(0, (-1, len(images)))))
        return self.readout(layers[-1].mean(0).flatten(1)), layers

    def current(self, i, x):
        """Input current of layer ``i``, from images or from spikes of the layer before."""
        pooled = functional.max_pool2d(self.convs[i](x), self.pools[i])
        return self.norms[i](pooled)

    @torch.no_grad()
    def whiten(self, images):
        """Set the fixed filters from normalised ``images``: W and -W.

        The filters are the eigenvectors of the patches' covariance, each divided by the root of
        its eigenvalue plus 0.01, so that their outputs are uncorrelated and have a variance of 1,
        or less where the eigenvalue is small.
        """
        size = self.whitening.kernel_size[0]
        patches = functional.unfold(images, size).transpose(1, 2).flatten(0, 1).double()
        values, vectors = torch.linalg.eigh(patches.T.cov())
        filters = (vectors / (values + 1e-2).sqrt()).T.flip(0)
        filters = filters.view(-1, 3, size, size)
        self.whitening.weight.copy_(torch.cat((filters, -filters)))


def augment(images, generator, shift):
    """Shift images [B, C, H, W] by up to ``shift`` pixels (reflected border), flip half of them."""
    n, _, h, w = images.shape
    padded = functional.pad(images, (shift,) * 4, mode="reflect")
    drawn = torch.randint(0, 2 * shift + 1, (2, n, 1), generator=generator)
    flipped = torch.rand((n, 1), generator=generator) < 0.5
    top, left, flipped = (t.to(images.device) for t in (*drawn, flipped))
    columns = torch.arange(w, device=images.device).expand(n, w)
    columns = left + torch.where(flipped, columns.flip(1), columns)
    rows = top + torch.arange(h, device=images.device)
    which = torch.arange(n, device=images.device)[:, None, None]
    picked = padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def train(settings, seed, data, checkpoint=None, progress=None, device="cpu"):
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
    progress : callable, optional
        Called after each batch with the number of batches done, and of all.
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
        If the checkpoint is of a run with other settings or another seed.
    """
    torch.manual_seed(seed)
    net = SpikingNet(settings.network, settings.steps, settings.neuron())
    net.to(device, memory_format=torch.channels_last)
    images, labels = (
        torch.from_numpy(a[: settings.limit]).to(device)
        for a in (data.train_images, data.train_labels)
    )
    kept = len(images) - settings.held_out
    (images, held_images), (labels, held_labels) = ((a[:kept], a[kept:]) for a in (images, labels))
    if net.whitening is not None:
        net.whiten(normalised(images[:5000]))
    batches = math.ceil(kept / settings.batch)
    total = settings.epochs * batches
    optimizer = _optimizer(net, settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        settings.lr,
        total_steps=total,
        pct_start=settings.warmup,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    state = {"epochs": [], "probes": [], "diverged": False, "seconds": 0.0}
    run = {**asdict(settings), "seed": seed}
    if checkpoint and (saved := checkpoints.load(checkpoint)):
        made_by = saved.get("run", {})
        if other := [key for key, value in run.items() if made_by.get(key) != value]:
            raise ValueError(
                f"checkpoint {checkpoint} is of a run with other {', '.join(other)}; "
                "move it away to start anew"
            )
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        state = saved["state"]
    example = torch.zeros(2, 3, 32, 32, device=device)
    probe = normalised(images[:PROBE_IMAGES]), labels[:PROBE_IMAGES]
    probed_at = {round(share * total) for share in PROBES}

    def compare(update):
        if update in probed_at:
            found = compare_gradients(net, *probe, settings)
            state["probes"].append({"update": update, "steps": net.first.steps, **found})

    while len(state["epochs"]) < settings.epochs and not state["diverged"]:
        start = time.perf_counter()
        epoch = len(state["epochs"])
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        net.first.steps = settings.steps_at(epoch)
        net.train()
        total_loss, correct = 0.0, 0
        picks = torch.randperm(kept, generator=generator).split(settings.batch)
        for i, picked in enumerate(picks, epoch * batches):
            compare(i)
            picked = picked.to(device)
            x = augment(images[picked], generator, settings.shift)
            y = labels[picked]
            with autocast(settings.precision, device):
                logits, _ = net(normalised(x))
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
                progress(i + 1, total)
        else:
            record = {"train_loss": total_loss / kept, "train_accuracy": correct / kept}
            record["seconds"] = round(time.perf_counter() - start, 2)
            record["gflop"] = kept * training_flop(net, example) / 1e9
            if settings.held_out:
                record["held_out"] = evaluate(net, held_images, held_labels, settings)
            state["epochs"].append(record)
            state["diverged"] = not finite(net)
        state["seconds"] += time.perf_counter() - start
        if checkpoint:
            whole = {name: part.state_dict() for name, part in parts.items()}
            checkpoints.save(checkpoint, {**whole, "run": run, "state": state})
    test = None
    if not state["diverged"]:
        compare(total)
        if not settings.held_out:
            test_set = (data.test_images, data.test_labels)
            test_set = (torch.from_numpy(a).to(device) for a in test_set)
            test = evaluate(net, *test_set, settings)
    flop = training_flop(net, example)
    return {**state, "test": test, "gflop_per_image": flop / 1e9, "weights_sha256": digest(net)}


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


def compare_gradients(net, x, y, settings):
    """Both methods' gradients of the loss at the weights of ``net``, which is left as it is.

    Returns
    -------
    dict
        ``ratio``: length of the complete gradient over that of the detached one, and ``cosine``
        between them, for each convolution's weights. ``one_sign``: for each layer, how much of the
        credit of its spikes (the sum of abs(g), complete rule) lies at neurons whose g has one sign
        at all steps.
    """
    weights, credits = {}, {}
    for rho in (1.0, 0.0):
        probed = copy.deepcopy(net).train()
        for layer in (probed.first, probed.lif):
            layer.lif = replace(layer.lif, reset_gradient=rho)
        with autocast(settings.precision, x.device):
            logits, spikes = probed(x)
            loss = functional.cross_entropy(logits, y, label_smoothing=settings.label_smoothing)
        kernels = [conv.weight for conv in probed.convs]
        gradients = torch.autograd.grad(loss, kernels + spikes)
        weights[rho] = [g.double().flatten() for g in gradients[: len(kernels)]]
        credits[rho] = gradients[len(kernels) :]
    pairs = list(zip(weights[1.0], weights[0.0], strict=True))
    return {
        "ratio": [(a.norm() / b.norm()).item() for a, b in pairs],
        "cosine": [functional.cosine_similarity(a, b, dim=0).item() for a, b in pairs],
        "one_sign": [_one_sign(g.float()) for g in credits[1.0]],
    }


def _one_sign(g):
    """Share of the sum of abs(g), g [T, ...], where g has one sign at all steps."""
    same = (g >= 0).all(0) | (g <= 0).all(0)
    return (g.abs().sum(0)[same].sum() / g.abs().sum()).item()


@torch.no_grad()
def evaluate(net, images, labels, settings, batch=500):
    """Accuracy of ``net`` on uint8 images [n, 3, 32, 32].

    Returns
    -------
    dict
        ``accuracy``; ``flips``: the accuracy when the logits of an image and its mirror image are
        added; ``loss``: mean cross-entropy; ``rates``: mean spikes a neuron and step of each
        layer; ``neurons`` of each layer; ``confusion``: images by class and by answer.
    """
    net.eval()
    logits, mirrored, rates = [], [], 0.0
    for x in images.split(batch):
        with autocast(settings.precision, images.device):
            found, layers = net(normalised(x))
            logits.append(found.float())
            mirrored.append(logits[-1] + net(normalised(x.flip(3)))[0].float())
        rates = rates + len(x) * torch.stack([s.mean(dtype=torch.float32) for s in layers])
    logits, mirrored = torch.cat(logits), torch.cat(mirrored)
    confusion = torch.zeros(10, 10, dtype=torch.int64)
    answers = labels.cpu(), logits.argmax(1).cpu()
    confusion.index_put_(answers, torch.tensor(1), accumulate=True)
    return {
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
        "flips": (mirrored.argmax(1) == labels).double().mean().item(),
        "loss": functional.cross_entropy(logits, labels).item(),
        "rates": [round(rate, 5) for rate in (rates / len(images)).tolist()],
        "neurons": [s[0, 0].numel() for s in layers],
        "confusion": confusion.tolist(),
    }


def training_flop(net, images):
    """Floating-point operations of all products with weights, forward and backward, an image."""
    probed = copy.deepcopy(net).train()
    with FlopCounterMode(display=False) as counter:
        out = probed(images)
        (out if isinstance(out, torch.Tensor) else out[0]).sum().backward()
    return counter.get_total_flops() / len(images)


def forward_flop(net):
    """Floating-point operations of each convolution for one image and one step, [layers].

    Each weight takes part in a product and a sum at each place of the output.
    """
    inputs = zip(net.convs, net.sides[:-1], strict=True)
    return [2 * conv.weight.numel() * side**2 for conv, side in inputs]


def maps(net):
    """Channels and side of each layer's spikes, [layers]."""
    outputs = zip(net.convs, net.sides[1:], strict=True)
    return [(conv.out_channels, side) for conv, side in outputs]


def autocast(precision, device="cpu"):
    """Context in which products are computed in ``precision``; "float32" changes nothing."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, getattr(torch, precision))


def normalised(images):
    """Images uint8 [B, 3, 32, 32] with mean 0 and standard deviation 1 in each colour."""
    mean, std = (torch.tensor(v, device=images.device)[:, None, None] for v in (MEAN, STD))
    return ((images / 255.0 - mean) / std).contiguous(memory_format=torch.channels_last)


def finite(net):
    """Whether all weights are finite; a loss can be so without, as a membrane of NaN is silent."""
    return all(torch.isfinite(w).all() for w in net.parameters())


def digest(net):
    """SHA-256 of all weights and buffers."""
    whole = hashlib.sha256()
    for tensor in net.state_dict().values():
        whole.update(tensor.cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()
