"""What chapters 1 to 4 draw: a neuron, its surrogate, and the credit of its spikes."""

import numpy as np
from matplotlib.patches import FancyArrowPatch

from tsbp_core import numpy_lif, surrogates
from tsbp_core.neuron import reset
from tsbp_core.page.style import COMPLETE, DROPPED, FAINT, INK, RESET, STYLES, axes


def neuron(x, lif):
    """Current, membrane with threshold and spikes, and trace of one neuron; ``x`` [T]."""
    tau = 3.0
    s, u = numpy_lif.forward(np.asarray(x, float), lif)
    figure, (top, middle, bottom) = axes(3, height=4.4, sharex=True, height_ratios=[1, 2.2, 1])
    t = np.arange(1, len(u) + 1)
    top.bar(t, x, width=0.5, color=FAINT)
    top.set(ylabel="x", title="input current")
    membrane(middle, u, s, lif)
    middle.set_title("membrane u before the spike; dots: spikes, after each the reset")
    bottom.plot(t, numpy_lif.trace(s, tau), color=INK, drawstyle="steps-mid")
    bottom.set(ylabel="a", title=f"synaptic trace, τs = {tau:g}", xlabel="time step t")
    return figure


def membrane(ax, u, s, lif):
    """Draw u[t] and, after each step, the fall to v[t]."""
    t = np.arange(1, len(u) + 1)
    after = reset(u, s, lif)
    path_t = np.stack([t, t + 0.25], axis=1).ravel()
    ax.plot(path_t, np.stack([u, after], axis=1).ravel(), color=INK, linewidth=1.5)
    ax.axhline(lif.threshold, color=FAINT, linestyle=":", linewidth=1.5)
    ax.text(len(u) + 0.6, lif.threshold, "θ", va="bottom")
    fired = s > 0
    ax.plot(t[fired], u[fired], "o", color=INK, markersize=6)
    fell = after < u
    ax.vlines(t[fell] + 0.12, after[fell], u[fell], color=RESET, linewidth=2)
    ax.set_ylabel("u")


def resets(x, lifs):
    """The same current through neurons that differ in their reset."""
    figure, panels = axes(len(lifs), height=1.6 * len(lifs), sharex=True, sharey=True)
    for ax, lif in zip(panels, lifs, strict=True):
        s, u = numpy_lif.forward(np.asarray(x, float), lif)
        membrane(ax, u, s, lif)
        ax.set_title(f'reset "{lif.reset}": {int(s.sum())} spikes')
    panels[-1].set_xlabel("time step t")
    return figure


def surrogate_families():
    """The bump h of each family, peak 1 and default width, and its antiderivative."""
    z = np.linspace(-2, 2, 401)
    figure, panels = axes(2, 3, height=4.0, sharex=True, sharey=True)
    for ax, family in zip(panels.flat, surrogates.FAMILIES, strict=True):
        surrogate = family()
        ax.plot(z, surrogate.derivative(z), color=INK)
        ax.plot(z, surrogate.primitive(z), color=INK, linestyle=":", linewidth=1.5)
        ax.axvline(0, color=FAINT, linewidth=0.8)
        ax.set_title(family.__name__)
    panels[0, 0].annotate("h", (-0.3, 0.7), ha="right")
    panels[0, 0].annotate("σ", (1.4, 0.87))
    for ax in panels[-1]:
        ax.set_xlabel("z = u − θ")
    return figure


def staircase(weights, true_loss, smooth_loss):
    """Loss against one weight: the true one is a staircase, its smooth twin has slopes."""
    figure, ax = axes(height=2.8)
    ax.plot(weights, true_loss, color=INK, drawstyle="steps-mid")
    ax.plot(weights, smooth_loss, color=COMPLETE)
    ax.text(weights[-1], true_loss[-1], " with H", va="center")
    ax.text(weights[-1], smooth_loss[-1], " with σ", va="center", color=COMPLETE)
    ax.set(xlabel="weight w", ylabel="loss L", title="Every step is flat: no slope to follow")
    return figure


def unrolled(reset_edge=None, credit=False):
    """The neuron unrolled over three steps; ``reset_edge`` colours the edge from spike to reset.

    Parameters
    ----------
    reset_edge : {None, "kept", "dropped"}
        None draws it like the others, "kept" in green, "dropped" dashed in vermilion.
    credit : bool
        Turn the arrows round and name what flows along them: the backward pass.
    """
    figure, ax = axes(height=4.0)
    steps, gap, height = 3, 3.4, {"x": 0.0, "u": 1.2, "s": 2.7, "L": 3.7}
    edge = {None: (INK, "-", 1.5), "kept": (RESET, "-", 3.0), "dropped": (DROPPED, "--", 2.0)}

    def node(at, label):
        ax.text(*at, label, ha="center", va="center", fontsize=12, zorder=3)
        ax.plot(*at, "o", markersize=30, markerfacecolor="none", markeredgecolor=INK, zorder=2)

    def arrow(a, b, color=INK, style="-", width=1.5, bend=0.0):
        ends = (b, a) if credit else (a, b)
        line = {"color": color, "linestyle": style, "linewidth": width}
        line |= {"connectionstyle": f"arc3,rad={bend}", "mutation_scale": 13, "zorder": 1}
        ax.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", shrinkA=17, shrinkB=17, **line))

    for t in range(1, steps + 1):
        left = gap * t
        u, s, v = (left, height["u"]), (left, height["s"]), (left + 1.5, height["u"])
        node((left, height["x"]), f"x[{t}]")
        node(u, f"u[{t}]")
        node(s, f"s[{t}]")
        arrow((left, height["x"]), u)
        arrow(u, s)
        arrow(s, (left, height["L"]))
        ax.text(left, height["L"] - 0.2, "layer above", ha="center", va="bottom", fontsize=9)
        if credit:
            ax.text(left + 0.12, 3.25, f"g[{t}]", fontsize=10)
            ax.text(left - 0.12, 1.95, "h", fontsize=10, ha="right")
        if t < steps:
            node(v, f"v[{t}]")
            color, style, width = edge[reset_edge]
            arrow(u, v)
            arrow(s, v, color, style, width, bend=-0.25)
            arrow(v, (left + gap, height["u"]))
            ax.text(left + 2.45, height["u"] + 0.15, "λ", ha="center", fontsize=11)
            if reset_edge:
                word = {"kept": "reset: ∂v/∂s", "dropped": "dropped"}[reset_edge]
                ax.text(left + 1.25, 2.35, word, color=color, fontsize=10)
    ax.set(xlim=(gap - 0.8, gap * steps + 0.9), ylim=(-0.5, 3.8))
    ax.axis("off")
    return figure


def deltas(spikes, by_rho):
    """Credit delta[t] of one neuron for each rho, as stems; ``by_rho`` maps rho to delta [T]."""
    figure, ax = axes(height=2.8)
    t = np.arange(1, len(spikes) + 1)
    for rho, delta in by_rho.items():
        style = STYLES[rho]
        shift = 0.14 if rho else -0.14
        ax.vlines(t + shift, 0, delta, color=style["color"], linestyle=style["linestyle"])
        marker = "o" if rho else "s"
        ax.plot(t + shift, delta, marker, color=style["color"], label=style["label"], markersize=5)
    ax.axhline(0, color=INK, linewidth=0.8)
    low, high = ax.get_ylim()
    low -= 0.1 * (high - low)
    ax.set_ylim(low, high)
    ax.plot(t[spikes > 0], np.full(int((spikes > 0).sum()), low), "^", color=INK, clip_on=False)
    ax.set(xlabel="time step t (▲: the neuron fires)", ylabel="δ[t]")
    ax.legend(ncols=2, loc="upper left", bbox_to_anchor=(0, 1.22))
    return figure


def gradient_errors(x, with_term, without_term, *, xlabel):
    """Relative error of both gradients against differences, on a log scale."""
    figure, ax = axes(height=2.8)
    for rho, errors in ((0.0, without_term), (1.0, with_term)):
        style = STYLES[rho]
        y = np.maximum(errors, 1e-17)  # an error of 0 has no place on a log scale
        ax.plot(x, y, marker="s" if rho == 0 else "o", **style)
        ax.text(x[-1], y[-1], f"  {style['label']}", color=style["color"], va="center")
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="relative error")
    ax.margins(x=0.05)
    return figure


def detached_errors(lengths, by_length, widths, by_width):
    """Error of the detached gradient against T and against the width, one line a reset."""
    figure, (left, right) = axes(1, 2, height=2.8, sharey=True)
    looks = {"zero": ("--", "o"), "subtract": (":", "s")}
    for ax, xs, by_reset in ((left, lengths, by_length), (right, widths, by_width)):
        for name, errors in by_reset.items():
            style, marker = looks[name]
            ax.plot(xs, errors, color=DROPPED, linestyle=style, marker=marker)
            ax.text(xs[-1], errors[-1], f" {name}", va="center")
        ax.set(xscale="log")
        ax.margins(x=0.12)
    left.set_ylim(bottom=0)
    left.set(xlabel="time steps T", ylabel="relative error, ρ = 0")
    right.set(xlabel="width of the sigmoid")
    return figure
