"""The explorer of chapter 12."""

from dataclasses import replace

import numpy as np

from tsbp_core import LIF, numpy_lif
from tsbp_core.chapters.frameworks.defaults import SURROGATES
from tsbp_core.page.explorer import METHODS, Explorer, Panel, Series, choice, reset_choice


def default_surrogates_frame(library, reset):
    """Chapter 12: the credit of one neuron with and without the term, by default surrogate."""
    surrogate = SURROGATES[library]
    x = 0.8 * np.random.default_rng(1).random(24)
    g = np.random.default_rng(3).normal(size=24)
    lif = LIF(0.8, 1.0, reset, surrogate)
    run = numpy_lif.forward(x, lif)
    kept, dropped = (
        numpy_lif.backward(g, run, replace(lif, reset_gradient=rho)) for rho in (1.0, 0.0)
    )
    size, apart = np.linalg.norm(kept), np.linalg.norm(kept - dropped)
    text = (
        f"{library}: the default surrogate has peak {surrogate.derivative(np.array(0.0)):.3g}. "
        f"Dropping the term changes this neuron's gradient by {apart / size:.0%} of its length."
    )
    z = np.linspace(-1.5, 1.5, 121)
    return [[surrogate.derivative(z)], [dropped, kept]], text


def default_surrogates():
    """Chapter 12, over the libraries."""
    return Explorer(
        "One neuron under five default surrogates",
        "Under which library's surrogate does it hardly matter whether the term is kept?",
        {
            "library": choice("library", list(SURROGATES), 1),
            "reset": reset_choice(),
        },
        [
            Panel(
                "Surrogate derivative",
                "z = u − θ",
                "h",
                (Series("h", "truth"),),
                (-1.5, 1.5),
                (0, 2.1),
                x=np.linspace(-1.5, 1.5, 121),
            ),
            Panel(
                "Credit of each time step",
                "time step t",
                "δ[t]",
                METHODS[::-1],
                (1, 24),
                x=np.arange(1, 25),
            ),
        ],
        default_surrogates_frame,
    )
