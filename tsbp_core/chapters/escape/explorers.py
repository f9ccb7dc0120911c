"""The explorer of chapter 9."""

from tsbp_core.chapters.escape import study as escape
from tsbp_core.chapters.escape.gradients import LOSSES, RHOS
from tsbp_core.chapters.escape.study import WIDTHS, Condition
from tsbp_core.page.explorer import Control, Explorer, Panel, Series, choice, reset_choice


def nearness():
    """Chapter 9: how near the mean surrogate gradient is to the exact one, against rho."""
    exact, _ = escape.load()

    def frame(noise, surrogate, loss, reset):
        cell = exact[Condition(reset, loss, noise=noise, surrogate=surrogate)]
        drawn = []
        for key in ("error", "cosine", "length"):
            middle, *quartiles = ([by[key][i] for by in cell["by_rho"].values()] for i in (2, 1, 3))
            drawn.append([middle, *quartiles, *([[1.0]] * (key != "error"))])
        (without, *_, with_term), *_ = (rows[0] for rows in drawn)
        share, low, high = cell["nearer"]
        text = (
            f"Noise {noise:g}, surrogate {surrogate:g}: the median error is {without:.2f} without "
            f"the term and {with_term:.2f} with it. The complete gradient is nearer for "
            f"{share:.0%} of neurons, 95 % interval [{low:.0%}, {high:.0%}]."
        )
        return drawn, text

    curves = (
        Series("median neuron", "complete"),
        Series("quartiles", "faint"),
        Series("", "faint"),
    )
    right = Series("the truth", "truth", "hline")
    at = WIDTHS.index(escape.WIDTH)
    return Explorer(
        "From detached to complete",
        "At which noise does the complete gradient stop being better? Does a wider surrogate help?",
        {
            "noise": Control("noise's width", WIDTHS, at),
            "surrogate": Control("surrogate's width", WIDTHS, at),
            "loss": choice("loss", LOSSES),
            "reset": reset_choice(),
        },
        [
            Panel("Relative error", "ρ", "error", curves, (0, 1), (0, 2.5), x=RHOS),
            Panel("Direction", "ρ", "cosine", (*curves, right), (0, 1), (0, 1.1), x=RHOS),
            Panel(
                "Length over the true one", "ρ", "ratio", (*curves, right), (0, 1), (0, 3), x=RHOS
            ),
        ],
        frame,
    )
