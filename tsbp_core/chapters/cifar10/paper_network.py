"""The paper's CIFARNet and its loss, as far as they are known; see ``paper``."""

import re
from dataclasses import replace

import torch
from torch import nn

from tsbp_core import LIF, surrogates, torch_lif

NEURON = LIF(decay=1 - 1 / 5, threshold=1.0, surrogate=surrogates.Sigmoid(0.2, unit="area"))
"""tau_m = 5 steps."""


class CIFARNet(nn.Module):
    """Images [B, 3, 32, 32] to output spikes [T, B, 10]; every layer is followed by LIF neurons.

    Layers receive the traces a[t] = (1 - 1/tau_s) a[t-1] + s[t]/tau_s of the spikes below. Weights
    are drawn from PyTorch's default distribution, times ``weight_scale``, which is such that all
    layers fire. Pooling is done before the traces: both are linear, and there are fewer of them.
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
            if i > 0:
                x = traces(x.unflatten(0, (p.steps, -1)), p.tau_s).flatten(0, 1)
            if isinstance(layer, nn.Linear):
                x = x.flatten(1)
            x = layer(x)
            x = x.expand(p.steps, *x.shape) if i == 0 else x.unflatten(0, (p.steps, -1))
            spikes = self.lif(x)
            x = spikes
            if isinstance(layer, nn.Linear) and masks:
                x = x * masks.pop(0).to(x.dtype)
            x = x.flatten(0, 1)
        return spikes


def traces(spikes, tau_s):
    """Synaptic traces of spikes, [T, ...]: the recurrence, unrolled to a product with [T, T]."""
    t = torch.arange(len(spikes), dtype=torch.float64, device=spikes.device)
    unrolled = ((1 - 1 / tau_s) ** (t[:, None] - t) / tau_s).tril()
    channels_last = spikes.movedim(2, -1)
    return torch.tensordot(unrolled.to(spikes.dtype), channels_last, dims=1).movedim(-1, 2)


def kernel_loss(spikes, labels, tau_s):
    """Half the squared distance of the traces from the target's, over steps and classes, [B].

    The target: the neuron of the right class fires at every step but the first, the others never.
    """
    target = torch.zeros_like(spikes)
    target[1:, torch.arange(len(labels), device=labels.device), labels] = 1.0
    apart = traces(spikes.float(), tau_s) - traces(target.float(), tau_s)
    return 0.5 * apart.square().sum(dim=(0, 2))
