"""LIF neurons [T, n] as a function that torch differentiates once, whatever runs them."""

import functools

import torch
from torch._C._functorch import is_legacy_batchedtensor

from tsbp_core import block_lif


class Neurons(torch.autograd.Function):
    """Neurons [T, n], or [1, n] where the current never changes: spikes, and what is kept."""

    @staticmethod
    def forward(x, T, lif, smooth, path, keep):
        forward, _ = PATHS[path]
        s, kept = forward(x, T, lif, smooth, keep)
        return s, *kept

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, _, *ctx.settings, _ = inputs
        _, *kept = output
        ctx.save_for_backward(x, *kept)
        ctx.mark_non_differentiable(*kept)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g, *_):
        if g is None:  # nobody wants the spikes' credit
            return None, None, None, None, None, None
        dx = Credit.apply(g.contiguous(), *ctx.settings, *ctx.saved_tensors)
        return dx, None, None, None, None, None

    @staticmethod
    def vmap(info, in_dims, x, T, lif, smooth, path, keep):
        x = _fold(info, x, in_dims[0])
        return _unfold(info, Neurons.apply(x, T, lif, smooth, path, keep or needs_gradient(x)))

    @staticmethod
    def jvp(ctx, *tangents):
        raise RuntimeError("lif has no forward-mode derivative: use a backward pass")


class Credit(torch.autograd.Function):
    """dL/dx of neurons [T, n]; once, for the spikes' second derivative is nowhere defined."""

    @staticmethod
    def forward(g, lif, smooth, path, x, *kept):
        if is_legacy_batchedtensor(g):  # of autograd.grad with is_grads_batched: not one array
            path, kept = "eager", [block_lif.rest(x)]
        _, backward = PATHS[path]
        return backward(g, x, kept, lif, smooth)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *g):
        raise RuntimeError("lif can be differentiated once")

    @staticmethod
    def vmap(info, in_dims, g, lif, smooth, path, *saved):
        g, *saved = (
            _fold(info, t, d) for t, d in zip((g, *saved), (in_dims[0], *in_dims[4:]), strict=True)
        )
        return _unfold(info, Credit.apply(g, lif, smooth, path, *saved))

    @staticmethod
    def jvp(ctx, *tangents):
        raise RuntimeError("lif can be differentiated once")


def needs_gradient(x):
    """Whether a backward pass may follow. What is inside of vmap's wrapper, the wrapper hides."""
    return torch.is_grad_enabled() and x.requires_grad


def _fold(info, t, dim):
    """Make a batch that vmap brings, at ``dim``, more neurons: [..., n] to [..., batch * n]."""
    if dim is None:
        t = t.unsqueeze(-2).expand(*t.shape[:-1], info.batch_size, t.shape[-1])
    else:
        t = t.movedim(dim, -2)
    return t.flatten(-2).contiguous()


def _unfold(info, out):
    """The way back: tensors [..., batch, n], and where the batch is in each."""
    if isinstance(out, tuple):
        return tuple(zip(*(_unfold(info, t) for t in out), strict=True))
    return out.unflatten(-1, (info.batch_size, -1)), out.ndim - 1


def _blocks(how):
    return (
        functools.partial(block_lif.forward, how=how),
        functools.partial(block_lif.backward, how=how),
    )


PATHS = {
    "eager": _blocks("eager"),
    "compiled": _blocks("compiled"),
    "compiled or eager": _blocks("auto"),
    "triton": (
        lambda x, T, lif, smooth, keep: triton_kernels().forward(x, T, lif, keep),
        lambda g, x, kept, lif, smooth: triton_kernels().backward(g, x, kept, lif),
    ),
}
"""What runs neurons [T, n], by name: ``forward(x, T, lif, smooth, keep)`` returns the spikes and a
list of what ``backward(g, x, kept, lif, smooth)`` takes as ``kept`` and returns dL/dx of. The last
axis of what is kept is the neurons."""


def triton_kernels():
    """The kernels for a GPU; Triton is not everywhere."""
    from tsbp_core import triton_lif

    return triton_lif
