"""What chapter 10 draws."""

import numpy as np

from tsbp_core.chapters.growth.outcomes import Shape
from tsbp_core.page.style import COMPLETE, FAINT, INK, RESET, RESET_NAMES, STYLES, axes


def growth_fan(lengths, steps, bounds, squares):
    """The complete gradient's length over the detached one's against the height of the surrogate.

    A thin line a draw of neurons, a thick one their median. ``lengths``: by condition, as
    ``probe.load`` has them, drawn for each T in ``steps``, a panel a reset. ``bounds``: by reset,
    heights above which one step can amplify, and ``squares`` above which the mean square does.
    """
    figure, (soft, hard) = axes(1, 2, width=7.4, height=3.9, sharey=True)
    above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    for ax, kind, bound in ((soft, "subtract", "1 + 1/λ"), (hard, "zero", "1/λ")):
        ax.axvline(bounds[kind], color=RESET, linewidth=2.5)
        ax.axvline(squares[kind], color=RESET, linewidth=1.5, linestyle=":")
        ax.axhline(1, **{**STYLES[0.0], "label": None})
        _fan(ax, lengths, kind, steps)
        at = bounds[kind], 0.985
        ax.annotate(bound, at, (-5, 0), ha="right", va="top", color=RESET, **above)
        ax.set(title=RESET_NAMES[kind], xlabel="height of h at the threshold")
        ax.set(xscale="log", yscale="log", xlim=(0.2, 60))
        ax.set_xticks([0.25, 1, 4, 16, 50], ["¼", "1", "4", "16", "50"])
        ax.minorticks_off()
    soft.set(ylabel="length, complete / detached")
    soft.annotate("◇ peak kept at 1", (0.65, 0.13), fontsize=9, color=COMPLETE, ha="center")
    soft.set(ylim=(0.04, None))
    soft.axvspan(0.2, bounds["subtract"], color=FAINT, alpha=0.14, linewidth=0)
    soft.annotate("no step\ncan grow", (0.24, 40), fontsize=10, color=INK)
    return figure


def _fan(ax, lengths, kind, steps):
    """Lines for each T, and a mark for each surrogate of peak 1 at the last T."""
    for T, width in zip(steps, np.linspace(1, 2.8, len(steps)), strict=True):
        drawn = [key for key in lengths if (key.reset, key.unit, key.T) == (kind, "area", T)]
        x = [Shape(key.unit, key.slope).height for key in drawn]
        pooled = np.array([lengths[key]["pooled"] for key in drawn])
        middle = np.median(pooled, axis=1)
        ax.plot(x, pooled, color=COMPLETE, linewidth=0.5, alpha=0.35)
        ax.plot(x, middle, color=COMPLETE, linewidth=width)
        if kind == "subtract":
            top = int(np.argmax(middle))
            words = {"textcoords": "offset points", "ha": "center", "fontsize": 9}
            ax.annotate(f"T = {T}", (x[top], pooled[top].max()), (0, 4), color=COMPLETE, **words)
    kept = [
        np.median(cell["pooled"])
        for key, cell in lengths.items()
        if (key.reset, key.unit, key.T) == (kind, "peak", steps[-1])
    ]
    open_marks = {"color": COMPLETE, "markerfacecolor": "none", "linewidth": 0}
    ax.plot([1] * len(kept), kept, "D", markersize=5, **open_marks)


def gains(panels):
    """Gain of accuracy by the term against the height of h, with intervals.

    ``panels``: {title: {label: {Shape: (mean, low, high)}}} in points, a panel a title and a marker
    a label; area-1 surrogates are filled and joined, the peak-1 ones open and beside each other.
    """
    figure, drawn = axes(1, len(panels), width=7.4, height=3.3, sharey=True)
    for ax, (title, by_label) in zip(drawn, panels.items(), strict=True):
        ax.axhline(0, **{**STYLES[0.0], "label": None})
        for (label, by_shape), marker, shift in zip(
            by_label.items(), "os", (0.94, 1.06), strict=True
        ):
            joined = [shape for shape in by_shape if shape.unit == "area"]
            x, means = [s.height * shift for s in joined], [by_shape[s][0] for s in joined]
            ax.plot(x, means, color=COMPLETE, linewidth=1, alpha=0.6)
            ax.plot([], [], marker, color=COMPLETE, markersize=5, label=label)
            peaks = [shape for shape in by_shape if shape.unit == "peak"]
            for shape, (mean, low, high) in by_shape.items():
                aside = 0.86 * 0.9 ** peaks.index(shape) if shape in peaks else 1.0
                x = shape.height * shift * aside
                ax.plot([x, x], [low, high], color=COMPLETE, linewidth=1)
                fill = "none" if shape in peaks else COMPLETE
                ax.plot(x, mean, marker, color=COMPLETE, markersize=5, markerfacecolor=fill)
        ax.set(title=title, xscale="log", xlabel="height of h at the threshold", xlim=(0.6, 40))
        ax.set_xticks([1, 2.5, 5, 25], ["1", "2.5", "5", "25"])
        ax.minorticks_off()
        ax.legend(loc="lower left", fontsize=9)
    drawn[0].set(ylabel="gain in accuracy, points")
    return figure


def gains_by_multiple(by_reset):
    """Gain of accuracy by the term against the height of h over the bound for one step.

    ``by_reset``: {reset: {label: {multiple: (mean, low, high)}}} in points, a panel a reset and a
    marker a label. What lies beyond 7 is left out.
    """
    figure, panels = axes(1, len(by_reset), width=7.4, height=3.5, sharex=True, sharey=True)
    for ax, (reset, by_label) in zip(panels, by_reset.items(), strict=True):
        ax.axhline(0, **{**STYLES[0.0], "label": None})
        ax.axvline(1, color=RESET, linewidth=2)
        for k, (label, by_multiple) in enumerate(by_label.items()):
            marker, fill = "o^vD"[k], COMPLETE if k in (0, 3) else "none"
            inside = {m: gain for m, gain in sorted(by_multiple.items()) if m <= 7.0}
            x = np.array([*inside]) * (0.955, 0.985, 1.015, 1.045)[k]
            mean, low, high = np.transpose([*inside.values()])
            style = {"color": COMPLETE, "markersize": 5, "markerfacecolor": fill}
            ax.vlines(x, low, high, color=COMPLETE, linewidth=1)
            ax.plot(x, mean, color=COMPLETE, linewidth=0.8, alpha=0.6)
            ax.plot(x, mean, marker, label=label, **style)
        ax.set(title=RESET_NAMES[reset], xscale="log", xlabel="height of h / bound for one step")
        ticks = (0.5, 1, 2, 3, 5)
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    panels[0].set(ylabel="gain in accuracy, points")
    panels[0].legend(loc="lower left", fontsize=9)
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
