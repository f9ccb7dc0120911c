"""Other libraries' LIF layers as functions from current [T, ...] to spikes, for the benchmark.

Each is set as near to decay 0.8, threshold 1, hard reset as it goes, with gradient through the
reset where the library offers it, and with its own fastest documented way of running T steps. They
are not all the same neuron (chapter on notation), so these functions serve to compare speed alone.
Needs the packages of ``requirements-peers.txt``.
"""

import torch

LIBRARIES = ("SpikingJelly", "snnTorch", "Norse", "sinabs")


def spiking_layer(library):
    """Return ``f(x [T, ...]) -> spikes [T, ...]`` for the name of a library."""
    if library not in LIBRARIES:
        raise ValueError(f"library must be one of {LIBRARIES}, got {library!r}")
    return globals()[f"_{library.lower()}"]()


def over_time(step, x, state):
    """Spikes [T, n] of a ``step`` from (x[t], state) to (spikes, state)."""
    spikes = []
    for x_t in x.unbind(0):
        s, state = step(x_t, state)
        spikes.append(s)
    return torch.stack(spikes)


def _spikingjelly():
    from spikingjelly.activation_based import functional, neuron, surrogate

    node = neuron.LIFNode(
        tau=5.0, decay_input=False, v_reset=0.0, surrogate_function=surrogate.ATan(), step_mode="m"
    )

    def run(x):
        functional.reset_net(node)
        return node(x)

    return run


def _snntorch():
    import snntorch
    from snntorch import surrogate

    node = snntorch.Leaky(beta=0.8, spike_grad=surrogate.atan(), reset_mechanism="zero")

    return lambda x: over_time(node, x, node.reset_mem())


def _norse():
    from norse.torch.functional import lif_box

    p = lif_box.LIFBoxParameters(tau_mem_inv=torch.as_tensor(200.0))

    def step(x_t, state):
        return lif_box.lif_box_feed_forward_step(x_t, state, p)

    def run(x):
        return over_time(step, x, lif_box.LIFBoxFeedForwardState(v=torch.zeros_like(x[0])))

    return run


def _sinabs():
    from sinabs import activation, layers

    node = layers.LIF(
        tau_mem=4.48,
        norm_input=False,
        spike_fn=activation.SingleSpike,
        reset_fn=activation.MembraneReset(),
    )

    def run(x):
        node.reset_states()
        batched = x.transpose(0, 1)
        return node(batched).transpose(0, 1)

    return run
