"""What chapter 9 draws."""

import numpy as np

from tsbp_core.chapters.escape.study import RESETS, Condition
from tsbp_core.page.style import RESET_NAMES, STYLES, axes


def truth_errors(exact, lengths):
    """Error of the mean surrogate gradient against T: median and quartiles, by loss and reset.

    ``exact``: the enumerated results, as ``study.load`` has them.
    """
    figure, panels = axes(2, 2, height=4.8, sharex=True, sharey="row")
    for row, loss in zip(panels, ("trace", "linear"), strict=True):
        for ax, reset in zip(row, RESETS, strict=True):
            for rho in (1.0, 0.0):
                style = STYLES[rho]
                cells = [exact[Condition(reset, loss, T)]["by_rho"][rho] for T in lengths]
                _, low, middle, high, _ = np.transpose([cell["error"] for cell in cells])
                band = {"color": style["color"], "alpha": 0.2, "linewidth": 0}
                ax.fill_between(lengths, low, high, **band)
                ax.plot(lengths, middle, marker="o" if rho else "s", markersize=4, **style)
            ax.set(title=f"{loss} loss, {RESET_NAMES[reset]}")
        row[0].set(ylabel="relative error", ylim=(0, None))
    for ax in panels[1]:
        ax.set(xlabel="time steps T")
    panels[0, 0].legend(loc="upper left", fontsize=10)
    return figure
