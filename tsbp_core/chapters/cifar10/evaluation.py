"""What is measured of a network on CIFAR-10: its accuracy, and both methods' gradients."""

import copy
from dataclasses import replace

import torch
from torch.nn import functional

from tsbp_core.chapters.cifar10.network import autocast, normalised


def smoothed_loss(logits, y, settings):
    """Mean cross-entropy of logits [B, 10] and labels [B], the labels smoothed."""
    return functional.cross_entropy(logits, y, label_smoothing=settings.label_smoothing)


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
        probed = with_rho(net, rho)
        with autocast(settings.precision, x.device):
            logits, spikes = probed(x)
            loss = smoothed_loss(logits, y, settings)
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


def rescale_gradients(net, x, y, settings, rho):
    """Give each parameter's gradient the length that it has with ``rho`` for the same batch.

    ``x`` [B, 3, 32, 32] and ``y`` [B] are those that the gradients of ``net`` come from.
    """
    other = with_rho(net, rho)
    with autocast(settings.precision, x.device):
        smoothed_loss(other(x)[0], y, settings).backward()
    for own, donor in zip(net.parameters(), other.parameters(), strict=True):
        if own.grad is not None and (length := own.grad.norm()) > 0:
            own.grad *= donor.grad.norm() / length


def with_rho(net, rho):
    """A copy of ``net``, in training mode, whose neurons have another rho."""
    other = copy.deepcopy(net).train()
    for layer in (other.first, other.lif):
        layer.lif = replace(layer.lif, reset_gradient=rho)
    return other


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
            plain, layers = net(normalised(x))
            logits.append(plain.float())
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
