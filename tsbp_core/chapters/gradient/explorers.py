"""The explorers of chapters 1 to 4."""

from dataclasses import replace

import numpy as np

from tsbp_core import LIF, gradcheck, numpy_lif, surrogates
from tsbp_core.page.explorer import RESETS, Control, Explorer, Panel, Series, choice


def constant_current_frame(decay, current, threshold, reset):
    """Chapter 1: a neuron at a constant current with a few random pulses."""
    lif = LIF(decay, threshold, reset)
    s, u = numpy_lif.forward(np.full(40, float(current)), lif)
    after = {"zero": u * (1 - s), "subtract": u - threshold * s}[reset]
    t = np.arange(1, 41)
    saw = np.stack([u, after], axis=1).ravel()
    fired = t[s > 0]
    trace = numpy_lif.trace(s, 3.0)
    text = (
        f"{fired.size} spikes in 40 steps. Without a spike the membrane would settle at "
        f"{current / (1 - decay):.2f}, against a threshold of {threshold:g}."
        if decay < 1
        else f"{fired.size} spikes in 40 steps. With decay 1 nothing leaks."
    )
    return [[saw, (fired, u[s > 0]), [threshold]], [trace, (fired, 0 * fired)]], text


def constant_current():
    """Chapter 1: a neuron at a constant current."""
    return Explorer(
        "A leaky neuron at a constant current",
        "At a constant input, which decay makes the neuron stop firing?",
        {
            "decay": Control("decay λ", (0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1), 5),
            "current": Control("input current x", (0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1), 3),
            "threshold": Control("threshold θ", (0.5, 1.0, 1.5), 1),
            "reset": choice("reset", RESETS),
        },
        [
            Panel(
                "Membrane before and after the spike",
                "time step t",
                "u, v",
                (
                    Series("membrane", "truth"),
                    Series("spike", "reset", "dots"),
                    Series("threshold θ", "faint", "hline"),
                ),
                (0, 41),
                (0, 2.5),
                x=(np.arange(1, 41)[:, None] + [0, 0.25]).ravel(),
            ),
            Panel(
                "Spikes and their trace a",
                "time step t",
                "a",
                (Series("trace, τs = 3", "truth", "steps"), Series("spike", "reset", "raster")),
                (0, 41),
                (0, 1),
                x=np.arange(1, 41),
            ),
        ],
        constant_current_frame,
    )


STRIDE = 0.25
"""Step in the weight that chapter 2 takes down the smooth loss, to see what the true one does."""


def _one_weight():
    rng = np.random.default_rng(4)
    inputs = numpy_lif.trace((rng.random((60, 1)) < 0.2).astype(float), 3.0)
    loss = numpy_lif.TraceLoss((rng.random((60, 1)) < 0.1).astype(float))
    return inputs, loss, np.linspace(0.2, 4.0, 96)


def bump_width_frame(family, width):
    """Chapter 2: a surrogate's bump and what it does to the loss of one weight."""
    surrogate = getattr(surrogates, family).with_width(width, unit="area")
    z = np.linspace(-2, 2, 81)
    inputs, loss, weights = _one_weight()
    lif = LIF(surrogate=surrogate)
    hard, smooth = (
        loss(numpy_lif.forward(inputs * weights, lif, smooth=smooth).spikes)[0]
        for smooth in (False, True)
    )
    slope = np.gradient(smooth, weights)
    there = np.interp(weights - STRIDE * np.sign(slope), weights, hard)
    steep = np.abs(slope) > 0.05
    right, wrong = (steep & (there < hard)).mean(), (steep & (there > hard)).mean()
    text = (
        f"The peak of h is {surrogate.derivative(np.array(0.0)):.2f}. The smooth loss has a slope "
        f"above 0.05 at {steep.mean():.0%} of the weights. A step of {STRIDE:g} down it lowers the "
        f"true loss at {right:.0%} and raises it at {wrong:.0%} of them; the two are "
        f"{np.abs(smooth - hard).mean():.2f} apart on average."
    )
    return [[surrogate.derivative(z), surrogate.primitive(z)], [hard, smooth]], text


def bump_width():
    """Chapter 2: the width of a surrogate and the loss of one weight."""
    return Explorer(
        "The width of a surrogate",
        "At which width do the fewest slopes lead the wrong way, and what does that width cost?",
        {
            "family": choice("family", [family.__name__ for family in surrogates.FAMILIES]),
            "width": Control("width", (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), 3),
        },
        [
            Panel(
                "h (area 1) and its antiderivative σ",
                "z = u − θ",
                "h, σ",
                (Series("h", "complete"), Series("σ", "truth")),
                (-2, 2),
                (0, 3),
                x=np.linspace(-2, 2, 81),
            ),
            Panel(
                "Loss against the weight",
                "weight w",
                "L",
                (Series("with H: a staircase", "truth", "steps"), Series("with σ", "complete")),
                (0.2, 4),
                (0, 4),
                x=np.linspace(0.2, 4.0, 96),
            ),
        ],
        bump_width_frame,
    )


def credit_by_rho_frame(rho, decay, reset):
    """Chapter 3: the credit of each time step, for any rho."""
    lif = LIF(decay, 1.0, reset, surrogates.Sigmoid(0.2), rho)
    s, u = numpy_lif.forward(0.8 * np.random.default_rng(1).random(24), lif)
    g = np.random.default_rng(3).normal(size=24)
    delta, detached = (
        numpy_lif.backward(g, (s, u), replace(lif, reset_gradient=r)) for r in (rho, 0.0)
    )
    t = np.arange(1, 25)
    fired = t[s > 0]
    turned = int((np.sign(delta) * np.sign(detached) < 0).sum())
    size = np.linalg.norm(detached)
    text = (
        f"At ρ = {rho:.2g} the gradient has {np.linalg.norm(delta) / size:.2f} times the length of "
        f"the detached one and a cosine of {delta @ detached / np.linalg.norm(delta) / size:.2f} "
        f"with it; {turned} of 24 credits have turned their sign."
    )
    return [[detached, delta, fired]], text


def credit_by_rho():
    """Chapter 3: the credit of each time step, from dropped to complete."""
    return Explorer(
        "From dropped to complete",
        "At which ρ does the credit of step 6 change its sign?",
        {
            "rho": Control("ρ (reset_gradient)", np.linspace(0, 1, 11).round(1), 0),
            "decay": Control("decay λ", (0.5, 0.7, 0.8, 0.9, 0.95), 2),
            "reset": choice("reset", RESETS),
        },
        [
            Panel(
                "Credit of each time step",
                "time step t",
                "δ[t]",
                (
                    Series("term dropped, ρ = 0", "dropped", "dots"),
                    Series("chosen ρ", "complete", "stems"),
                    Series("spike", "reset", "vline"),
                ),
                (0, 25),
                (-4, 3),
                x=np.arange(1, 25),
            )
        ],
        credit_by_rho_frame,
    )


def twin_differences_frame(width, decay, reset):
    """Chapter 4: both gradients against exact differences of the smooth twin."""
    lif = LIF(decay, 1.0, reset, surrogates.Sigmoid(width))
    x = np.random.default_rng(11).normal(0.3, 0.5, (20, 1))
    report = gradcheck.check(x, lif, method="complex")
    run = numpy_lif.forward(x, lif, smooth=True)
    touched = lif.surrogate.derivative(run.membrane[:-1] - lif.threshold) > 0.05
    text = (
        f"Relative error with the term {report.with_term:.0e}, without it "
        f"{report.without_term:.2f}. In {touched.sum()} of the {len(touched)} steps with a future "
        "the membrane is in reach of the bump (h above 0.05)."
    )
    series = (report.differences, report.complete, report.detached)
    return [[values[:, 0] for values in series]], text


def twin_differences():
    """Chapter 4: both rules against the smooth twin's differences."""
    return Explorer(
        "Differences against the two rules",
        "At which width are the detached credits (squares) furthest from the differences (grey "
        "rings), as a share of their length? Does the other reset agree?",
        {
            "width": Control("width of the sigmoid", (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), 3),
            "decay": Control("decay λ", (0.5, 0.8, 0.95), 1),
            "reset": choice("reset", RESETS),
        },
        [
            Panel(
                "Gradient in each time step's input",
                "time step t",
                "dL/dx[t]",
                (
                    Series("differences of the twin", "truth", "dots"),
                    Series("complete, ρ = 1", "complete", "dots"),
                    Series("term dropped, ρ = 0", "dropped", "dots"),
                ),
                (0, 21),
                (-0.1, 3.1),
                x=np.arange(1, 21),
            )
        ],
        twin_differences_frame,
    )
