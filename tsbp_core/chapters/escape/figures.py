"""What chapter 9 draws."""

import numpy as np

from tsbp_core.chapters.escape import study as escape
from tsbp_core.page.style import RESET_NAMES, STYLES, axes


def truth_errors(exact, lengths):
    """Error of the mean surrogate gradient against T: median and quartiles, by loss and reset.

    ``exact``: the enumerated results of ``escape.study``.
    """
    figure, panels = axes(2, 2, height=4.8, sharex=True, sharey="row")
    for row, loss in zip(panels, ("trace", "linear"), strict=True):
        for ax, kind in zip(row, ("zero", "subtract"), strict=True):
            for rho in (1.0, 0.0):
                style = STYLES[rho]
                found = np.array(
                    [
                        exact[escape.condition(kind, loss, T)]["by_rho"][f"{rho:g}"]["error"]
                        for T in lengths
                    ]
                )
                ax.fill_between(lengths, found[:, 1], found[:, 3], color=style["color"], alpha=0.2,
                                linewidth=0)  # fmt: skip
                ax.plot(lengths, found[:, 2], marker="o" if rho else "s", markersize=4, **style)
            ax.set(title=f"{loss} loss, {RESET_NAMES[kind]}")
        row[0].set(ylabel="relative error", ylim=(0, None))
    for ax in panels[1]:
        ax.set(xlabel="time steps T")
    panels[0, 0].legend(loc="upper left", fontsize=10)
    return figure
