"""A recurrent layer of LIF neurons and its gradient, many networks side by side.

    i[t] = (1 - 1/tau_s) i[t-1] + (x[t] W + s[t-1] V) / tau_s      synaptic current
    u[t] = lambda v[t-1] + i[t],  s[t] = H(u[t] - theta),  v[t] = reset(u[t], s[t])
    logits = sum over t of window[t] s[t] R

Backward, a spike has its credit from the readout, from the neurons it feeds, and from its reset:

    g[t]  = window[t] dL/dlogits R' + di[t+1] V' / tau_s
    du[t] = g[t] h + lambda du[t+1] (dv/du + rho dv/ds h)
    di[t] = du[t] + (1 - 1/tau_s) di[t+1]

Arrays are [N, B, H] at a step and [N, T, B, H] over time: networks, batch, neurons. Networks share
the neuron but for rho, which is [N, 1, 1]. The steps are those of ``tsbp_core.neuron``; nothing
here needs autograd, so that a whole update is a fixed list of kernels, two or three a step.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from tsbp_core.neuron import LIF, charge, credit, reset, reset_slope
from tsbp_core.surrogates import heaviside


@dataclass(frozen=True)
class Net:
    """What the networks have in common.

    Parameters
    ----------
    lif : LIF
        The neuron; its ``reset_gradient`` is not used, since rho differs between networks.
    tau_s : float, default 5.0
        Time constant of the synaptic current in steps, at least 1.
    smooth : bool, default False
        Replace the step H by the surrogate's antiderivative, for checks by differences.
    """

    lif: LIF
    tau_s: float = 5.0
    smooth: bool = False

    @property
    def keep(self):
        """Share of the current that is left after a step."""
        return 1.0 - 1.0 / self.tau_s


class Weights(NamedTuple):
    """Of N networks with D channels, H neurons and C classes."""

    W: torch.Tensor
    """Input [N, D, H]."""
    V: torch.Tensor
    """Recurrent [N, H, H], from row to column."""
    R: torch.Tensor
    """Readout [N, H, C]."""


class Run(NamedTuple):
    """What a forward pass leaves for the backward one."""

    u: list
    """Membranes [N, B, H], a list over T."""
    s: list
    """Spikes, likewise."""
    heard: torch.Tensor
    """Spikes that the readout heard, [N, B, H]."""
    logits: torch.Tensor
    """[N, B, C]."""


def fire(u, net):
    """Spikes of membranes ``u``."""
    spike = net.lif.surrogate.primitive if net.smooth else heaviside
    return spike(u - net.lif.threshold)


def forward_step(drive, heard, listen, i, v, net):
    """One step, from ``drive`` = (x W + s V) / tau_s: the new heard, i, u, s, v."""
    i = net.keep * i + drive
    u = charge(i, v, net.lif)
    s = fire(u, net)
    return heard + listen * s, i, u, s, reset(u, s, net.lif)


def backward_step(g, feed, listen, u, du, di, rho, net):
    """One step back: du and di at this step from those of the next.

    ``g`` is the credit of what the readout heard, ``feed`` = di V' / tau_s the credit from the
    neurons that the spike feeds, and ``listen`` the window at this step.
    """
    lif = net.lif
    h = lif.surrogate.derivative(u - lif.threshold)
    s = fire(u, net)
    detached = reset_slope(u, s, h, replace(lif, reset_gradient=0.0))
    complete = reset_slope(u, s, h, replace(lif, reset_gradient=1.0))
    slope = detached + rho * (complete - detached)
    du = credit(listen * g + feed, lif.decay * du, h, slope)
    return du, du + net.keep * di


def forward(x, window, weights, net, step=forward_step, keep=True):
    """Run the networks.

    Parameters
    ----------
    x : Tensor [N, T, B, D]
    window : Tensor [T, N, B, 1]
    weights : Weights
    net : Net
    step : callable
        ``forward_step`` or its compiled double.
    keep : bool, default True
        Keep membranes and spikes; without them there is no way back.

    Returns
    -------
    Run
    """
    T, B = x.shape[1:3]
    drives = torch.bmm(x.flatten(1, 2), weights.W).unflatten(1, (T, B))
    heard, i, v, s = (torch.zeros_like(drives[:, 0]) for _ in range(4))
    share = 1.0 / net.tau_s
    us, spikes = [], []
    for drive, listen in zip(drives.unbind(1), window.unbind(0), strict=True):
        drive = torch.baddbmm(drive, s, weights.V, beta=share, alpha=share)
        heard, i, u, s, v = step(drive, heard, listen, i, v, net)
        if keep:
            us.append(u)
            spikes.append(s)
    return Run(us, spikes, heard, torch.bmm(heard, weights.R))


def carry_back(run, g, window, V, rho, net, step=backward_step, start=None):
    """Credits du and di, lists over T of [N, B, H].

    ``g`` [N, B, H] is the credit of what the readout heard. ``start`` = (du, di) is what comes from
    beyond the last step, by default nothing.
    """
    du, di = start or (torch.zeros_like(g), torch.zeros_like(g))
    back = V.mT.contiguous() / net.tau_s
    credits = []
    for u, listen in zip(reversed(run.u), reversed(window.unbind(0)), strict=True):
        feed = torch.bmm(di, back)
        du, di = step(g, feed, listen, u, du, di, rho, net)
        credits.append((du, di))
    return tuple(zip(*reversed(credits), strict=True))


def cross_entropy(logits, hot):
    """Loss [N], the mean over the batch, and its gradient [N, B, C]; ``hot`` has a 1 at the label.

    Both are [N, B, C].
    """
    log = torch.log_softmax(logits, dim=-1)
    return -(log * hot).sum(dim=-1).mean(dim=1), (log.exp() - hot) / hot.shape[1]


def gradient(x, window, run, dlogits, weights, rho, net, step=backward_step):
    """Gradient of the loss in the weights, as Weights."""
    g = torch.bmm(dlogits, weights.R.mT)
    _, di = carry_back(run, g, window, weights.V, rho, net, step)
    dI = torch.stack(di, dim=1)
    s = torch.stack(run.s, dim=1)
    return Weights(
        torch.bmm(x.flatten(1, 2).mT, dI.flatten(1, 2)) / net.tau_s,
        torch.bmm(s[:, :-1].flatten(1, 2).mT, dI[:, 1:].flatten(1, 2)) / net.tau_s,
        torch.bmm(run.heard.mT, dlogits),
    )


def credit_rate(run, V, rho, net, skip, steps, generator):
    """By how much a credit grows a step on its way back, as a mean logarithm [N].

    A random credit of the last membranes and currents is carried back with no credit from the
    readout. Between ``skip`` and ``skip + steps`` steps before the end the logarithm of its length
    over both, [N, B, 2 H], is followed; the mean over the batch is returned. With ``V`` of zeros
    it is what the neurons do by themselves.
    """
    u = [u.double() for u in run.u[-(skip + steps) - 1 :]]
    none = torch.zeros_like(u[0])
    start = [
        torch.randn(u[0].shape[1:], generator=generator).to(none).expand_as(none) for _ in range(2)
    ]
    du, di = carry_back(
        run._replace(u=u), none, none.new_zeros(len(u), 1, 1, 1), V.double(), rho, net, start=start
    )
    length = [torch.cat([du[t], di[t]], dim=-1).norm(dim=-1).log() for t in (0, steps)]
    return (length[0] - length[1]).mean(dim=1) / steps
