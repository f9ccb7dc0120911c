"""Why the weights of a deep spiking network may hardly change: its first layer's gradient."""

import torch

from tsbp_core import torch_lif


class Norm(torch.nn.BatchNorm1d):
    """Batch norm of currents [T, B, N]: mean 0 and variance 1 over steps and samples."""

    def forward(self, x):
        return super().forward(x.flatten(0, 1)).view(x.shape)


def dense(lif, *, layers=10, neurons=100, norm=False, seed=0):
    """A network of dense layers of LIF neurons, with PyTorch's own initial weights.

    Parameters
    ----------
    lif : LIF
        The neuron of all layers.
    layers, neurons : int, default 10, 100
        Number of layers, and of neurons in each.
    norm : bool, default False
        Put batch norm before each layer of neurons.
    seed : int, default 0
        Of the weights.
    """
    torch.manual_seed(seed)
    modules = []
    for _ in range(layers):
        modules.append(torch.nn.Linear(neurons, neurons))
        modules += [Norm(neurons)] if norm else []
        modules.append(torch_lif.LIFLayer(lif, backend="eager"))
    return torch.nn.Sequential(*modules).double()


def first_layer(net, *, steps=20, samples=16, rate=0.2, seed=1):
    """How much reaches the first layer, and how much each layer fires.

    The input is random, ``rate`` spikes a step. The loss is the mean of the last layer's spikes.

    Returns
    -------
    length : float
        Length of the loss's gradient in the first layer's weights.
    spikes : list of float
        Share of neurons that fire at a step, of each layer.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(steps, samples, net[0].in_features, generator=generator) < rate
    x, spikes = x.double(), []
    for module in net:
        x = module(x)
        if isinstance(module, torch_lif.LIFLayer):
            spikes.append(x.detach().mean().item())
    x.mean().backward()
    return net[0].weight.grad.norm().item(), spikes
