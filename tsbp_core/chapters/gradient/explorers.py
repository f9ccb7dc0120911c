"""The explorers of chapters 1 to 4; explorers.js has the same frames."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tsbp_core import LIF, gradcheck, neuron, numpy_lif, surrogates
from tsbp_core.page.controls import Slider
from tsbp_core.page.explorer import Explorer, Panel, Series, choice, reset_choice
from tsbp_core.page.guess import Guess

SCRIPT = Path(__file__).with_suffix(".js")


def constant_current_frame(decay, current, threshold, reset):
    """Chapter 1: a neuron at a constant current."""
    lif = LIF(decay, threshold, reset)
    s, u = numpy_lif.forward(np.full(40, float(current)), lif)
    t = np.arange(1, 41)
    saw = np.stack([u, neuron.reset(u, s, lif)], axis=1).ravel()
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
            "current": Slider("input current x", 0, 1.5, 0.3),
            "decay": Slider("decay λ", 0, 1, 0.8),
            "threshold": Slider("threshold θ", 0.2, 2, 1),
            "reset": reset_choice(),
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
        SCRIPT,
        sweep="decay",
    )


STRIDE, STEEP, DROP = 0.25, 0.05, 0.7
"""Step in the weight that chapter 2 takes down a slope, to see what the true loss does; the slope
that counts as one; how far an arrow may fall."""


def _one_weight():
    rng = np.random.default_rng(4)
    inputs = numpy_lif.trace((rng.random((60, 1)) < 0.2).astype(float), 3.0)
    loss = numpy_lif.TraceLoss((rng.random((60, 1)) < 0.1).astype(float))
    return inputs, loss, np.linspace(0.2, 4.0, 95)


def bump_width_frame(family, width):
    """Chapter 2: a surrogate's bump, and where its slope leads."""
    surrogate = getattr(surrogates, family).with_width(width, unit="area")
    lif = LIF(surrogate=surrogate)
    inputs, loss, weights = _one_weight()

    def run(weights, smooth=False):
        run = numpy_lif.forward(inputs * weights, lif, smooth=smooth)
        return run, *loss(run.spikes)

    spiking, hard, g = run(weights)
    _, smooth, _ = run(weights, smooth=True)
    slope = (numpy_lif.backward(g, spiking, lif) * inputs).sum(axis=0)
    _, there, _ = run(weights - STRIDE * np.sign(slope))
    steep = np.abs(slope) > STEEP
    leads = np.where(steep, np.sign(hard - there), np.nan)
    right, wrong = (leads == 1).mean(), (leads == -1).mean()
    text = (
        f"The peak of h is {surrogate.derivative(np.array(0.0)):.2f}. At {steep.mean():.0%} of the "
        f"weights the surrogate gives a slope above {STEEP}. A step of {STRIDE} down it lowers the "
        f"true loss at {right:.0%} and raises it at {wrong:.0%} of all; smooth and true loss are "
        f"{np.abs(smooth - hard).mean():.2f} apart on average."
    )
    arrows = []
    for way in (1, 0, -1):
        at = np.flatnonzero(leads == way)
        at = at[at % 6 == 0]
        w, start, down = weights[at], hard[at], slope[at]
        scale = np.minimum(STRIDE, DROP / np.abs(down))
        arrows.append((w, start, w - scale * np.sign(down), start - scale * np.abs(down)))
    z = np.linspace(-2, 2, 81)
    return [[surrogate.derivative(z), surrogate.primitive(z)], [hard, smooth, *arrows]], text


def bump_width():
    """Chapter 2: the width of a surrogate and the loss of one weight."""
    return Explorer(
        "The width of a surrogate",
        "At which width do the fewest arrows lead the wrong way, and what does that width cost?",
        {
            "width": Slider("width", -1.7, 0, 0.2, log=True),
            "family": choice("family", [family.__name__ for family in surrogates.FAMILIES]),
        },
        [
            Panel(
                "h (area 1) and its antiderivative σ",
                "z = u − θ",
                "h, σ",
                (Series("h", "complete"), Series("σ", "truth")),
                (-2, 2),
                x=np.linspace(-2, 2, 81),
            ),
            Panel(
                "Loss against the weight",
                "weight w",
                "L",
                (
                    Series("with H: a staircase", "truth", "steps"),
                    Series("with σ", "complete"),
                    Series("slope leads down", "truth", "arrows"),
                    Series("no change", "faint", "arrows"),
                    Series("leads up", "wrong", "arrows"),
                ),
                (0, 4.2),
                (0, 4),
                x=np.linspace(0.2, 4.0, 95),
            ),
        ],
        bump_width_frame,
        SCRIPT,
    )


def pencil_frame(x1, x2, x3, g1, g2, g3, edge, reset, seen):
    """Chapter 3: three steps, small enough for a pencil, and what flows back along each edge."""
    x, g = np.array([x1, x2, x3], float), np.array([g1, g2, g3], float)
    lif = LIF(0.5, 1.0, reset, surrogates.Triangle(1.0))
    s, u = run = numpy_lif.forward(x, lif)
    h = lif.surrogate.derivative(u - lif.threshold)
    dv_ds, dv_du = (-u, 1 - s) if reset == "zero" else (-np.ones(3), np.ones(3))
    delta, kept, dropped = (
        numpy_lif.backward(g, run, replace(lif, reset_gradient=float(rho))) for rho in (edge, 1, 0)
    )
    eps = lif.decay * np.append(delta[1:], 0.0)
    with_edge, without = (", ".join(f"{d + 0.0:.3f}" for d in by) for by in (kept, dropped))
    text = (
        f"Credit of the three inputs: {with_edge} with the green edge, {without} without it. "
        f"Spikes: {', '.join(f'{spike:.0f}' for spike in s)}."
    )
    drawn = [x, g, u, s, neuron.reset(u, s, lif), h, dv_ds, dv_du, delta, eps]
    return [[*drawn, [edge], [seen]]], text


def pencil():
    """Chapter 3: credit flows back through three steps, edge by edge."""
    shown = ("x", "g", "u", "s", "v", "h", "dv/ds", "dv/du", "delta", "eps")
    series = [*map(Series, shown), *(Series(name, kind="vline") for name in ("rho", "seen"))]
    starts = zip((1, 2, 3), (0.8, 0.8, 0.4), (0, 0, 1), strict=True)
    inputs = [(t, Slider(f"x[{t}]", 0, 1.5, x), Slider(f"g[{t}]", -1, 1, g)) for t, x, g in starts]
    return Explorer(
        "Credit flows back, edge by edge",
        "Switch the green edge off: which two inputs lose all their credit? Then lower x[2] until "
        "step 2 no longer fires.",
        {
            **{f"x{t}": x for t, x, _ in inputs},
            **{f"g{t}": g for t, _, g in inputs},
            "edge": choice("green edge", (1, 0), label={1: "on", 0: "off"}.get),
            "reset": reset_choice(),
            "seen": Slider("way back", 0, 9, 9, step=1),
        },
        [Panel("Credit", "", "", series, (1, 3), x=(1, 2, 3))],
        pencil_frame,
        SCRIPT,
        picture="unrolled",
        sweep="",
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
    return [[(fired, 0 * fired), detached, delta]], text


def credit_by_rho():
    """Chapter 3: the credit of each time step, from dropped to complete."""
    return Explorer(
        "From dropped to complete",
        "At which ρ does the credit of step 6 change its sign?",
        {
            "rho": Slider("ρ", 0, 1, 1),
            "decay": Slider("decay λ", 0, 1, 0.8),
            "reset": reset_choice(),
        },
        [
            Panel(
                "Credit of each time step",
                "time step t",
                "δ[t]",
                (
                    Series("spike", "reset", "raster"),
                    Series("term dropped, ρ = 0", "dropped", "dots"),
                    Series("chosen ρ", "complete", "stems"),
                ),
                (0, 25),
                x=np.arange(1, 25),
            )
        ],
        credit_by_rho_frame,
        SCRIPT,
    )


def twin_differences_frame(width, decay, reset):
    """Chapter 4: both gradients against exact differences of the smooth twin."""
    lif = LIF(decay, 1.0, reset, surrogates.Sigmoid(width))
    x = np.random.default_rng(11).normal(0.3, 0.5, (20, 1))
    report = gradcheck.check(x, lif)
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
            "width": Slider("sigmoid's width", -1.7, 0, 0.2, log=True),
            "decay": Slider("decay λ", 0, 1, 0.8),
            "reset": reset_choice(),
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
                x=np.arange(1, 21),
            )
        ],
        twin_differences_frame,
        SCRIPT,
        guess=_guess_error(),
    )


def _guess_error():
    """How far off the detached rule is at the explorer's first settings."""
    ((differences, _, detached),), _ = twin_differences_frame(0.2, 0.8, "zero")
    error = np.linalg.norm(detached - differences) / np.linalg.norm(differences)
    sizes = (0.001, 0.01, 0.1, 1.0)
    return Guess(
        "Guess first: how large is the error of the rule without the term, as a share of the "
        "gradient's length? (A surrogate 0.2 wide, λ = 0.8, 20 steps.)",
        choice("an error of about", sizes, label=lambda size: f"{100 * size:g} %"),
        min(sizes, key=lambda size: abs(np.log(size / error))),
        f"To be exact: {100 * error:.0f} %.",
    )
