"""The explorer of chapter 5: the playground, with the settings that the chapter turns."""

import numpy as np

from tsbp_core.chapters.toy import presets
from tsbp_core.lab import results
from tsbp_core.page import playground
from tsbp_core.page.controls import Slider
from tsbp_core.page.guess import Guess

CONTROLS = ("eta", "rho", "decay", "width", "optimizer", "target", "reset", "seeds")


def learning():
    """Chapter 5: neurons that learn a spike train, at 41 learning rates at once."""
    buttons = presets.presets()
    return playground.show(buttons, compact=True, controls=CONTROLS, guess=_guess_share())


def _guess_share():
    """How many seeds of the first preset learn without the term, at the best learning rate."""
    document, name = results.load("toy-presets"), presets.PRESETS[0].name
    one, other = (
        round(100 * np.max(document["results"][f"{name}/rho={rho}"]["share"])) for rho in (1, 0)
    )
    return Guess(
        f"Guess first: with the term, {one} % of the neurons learn, at their best learning rate. "
        "How many learn without it, at theirs?",
        Slider("without it, percent", 0, 100, 50, step=1),
        other,
        f"Of {document['settings']['seeds']} seeds, that is; the first {presets.SHOWN} of them "
        "learn below.",
    )
