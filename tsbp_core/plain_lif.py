"""The LIF neuron as most code on the web writes it: a loop under plain autograd."""

import torch

from tsbp_core.surrogates import heaviside


def autograd_lif(x, lif):
    """The same neuron as most code on the web writes it: a loop under plain autograd.

    Only the spike has a hand-made derivative; autograd finds the rest, the missing term included.
    With rho < 1 the share 1 - rho of the reset's spike is detached. For comparison and tests: it
    is slow, and it keeps the arrays that the derivatives of its operations need.
    """
    v = torch.zeros_like(x[0])
    spikes = []
    for x_t in x.unbind(0):
        u = lif.decay * v + x_t
        s = Spike.apply(u - lif.threshold, lif.surrogate)
        s_reset = s if lif.reset_gradient == 1.0 else s.detach()
        if 0.0 < lif.reset_gradient < 1.0:
            s_reset = lif.reset_gradient * s + (1.0 - lif.reset_gradient) * s_reset
        if lif.reset == "zero":
            v = u * (1.0 - s_reset)
        elif lif.reset == "subtract":
            v = u - lif.threshold * s_reset
        else:
            v = u
        spikes.append(s)
    return torch.stack(spikes)


class Spike(torch.autograd.Function):
    """Heaviside forward, surrogate derivative backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z, surrogate):
        return heaviside(z)

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, ctx.surrogate = inputs
        ctx.save_for_backward(z)
        ctx.save_for_forward(z)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * ctx.surrogate.derivative(z), None

    @staticmethod
    def jvp(ctx, dz, _):
        (z,) = ctx.saved_tensors
        return dz * ctx.surrogate.derivative(z)
