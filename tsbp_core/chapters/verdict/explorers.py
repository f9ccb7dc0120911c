"""The explorer of chapter 14."""

import numpy as np

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.gradient.steps import jacobian_at
from tsbp_core.chapters.growth import probe as experiment
from tsbp_core.chapters.growth.explorers import SCRIPT
from tsbp_core.page.explorer import Explorer, Panel, Series, Slider, choice


def tall_surrogate_frame(family, width, unit, decay):
    """Chapter 14: a surrogate against the heights at which a step can amplify."""
    surrogate = getattr(surrogates, family).with_width(width, unit=unit)
    z = np.linspace(-1.5, 1.5, 61)
    peak = float(surrogate.derivative(np.array(0.0)))
    lifs = [LIF(decay, 1.0, reset, surrogate) for reset in ("subtract", "zero")]
    soft, hard = (experiment.growth_bound(lif) for lif in lifs)
    jacobians = [jacobian_at(z + 1, lif) for lif in lifs]
    can = ["can" if np.abs(J).max() > 1 else "cannot" for J in jacobians]
    text = (
        f"Peak {peak:.3g}; bounds {soft:.2f} (soft reset) and {hard:.2f} (hard). At the membranes "
        f"drawn, a step of the soft reset {can[0]} amplify, one of the hard reset {can[1]}."
    )
    lines = [[bound] if bound < np.inf else [] for bound in (soft, hard)]
    return [[surrogate.derivative(z), *lines], [*jacobians, [-1, 1]]], text


def tall_surrogate():
    """Chapter 14: can a step of your neuron make credit larger?"""
    return Explorer(
        "Is your surrogate tall?",
        "Set your neuron: λ, θ = 1, and its surrogate. Can a step make credit larger, and how far "
        "is the peak from 5, from which on all networks of three layers with λ = 0.9 were harmed?",
        {
            "family": choice("family", [family.__name__ for family in surrogates.FAMILIES]),
            "unit": choice("unit", ("area", "peak"), label="{} 1".format),
            "width": Slider("width", -1.7, 0, 0.1, log=True),
            "decay": Slider("decay λ", 0, 1, 0.9),
        },
        [
            Panel(
                "Surrogate derivative",
                "z = u − θ",
                "h",
                (
                    Series("h", "truth"),
                    Series("bound, soft reset", "reset", "hline"),
                    Series("bound, hard reset", "faint", "hline"),
                ),
                (-1.5, 1.5),
                (0, 6),
                x=np.linspace(-1.5, 1.5, 61),
            ),
            Panel(
                "Factor of a step",
                "z = u − θ",
                "J",
                (
                    Series("soft reset", "complete"),
                    Series("hard reset", "truth"),
                    Series("±1", "faint", "hline"),
                ),
                (-1.5, 1.5),
                (-4, 1.5),
                x=np.linspace(-1.5, 1.5, 61),
            ),
        ],
        tall_surrogate_frame,
        SCRIPT,
    )
