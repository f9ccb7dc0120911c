"""Neurons of other libraries, in the few lines that a user writes.

Each function takes a current [T, n] and returns spikes. The libraries come from
``requirements-peers.txt``.
"""

import math

import torch

from tsbp_core.chapters.cost.peers import over_time


class _Step(torch.autograd.Function):
    """A step that fires above 0 and keeps its argument for the derivative."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z > 0).to(z.dtype)


class _FastSigmoid(_Step):
    """A step whose derivative is that of a fast sigmoid of slope 100, as in spytorch."""

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g / (100.0 * z.abs() + 1.0) ** 2


def spytorch(x, detach=True):
    """A loop in the order of spytorch: fire, then charge and reset at once."""

    def step(x_t, mem):
        s = _FastSigmoid.apply(mem - 1.0)
        rst = s.detach() if detach else s
        return s, (0.8 * mem + x_t) * (1.0 - rst)

    return over_time(step, x, torch.zeros_like(x[0]))


class _Window(_Step):
    """A step whose derivative is 1 within half of the threshold, as in STBP."""

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * (z.abs() < 0.5)


def stbp(x):
    """The common loop of STBP: keep what one minus the spike leaves, charge, fire."""

    def step(x_t, state):
        mem, s = state
        mem = 0.8 * mem * (1.0 - s) + x_t
        s = _Window.apply(mem - 1.0)
        return s, (mem, s)

    return over_time(step, x, (torch.zeros_like(x[0]),) * 2)


def leaky(x, **options):
    """Return the spikes of snnTorch's Leaky."""
    import snntorch

    node = snntorch.Leaky(beta=0.8, **options)
    return over_time(node, x, node.reset_mem())


def leaky_attached(x, **options):
    """Return the spikes of a Leaky whose delayed reset keeps its gradient."""
    import snntorch

    class Attached(snntorch.Leaky):
        def mem_reset(self, mem):
            return self.spike_grad(mem - self.threshold)

    node = Attached(beta=0.8, **options)
    return over_time(node, x, node.reset_mem())


def lif_node(x, **options):
    """Return the spikes of SpikingJelly's LIFNode."""
    from spikingjelly.activation_based import neuron

    node = neuron.LIFNode(tau=5.0, step_mode="m", **options)
    return node(x)


def lif_cell(x, **options):
    """Return the spikes of Norse's LIFCell, of which its LIF layer is made."""
    from norse.torch import LIFCell, LIFParameters

    cell = LIFCell(p=LIFParameters(**options))
    return over_time(cell, x, None)


def lif_recurrent(x):
    """Return the spikes of Norse's lif_step, of which LIFRecurrentCell is made."""
    from norse.torch import LIFParameters, LIFState
    from norse.torch.functional.lif import lif_step

    zero, eye = torch.zeros_like(x[0]), torch.eye(x.shape[1], dtype=x.dtype)

    def step(x_t, state):
        return lif_step(x_t, state, eye, 0 * eye, LIFParameters())

    return over_time(step, x, LIFState(zero, zero, zero))


def lif_sparse(x):
    """Return the spikes of Norse's lif_step_sparse."""
    from norse.torch import LIFParameters, LIFState
    from norse.torch.functional.lif import lif_step_sparse

    zero, eye = torch.zeros_like(x[:1]), torch.eye(x.shape[1], dtype=x.dtype)

    def step(x_t, state):
        x_t = x_t[None].to_sparse()
        s, state = lif_step_sparse(x_t, state, eye, 0 * eye, LIFParameters())
        return s.to_dense(masked_grad=False)[0], state

    return over_time(step, x, LIFState(zero.to_sparse(), zero, zero))


def lif_adjoint(x):
    """Return the spikes of Norse's adjoint step, whose backward pass has no surrogate."""
    from norse.torch.functional.adjoint.lif_adjoint import lif_feed_forward_adjoint_step
    from norse.torch.functional.lif import LIFFeedForwardState

    zero = torch.zeros_like(x[0])
    return over_time(lif_feed_forward_adjoint_step, x, LIFFeedForwardState(zero, zero))


def lif_box(x, **options):
    """Return the spikes of Norse's lif_box_feed_forward_step."""
    from norse.torch.functional import lif_box as box

    def step(x_t, state):
        p = box.LIFBoxParameters(**options)
        return box.lif_box_feed_forward_step(x_t, state, p)

    return over_time(step, x, box.LIFBoxFeedForwardState(v=torch.zeros_like(x[0])))


def iaf(x):
    """Return the spikes of Norse's iaf_feed_forward_step: nothing leaks."""
    from norse.torch.functional import iaf as functional

    start = functional.IAFFeedForwardState(v=torch.zeros_like(x[0]))
    return over_time(functional.iaf_feed_forward_step, x, start)


def subtract(s, v, v_reset, threshold):
    """Norse's soft reset, the gradient kept."""
    return v - threshold * s


def value_detached(s, v, v_reset, threshold):
    """Norse's hard reset, the gradient dropped."""
    return (1 - s.detach()) * v + s.detach() * v_reset


def sinabs_lif(x, spike_fn="MultiSpike", reset_fn="MembraneSubtract"):
    """Return the spikes of sinabs's LIF; ``reset_fn`` is a function, or the name of one."""
    from sinabs import activation, layers

    if isinstance(reset_fn, str):
        reset_fn = getattr(activation, reset_fn)()
    spike_fn = getattr(activation, spike_fn)
    tau = -1 / math.log(0.8)
    layer = layers.LIF(tau_mem=tau, spike_fn=spike_fn, reset_fn=reset_fn)
    return layer(x[None])[0]


def subtract_detached(spikes, state, threshold):
    """A soft reset for sinabs, the gradient dropped."""
    v = state["v_mem"] - threshold * spikes.detach()
    return {**state, "v_mem": v}


def zero_attached(spikes, state, threshold):
    """A hard reset for sinabs, the gradient kept."""
    return {**state, "v_mem": state["v_mem"] * (1 - spikes)}


def delayed(x):
    """The current one step later."""
    return torch.cat([torch.zeros_like(x[:1]), x[:-1]])


def synapse(x):
    """Norse's synapse: a tenth of the trace i[t] = 0.8 i[t-1] + x[t]."""
    return 0.1 * over_time(lambda x_t, i: (0.8 * i + x_t,) * 2, x, torch.zeros_like(x[0]))
