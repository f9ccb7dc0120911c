"""LIF layers of many networks at once on a GPU, each network with a surrogate of its own.

``triton_lif`` makes a kernel for one neuron; here decay, threshold, reset and rho are the kernel's
and height and width of h, a logistic curve's slope, are read by network. The neuron in the kernels
is ``neuron.py`` itself. Arrays are [S, T, B, N]: networks, time, batch, neurons.
"""

import functools
import itertools
from collections import namedtuple

import torch
import triton
import triton.language as tl

from tsbp_core import neuron, surrogates, triton_lif
from tsbp_core.neuron import LIF

WIDTH = 256
"""Neurons of one program."""
Logistic = namedtuple("Logistic", "width")
"""Stands for a ``surrogates.Sigmoid`` whose width is known when the kernel runs."""


@functools.cache
def kernels():
    """Both kernels: {"forward": ..., "backward": ...}."""
    steps = (neuron.charge, neuron.reset, neuron.reset_slope, neuron.credit, surrogates.heaviside)
    names = {step.__name__: triton_lif.triton_copy(step) for step in steps}
    names |= {"shape": triton_lif.triton_copy(surrogates.Sigmoid._h), "Logistic": Logistic}
    return {
        "forward": triton_lif.triton_copy(_forward_kernel, **names),
        "backward": triton_lif.triton_copy(_backward_kernel, **names),
    }


def layer(lifs, each, device):
    """A function from currents [S, T, B, N] to spikes, differentiable.

    Parameters
    ----------
    lifs : sequence of LIF
        With a ``surrogates.Sigmoid`` each; they differ in surrogate and rho only, and rho is 0 or
        1 and grows or falls along the sequence. S = len(lifs) x each.
    each : int
        Networks of each neuron.
    """
    runs = []
    for rho, group in itertools.groupby(lifs, key=lambda lif: lif.reset_gradient):
        group = list(group)
        if rho not in (0, 1) or any(type(lif.surrogate) is not surrogates.Sigmoid for lif in group):
            raise ValueError(f"rho must be 0 or 1 and surrogates Sigmoids, got {group}")
        heights, widths = (
            torch.tensor(values, dtype=torch.float32, device=device).repeat_interleave(each)
            for values in zip(*((g.surrogate.scale, g.surrogate.width) for g in group), strict=True)
        )
        # Spikes do not depend on the surrogate, and h comes by network: one kernel for them all.
        plain = LIF(group[0].decay, group[0].threshold, group[0].reset, reset_gradient=rho)
        runs.append((plain, heights, widths))

    return lambda x: _ManyLIF.apply(x, runs)


class _ManyLIF(torch.autograd.Function):
    """Networks [S, T, B, N] in runs of (lif, heights, widths), each for the next of them."""

    @staticmethod
    def forward(ctx, x, runs):
        x = x.contiguous()
        s = torch.empty_like(x)
        keep = ctx.needs_input_grad[0]
        u = torch.empty_like(x) if keep else x
        for lif, *_, x_part, s_part, u_part in _split(runs, x, s, u):
            _launch("forward", x_part, s_part, u_part, lif=lif, keep=keep)
        ctx.runs = runs
        ctx.save_for_backward(u)
        return s

    @staticmethod
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        if g.stride()[2:] != u.stride()[2:]:
            g = g.contiguous()
        strides = g.stride(0), g.stride(1)  # the same g at every step has stride 0 in time
        delta = torch.empty_like(u)
        for lif, heights, widths, *parts in _split(ctx.runs, u, g, delta):
            _launch("backward", *parts, heights, widths, *strides, lif=lif)
        return delta, None


def _split(runs, *tensors):
    """Each run with its part of the tensors."""
    sizes = [len(heights) for _, heights, _ in runs]
    parts = (tensor.split(sizes) for tensor in tensors)
    return [(*run, *own) for run, *own in zip(runs, *parts, strict=True)]


def _launch(name, x, *others, **settings):
    networks, steps, n = len(x), x.shape[1], x.shape[2:].numel()
    grid = (triton.cdiv(networks * n, WIDTH),)
    # Fused multiply-adds would round membranes otherwise than the CPU and turn a few spikes.
    kernels()[name][grid](
        x, *others, networks, steps, n, **settings, WIDTH=WIDTH, num_warps=4, enable_fp_fusion=False
    )


def _forward_kernel(
    x, s, u, networks, steps, n, lif: tl.constexpr, keep: tl.constexpr, WIDTH: tl.constexpr
):
    i = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    inside = i < networks * n
    at = (i // n).to(tl.int64) * steps * n + i % n
    v = tl.full((WIDTH,), 0.0, tl.float32)
    for _ in range(steps):
        u_t = charge(tl.load(x + at, inside), v, lif)  # noqa: F821
        s_t = heaviside(u_t - lif.threshold)  # noqa: F821
        v = reset(u_t, s_t, lif)  # noqa: F821
        tl.store(s + at, s_t, inside)
        if keep:
            tl.store(u + at, u_t, inside)
        at += n


def _backward_kernel(
    u, g, delta, heights, widths, g_network, g_step, networks, steps, n,
    lif: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    inside = i < networks * n
    network = (i // n).to(tl.int64)
    height = tl.load(heights + network, inside, other=1.0)
    width = tl.load(widths + network, inside, other=1.0)
    at = network * steps * n + (steps - 1).to(tl.int64) * n + i % n
    g_at = network * g_network + (steps - 1).to(tl.int64) * g_step + i % n
    eps = tl.full((WIDTH,), 0.0, tl.float32)
    for _ in range(steps):
        u_t = tl.load(u + at, inside, other=0.0)
        s_t = heaviside(u_t - lif.threshold)  # noqa: F821
        h = height * shape(Logistic(width), u_t - lif.threshold)  # noqa: F821
        slope = reset_slope(u_t, s_t, h, lif)  # noqa: F821
        delta_t = credit(tl.load(g + g_at, inside, other=0.0), eps, h, slope)  # noqa: F821
        eps = lif.decay * delta_t
        tl.store(delta + at, delta_t, inside)
        at -= n
        g_at -= g_step
