"""The explorer of chapter 10; explorers.js has the same frame, and that of chapter 14."""

import functools
from pathlib import Path

import numpy as np

from tsbp_core import numpy_lif
from tsbp_core.chapters.gradient.steps import jacobian, jacobian_at, reach
from tsbp_core.chapters.growth import probe as experiment
from tsbp_core.page.controls import Slider
from tsbp_core.page.explorer import METHODS, Explorer, Panel, Series, choice, reset_choice
from tsbp_core.page.guess import Guess

SCRIPT = Path(__file__).with_suffix(".js")
SLOPE = Slider("slope", 0, 2.3, 10, log=True)


def credit_back_frame(slope, unit, reset):
    """Chapter 10: J over the membrane, and how much credit of step 50 arrives at each step."""
    x, _ = experiment.draw(50, 1000)
    u = np.linspace(-1, 2.5, 176)
    curves, sizes, words = [], [], ""
    for rho in experiment.RHOS:
        lif = experiment.make_neuron(reset, unit, slope, rho)
        curves.append(jacobian_at(u, lif))
        run = numpy_lif.forward(x, lif)
        size = np.abs(reach(jacobian(run, lif)))
        sizes.append(np.sqrt((size**2).mean(axis=1)))
        if rho:
            typical = np.median(size, axis=1)
            steps = experiment.describe_steps(run, lif)
            words = (
                f"h is {lif.surrogate.scale:.3g} high. |J| is above 1 at {steps['above']:.0%} of "
                f"the steps and J negative at {steps['negative']:.0%}. A step multiplies the root "
                f"mean square by {np.exp(steps['square']):.2f}"
            )
    text = f"{words}; with the term dropped, by {sizes[1][-2]:.2f}."
    return [[*curves, [-1, 1]], [*sizes, typical, [1.0]]], text


@functools.cache
def growth_begins():
    """The first slope of the slider at which more credit arrives at step 1 than left step 50."""
    low, high = round(SLOPE.low / SLOPE.step), round(SLOPE.high / SLOPE.step)
    while high - low > 1:
        middle = (low + high) // 2
        panels, _ = credit_back_frame(10 ** (SLOPE.step * middle), "area", "subtract")
        low, high = (low, middle) if panels[1][0][0] > 1 else (middle, high)
    return float(f"{10 ** (SLOPE.step * high):.3g}")


def _guess_slope():
    slope = growth_begins()
    return Guess(
        "Guess first: credit goes back over 50 steps. From which slope of the surrogate on does "
        "more arrive than was sent? (A sigmoid of area 1: its peak is a quarter of its slope.)",
        SLOPE,
        slope,
        f"Its peak is {slope / 4:.3g} there.",
        "slope",
    )


def credit_back():
    """Chapter 10: one step's factor, and what arrives of credit."""
    return Explorer(
        "Credit on its way back",
        "With area 1, at which slope does the blue curve on the right turn round, and grow on its "
        "way back (from right to left)? Can you make it grow with peak 1?",
        {
            "slope": SLOPE,
            "unit": choice("unit", ("area", "peak"), label="{} 1".format),
            "reset": reset_choice("subtract"),
        },
        [
            Panel(
                "One step: J over the membrane (θ = 1)",
                "membrane u",
                "J",
                (*METHODS, Series("±1", "faint", "hline")),
                (-1, 2.5),
                (-6, 2),
                x=np.linspace(-1, 2.5, 176),
            ),
            Panel(
                "Share of credit of step 50 that arrives",
                "time step t",
                "size of the product of J",
                (
                    Series("root mean square, ρ = 1", "complete"),
                    Series("ρ = 0", "dropped"),
                    Series("median neuron, ρ = 1", "truth"),
                    Series("1", "faint", "hline"),
                ),
                (1, 50),
                (1e-4, 1e4),
                ylog=True,
                x=np.arange(1, 51),
            ),
        ],
        credit_back_frame,
        SCRIPT,
        guess=_guess_slope(),
    )
