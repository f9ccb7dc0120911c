"""A spiking convolutional network for CIFAR-10, and what it and its images go through."""

import contextlib
import copy
import hashlib
import itertools
import operator
import re

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from tsbp_core import torch_lif

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


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
    """Whether all weights are finite; the last update's are in no loss."""
    return all(torch.isfinite(w).all() for w in net.parameters())


def digest(net):
    """SHA-256 of all weights and buffers."""
    whole = hashlib.sha256()
    for tensor in net.state_dict().values():
        whole.update(tensor.cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()
