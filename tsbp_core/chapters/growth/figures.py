"""What chapter 10 draws."""

import numpy as np

from tsbp_core.chapters.growth.outcomes import Shape
from tsbp_core.page.style import COMPLETE, FAINT, INK, RESET, RESET_NAMES, STYLES, axes


def growth_fan(lengths, steps, bounds, squares):
    """The complete gradient's length over the detached one's against the height of the surrogate.

    ``lengths``: by condition, as ``outcomes.load`` has them, drawn for each T in ``steps``, a panel
    a reset. ``bounds``: by reset, heights above which one step can amplify, and ``squares`` above
    which the mean square does.
    """
    figure, (soft, hard) = axes(1, 2, width=7.4, height=3.9, sharey=True)
    for ax, kind in ((soft, "subtract"), (hard, "zero")):
        ax.axvline(bounds[kind], color=RESET, linewidth=2.5)
        ax.axvline(squares[kind], color=RESET, linewidth=1.5, linestyle=":")
        ax.axhline(1, **{**STYLES[0.0], "label": None})
        for T, width in zip(steps, np.linspace(1, 2.8, len(steps)), strict=True):
            drawn = [key for key in lengths if (key.reset, key.unit, key.T) == (kind, "area", T)]
            x = [Shape(key.unit, key.slope).height for key in drawn]
            pooled = np.array([lengths[key]["pooled"] for key in drawn])
            ax.fill_between(x, pooled[:, 1], pooled[:, 2], color=COMPLETE, alpha=0.13, linewidth=0)
            ax.plot(x, pooled[:, 0], color=COMPLETE, linewidth=width)
            if kind == "subtract":
                top = int(np.argmax(pooled[:, 0]))
                ax.annotate(f"T = {T}", (x[top], pooled[top, 0]), (0, 4), color=COMPLETE,
                            textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
        kept = [
            cell["pooled"][0]
            for key, cell in lengths.items()
            if (key.reset, key.unit, key.T) == (kind, "peak", steps[-1])
        ]
        open_marks = {"color": COMPLETE, "markerfacecolor": "none", "linewidth": 0}
        ax.plot([1] * len(kept), kept, "D", markersize=5, **open_marks)
        ax.set(title=RESET_NAMES[kind], xscale="log",
               yscale="log", xlabel="height of h at the threshold", xlim=(0.2, 60))  # fmt: skip
        ax.set_xticks([0.25, 1, 4, 16, 50], ["¼", "1", "4", "16", "50"])
        ax.minorticks_off()
    soft.set(ylabel="length, complete / detached")
    for ax, kind, text in ((soft, "subtract", "1 + 1/λ"), (hard, "zero", "1/λ")):
        ax.annotate(text, (bounds[kind], 0.985), (-5, 0), xycoords=("data", "axes fraction"),
                    textcoords="offset points", ha="right", va="top", color=RESET)  # fmt: skip
    soft.annotate("◇ peak kept at 1", (0.65, 0.13), fontsize=9, color=COMPLETE, ha="center")
    soft.set(ylim=(0.04, None))
    soft.axvspan(0.2, bounds["subtract"], color=FAINT, alpha=0.14, linewidth=0)
    soft.annotate("no step\ncan grow", (0.24, 40), fontsize=10, color=INK)
    return figure


def growth_gains(gains_by_panel):
    """Held-out accuracy with the term minus without, in points, against the height of h.

    ``gains_by_panel``: {title: {label: {Shape: (mean, low, high)}}}, a panel a title and a marker a
    label; area-1 surrogates are filled and joined, the peak-1 ones open.
    """
    figure, panels = axes(1, len(gains_by_panel), width=7.4, height=3.3, sharey=True)
    for ax, (title, by_label) in zip(panels, gains_by_panel.items(), strict=True):
        ax.axhline(0, **{**STYLES[0.0], "label": None})
        for (label, gains), marker, shift in zip(by_label.items(), "os", (0.94, 1.06), strict=True):
            joined = [shape for shape in gains if shape.unit == "area"]
            x, means = [s.height * shift for s in joined], [gains[s][0] for s in joined]
            ax.plot(x, means, color=COMPLETE, linewidth=1, alpha=0.6)
            ax.plot([], [], marker, color=COMPLETE, markersize=6, label=label)
            peaks = [shape for shape in gains if shape.unit == "peak"]
            spread = dict(zip(peaks, (0.8, 0.93, 1.07, 1.22), strict=True))
            for shape, (mean, low, high) in gains.items():
                x = shape.height * shift**0.5 * spread.get(shape, shift**0.5)
                ax.plot([x, x], [low, high], color=COMPLETE, linewidth=1)
                fill = "none" if shape in peaks else COMPLETE
                ax.plot(x, mean, marker, color=COMPLETE, markersize=6, markerfacecolor=fill)
        ax.set(title=title, xscale="log", xlabel="height of h at the threshold", xlim=(0.6, 40))
        ax.set_xticks([1, 2.5, 6.25, 25], ["1", "2.5", "6.3", "25"])
        ax.minorticks_off()
        ax.legend(loc="lower left", fontsize=9)
    panels[0].set(ylabel="gain in accuracy, points")
    return figure


def learning_curves(by_cell, points, columns=2):
    """Test accuracy against updates of both methods, a panel a cell, with 95 % intervals.

    ``by_cell``: {title: {rho: [3, point]}}, means and the ends of their intervals in percent, as
    ``verdicts.curves`` gives them; ``points``: updates.
    """
    rows = -(-len(by_cell) // columns)
    figure, panels = axes(
        rows, columns, width=7.4, height=0.6 + 2.2 * rows, sharex=True, sharey=True, squeeze=False
    )
    for ax, (title, by_rho) in zip(panels.flat, by_cell.items(), strict=False):
        for rho, (mean, low, high) in by_rho.items():
            ax.fill_between(points, low, high, color=STYLES[rho]["color"], alpha=0.18, linewidth=0)
            ax.plot(points, mean, **STYLES[rho])
        ax.set(title=title, xscale="log")
        ticks = [n for n in (25, 150, 600, 2400) if points[0] <= n <= points[-1]]
        ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
        ax.minorticks_off()
    for ax in panels.flat[len(by_cell) :]:
        ax.set_axis_off()
    for ax in panels[:, 0]:
        ax.set(ylabel="test accuracy, %")
    for ax in panels.flat[max(0, len(by_cell) - columns) : len(by_cell)]:
        ax.set(xlabel="updates")
        ax.tick_params(labelbottom=True)
    panels[0, 0].legend(loc="lower right")
    return figure
