"""The explorer of chapter 5: the playground, with the settings that the chapter turns."""

from tsbp_core.chapters.toy import presets
from tsbp_core.page import playground

CONTROLS = ("eta", "rho", "decay", "width", "optimizer", "target", "reset", "seeds")


def learning():
    """Chapter 5: neurons that learn a spike train, at 41 learning rates at once."""
    return playground.show(presets.presets(), compact=True, controls=CONTROLS)
