"""The reset's gradient in PyTorch: one word drops it."""

import torch

decay, theta, width = 0.8, 1.0, 0.2


class Spike(torch.autograd.Function):
    """A step forward, a surrogate backward."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z >= 0).to(z)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        q = torch.sigmoid(z / width)
        return g * q * (1 - q) / width


def complete(x, v):
    u = decay * v + x
    s = Spike.apply(u - theta)
    v = u * (1 - s)
    return s, v


def detached(x, v):
    u = decay * v + x
    s = Spike.apply(u - theta)
    v = u * (1 - s.detach())
    return s, v
