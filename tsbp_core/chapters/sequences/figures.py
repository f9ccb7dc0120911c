"""What chapter 11 draws."""

import numpy as np
from matplotlib.patches import FancyArrowPatch

from tsbp_core.chapters.sequences import plan, report
from tsbp_core.chapters.sequences.outcomes import MARGIN
from tsbp_core.chapters.sequences.plan import PEAKS, RHOS
from tsbp_core.page.style import FAINT, INK, RESET, STYLES, axes, interval


def unrolled(steps=2):
    """A recurrent neuron over time: credit goes against the arrows, by three ways into the past."""
    figure, ax = axes(height=3.9)
    gap, height = 4.2, {"x": -1.1, "i": 0.0, "u": 1.2, "s": 2.6, "L": 3.5}

    def node(at, label):
        ax.text(*at, label, ha="center", va="center", fontsize=12, zorder=3)
        ax.plot(*at, "o", markersize=30, markerfacecolor="none", markeredgecolor=INK, zorder=2)

    def arrow(a, b, color=INK, width=1.5, bend=0.0):
        line = {"color": color, "linewidth": width, "mutation_scale": 13, "zorder": 1}
        line["connectionstyle"] = f"arc3,rad={bend}"
        ax.add_patch(FancyArrowPatch(a, b, arrowstyle="-|>", shrinkA=17, shrinkB=17, **line))

    def word(x, y, text, color=INK):
        ax.text(x, y, text, color=color, fontsize=10, ha="center")

    for t in range(1, steps + 1):
        left = gap * t
        x, i, u, s, out = ((left, height[name]) for name in ("x", "i", "u", "s", "L"))
        for at, name in ((x, "x"), (i, "i"), (u, "u"), (s, "s")):
            node(at, f"{name}[{t}]")
        arrow(x, i)
        arrow(i, u)
        arrow(u, s)
        arrow(s, out)
        word(left, height["L"] - 0.15, "readout")
        word(left + 0.3, -0.6, "W/τs")
        if t < steps:
            v, later = (left + 1.7, height["u"]), (left + gap, height["i"])
            node(v, f"v[{t}]")
            arrow(u, v)
            arrow(s, v, RESET, 3.0, -0.25)
            arrow(v, (left + gap, height["u"]))
            arrow(i, later)
            arrow(s, later, bend=-0.32)
            word(left + 0.8, 1.75, "reset", RESET)
            word(left + 2.5, height["u"] - 0.3, "λ")
            word(left + 2.0, height["i"] - 0.32, "κ = 1 − 1/τs")
            word(left + 3.0, 2.6, "V/τs, to all neurons")
    ax.set(xlim=(gap - 0.8, gap * steps + 0.9), ylim=(-1.6, 3.7))
    ax.axis("off")
    return figure


def gains(by_cell):
    """Gain of test accuracy in each cell, with intervals, a panel a surrogate.

    By ``report.Cell`` as ``report.cells`` gives them. The grey band is the margin.
    """
    order = sorted({(*cell[1:],) for cell in by_cell}, key=_place)
    figure, panels = axes(
        1, len(PEAKS), width=7.4, height=1.0 + 0.27 * len(order), sharex=True, sharey=True
    )
    for ax, peak in zip(panels, PEAKS, strict=True):
        ax.axvspan(-MARGIN, MARGIN, color=FAINT, alpha=0.25, linewidth=0)
        ax.axvline(0, color=INK, linewidth=1)
        for y, names in enumerate(order):
            interval(ax, y, **by_cell[report.Cell(peak, *names)]["gain"])
        ax.set(title=f"{peak} surrogate", xlabel="gain in accuracy, points")
    labels = [report.Cell("low", *names).title for names in order]
    panels[0].set_yticks(range(len(order)), labels, fontsize=9)
    panels[0].set(ylim=(len(order) - 0.5, -0.5))
    return figure


def _place(names):
    return report.CELLS.index(report.Cell("low", *names))


def learning_curves(shown, columns=3):
    """Validation accuracy against updates: the median of the seeds, thick, and each seed, thin.

    ``shown``: {title: (part, optimizer)}, a panel each.
    """
    rows = -(-len(shown) // columns)
    figure, panels = axes(
        rows, columns, width=7.4, height=0.6 + 2.1 * rows, sharex=True, sharey=True, squeeze=False
    )
    for ax in panels.flat[len(shown) :]:
        ax.set_axis_off()
    for ax, (title, (part, optimizer)) in zip(panels.flat, shown.items(), strict=False):
        for rho, seen in report.curves(part, optimizer).items():
            ax.plot(part["updates"], seen, color=STYLES[rho]["color"], linewidth=0.5, alpha=0.25)
            ax.plot(part["updates"], np.median(seen, axis=1), **STYLES[rho])
        ax.set(title=title, xscale="log", ylim=(0, 102))
        ax.set_xticks([10, 100, 1000], ["10", "100", "1,000"], fontsize=8)
        ax.minorticks_off()
    for ax in panels[:, 0]:
        ax.set(ylabel="validation, %")
    for ax in panels[-1]:
        ax.set(xlabel="updates")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def rate_by_rate(panels):
    """Validation accuracy in the end against the learning rate: a mark a seed, and their mean.

    ``panels``: {title: {rho: {rate: [seed]}}} in percent, as ``report.by_rate`` gives them.
    """
    figure, drawn = axes(1, len(panels), width=7.4, height=2.8, sharey=True)
    for ax, (title, by_rho) in zip(drawn, panels.items(), strict=True):
        for rho, by_rate in by_rho.items():
            aside, marker = (0.93, "o") if rho else (1.07, "s")
            x, seen = aside * np.array([*by_rate]), np.array([*by_rate.values()])
            style = STYLES[rho]
            ax.plot(x, seen, marker, color=style["color"], markersize=3, alpha=0.6)
            ax.plot(x, seen.mean(axis=1), **style)
        ax.set(title=title, xscale="log", xlabel="learning rate", ylim=(0, 102))
    drawn[0].set(ylabel="validation, %")
    drawn[0].legend(loc="lower left", fontsize=8)
    return figure


def growth(parts_by_task):
    """Growth of credit a step in untrained networks, by rho: of neurons alone, and of the network.

    Medians over seeds, a row a group; ``parts_by_task``: as ``report.load`` has it.
    """
    groups = plan.groups()
    figure, panels = axes(
        1, 2, width=7.4, height=1.1 + 0.27 * len(groups), sharex=True, sharey=True
    )
    for ax, name, title in zip(
        panels, ("own", "net"), ("neurons alone, V = 0", "the network"), strict=True
    ):
        ax.axvline(1, color=INK, linewidth=1)
        for y, group in enumerate(groups):
            first = report.final(parts_by_task, group)["first"]
            pair = [np.exp(np.median(first[f"growth/{name}/rho={rho:g}"])) for rho in RHOS]
            ax.plot(pair, [y, y], color=FAINT, linewidth=1)
            for x, rho, marker in zip(pair, RHOS, "os", strict=True):
                label = STYLES[rho]["label"] if y == 0 else None
                ax.plot(x, y, marker, color=STYLES[rho]["color"], markersize=5, label=label)
        ax.set(title=title, xlabel="factor of length a step")
    labels = [
        f"{group.peak}, {report.KINDS[group.reset]}: {report.TITLES[group.task]}"
        for group in groups
    ]
    panels[0].set_yticks(range(len(groups)), labels, fontsize=9)
    panels[0].set(ylim=(len(groups) - 0.5, -0.5))
    panels[0].legend(loc="upper right", fontsize=8)
    return figure
