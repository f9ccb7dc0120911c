"""What the chapters draw, in one colour language: see the constants.

Importing this module sets matplotlib's style. Each function returns a Figure; ``show`` puts it on
the page as SVG that follows the page's text colour, so it reads well in light and in dark mode.
"""

import html
import inspect
import io
import re
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.patches import FancyArrowPatch, Rectangle

from tsbp_core import numpy_lif, surrogates
from tsbp_core.neuron import reset

COMPLETE, DROPPED, RESET = "#0072B2", "#D55E00", "#009E73"
INK, FAINT = "#010203", "#8a8a8a"
"""INK stands for the page's text colour, which ``show`` puts in its place."""
STYLES = {
    1.0: {"color": COMPLETE, "linestyle": "-", "label": "complete, ρ = 1"},
    0.0: {"color": DROPPED, "linestyle": "--", "label": "term dropped, ρ = 0"},
}
RESET_NAMES = {"zero": "hard reset", "subtract": "soft reset"}
plt.rcParams.update(
    {
        "svg.fonttype": "path",
        "svg.hashsalt": "tsbp",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 11,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "lines.linewidth": 2,
        **{
            f"{key}color": INK
            for key in ("text.", "axes.edge", "axes.label", "axes.title", "xtick.", "ytick.")
        },
    }
)


def show(figure, alt, caption=None):
    """Turn a figure into inline SVG with alternative text and, if given, a caption; close it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    for role, color in (("complete", COMPLETE), ("dropped", DROPPED), ("reset", RESET)):
        svg = svg.replace(color.lower(), f"var(--tsbp-{role}, {color})")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)
    caption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return HTML(f'<figure class="tsbp-figure">{svg}{caption}</figure>')


def table(heads, rows):
    """HTML of a table; ``rows`` hold cells of HTML, and a row that is a string is a subheading."""
    lines = ["".join(f"<th>{head}</th>" for head in heads)]
    for row in rows:
        if isinstance(row, str):
            lines.append(f'<th colspan="{len(heads)}">{row}</th>')
        else:
            lines.append("".join(f"<td>{cell}</td>" for cell in row))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    style = 'class="table" style="font-size: 0.85em"'
    return f'<figure class="tsbp-figure"><table {style}>{body}</table></figure>'


def excerpt(function, first, before=None):
    """Lines of a function's source, from the one that starts with ``first``, to show in a chapter.

    They end before the line that starts with ``before``, or with the function. Indentation of the
    lines aside, what you read is what runs.

    Raises
    ------
    ValueError
        If there is no such line.
    """
    lines = inspect.getsource(function).splitlines()
    starts = [line.strip() for line in lines]

    def find(text, after):
        for i in range(after, len(starts)):
            if starts[i].startswith(text):
                return i
        raise ValueError(f"no line of {function.__qualname__} starts with {text!r}")

    start = find(first, 0)
    stop = find(before, start + 1) if before else len(lines)
    return textwrap.dedent("\n".join(lines[start:stop]))


def axes(rows=1, columns=1, width=7.0, height=2.6, **options):
    """Return a figure in the book's style and its axes."""
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def neuron(x, lif, tau=3.0):
    """Current, membrane with threshold and spikes, and trace of one neuron; ``x`` [T]."""
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


def membrane(ax, u, s, lif, color=INK):
    """Draw u[t] and, after each step, the fall to v[t]."""
    t = np.arange(1, len(u) + 1)
    after = reset(u, s, lif)
    path_t = np.stack([t, t + 0.25], axis=1).ravel()
    ax.plot(path_t, np.stack([u, after], axis=1).ravel(), color=color, linewidth=1.5)
    ax.axhline(lif.threshold, color=FAINT, linestyle=":", linewidth=1.5)
    ax.text(len(u) + 0.6, lif.threshold, "θ", va="bottom")
    fired = s > 0
    ax.plot(t[fired], u[fired], "o", color=color, markersize=6)
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


def surrogate_families(families=surrogates.FAMILIES):
    """The bump h of each family, peak 1 and default width, and its antiderivative."""
    z = np.linspace(-2, 2, 401)
    figure, panels = axes(2, 3, height=4.0, sharex=True, sharey=True)
    for ax, family in zip(panels.flat, families, strict=True):
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


def unrolled(reset_edge=None, steps=3, credit=False):
    """The neuron unrolled over time; ``reset_edge`` colours the edge from spike to reset.

    Parameters
    ----------
    reset_edge : {None, "kept", "dropped"}
        None draws it like the others, "kept" in green, "dropped" dashed in vermilion.
    credit : bool
        Turn the arrows round and name what flows along them: the backward pass.
    """
    figure, ax = axes(height=4.0)
    gap, height = 3.4, {"x": 0.0, "u": 1.2, "s": 2.7, "L": 3.7}
    edge = {None: (INK, "-", 1.5), "kept": (RESET, "-", 3.0), "dropped": (DROPPED, "--", 2.0)}

    def node(name, at, label):
        ax.text(*at, label, ha="center", va="center", fontsize=12, zorder=3)
        ax.plot(*at, "o", markersize=30, markerfacecolor="none", markeredgecolor=INK, zorder=2)

    def arrow(a, b, color=INK, style="-", width=1.5, bend=0.0):
        a, b = (b, a) if credit else (a, b)
        ax.add_patch(
            FancyArrowPatch(
                a, b, arrowstyle="-|>", mutation_scale=13, shrinkA=17, shrinkB=17, color=color,
                linestyle=style, linewidth=width, connectionstyle=f"arc3,rad={bend}", zorder=1,
            )
        )  # fmt: skip

    for t in range(1, steps + 1):
        left = gap * t
        u, s, v = (left, height["u"]), (left, height["s"]), (left + 1.5, height["u"])
        node("x", (left, height["x"]), f"x[{t}]")
        node("u", u, f"u[{t}]")
        node("s", s, f"s[{t}]")
        arrow((left, height["x"]), u)
        arrow(u, s)
        arrow(s, (left, height["L"]))
        ax.text(left, height["L"] - 0.2, "layer above", ha="center", va="bottom", fontsize=9)
        if credit:
            ax.text(left + 0.12, 3.25, f"g[{t}]", fontsize=10)
            ax.text(left - 0.12, 1.95, "h", fontsize=10, ha="right")
        if t < steps:
            node("v", v, f"v[{t}]")
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


def gradient_errors(x, with_term, without_term, *, xlabel, floor=1e-17):
    """Relative error of both gradients against differences, on a log scale."""
    figure, ax = axes(height=2.8)
    for rho, errors in ((0.0, without_term), (1.0, with_term)):
        style = STYLES[rho]
        ax.plot(x, np.maximum(errors, floor), marker="s" if rho == 0 else "o", **style)
        ax.text(x[-1], max(errors[-1], floor), f"  {style['label']}", color=style["color"],
                va="center")  # fmt: skip
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


def learning_rate_curves(learning_rates, ratio_by_rho, interval, solved):
    """Final over initial loss against the learning rate: mean over seeds and its 95 % band.

    ``solved``: the share below which a run counts as having learnt.
    """
    figure, (left, right) = axes(1, 2, height=3.0)
    for rho, ratio in ratio_by_rho.items():
        style = STYLES[rho]
        for ax, values in ((left, ratio), (right, (ratio < solved).astype(float))):
            low, high = interval(values)
            ax.fill_between(learning_rates, low, high, color=style["color"], alpha=0.2, linewidth=0)
            ax.plot(learning_rates, values.mean(axis=0), **style)
    left.axhline(solved, color=FAINT, linestyle=":")
    left.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="final / initial loss")
    right.set(xscale="log", xlabel="learning rate η", ylabel="share of seeds that learn")
    left.legend(loc="upper left", bbox_to_anchor=(0, 1.3), fontsize=10)
    return figure


def effects_map(effects, xlabel="gain in robust width, decades"):
    """Mean and interval of each condition's effect, one panel an optimiser, one row a condition.

    ``effects``: {(factor, label, optimizer): (mean, low, high)}. Whole intervals above zero are
    drawn as circles in the complete gradient's colour, below zero as squares in the other's,
    the rest as open grey diamonds.
    """
    optimizers = list(dict.fromkeys(key[2] for key in effects))
    rows = list(dict.fromkeys(key[:2] for key in effects))
    figure, panels = axes(1, len(optimizers), height=0.8 + 0.24 * len(rows), sharey=True)
    heights, y, factor_before = [], 0.0, None
    for factor, _ in rows:
        y -= 1.0 if factor == factor_before else 1.6
        heights.append(y)
        factor_before = factor
    for ax, optimizer in zip(np.atleast_1d(panels), optimizers, strict=True):
        ax.axvline(0, color=INK, linewidth=1)
        for height, row in zip(heights, rows, strict=True):
            mean, low, high = effects[(*row, optimizer)]
            color, marker = (
                (COMPLETE, "o") if low > 0 else (DROPPED, "s") if high < 0 else (FAINT, "D")
            )
            ax.plot([low, high], [height, height], color=color, linewidth=1.5)
            ax.plot(mean, height, marker, color=color, markersize=5.5,
                    markerfacecolor="none" if marker == "D" else color)  # fmt: skip
        ax.set(title=optimizer, xlabel=xlabel)
    labels = [f"{factor} {label}" for factor, label in rows]
    np.atleast_1d(panels)[0].set_yticks(heights, labels, fontsize=9)
    return figure


def along_training(along):
    """Cosine and length ratio of the two gradients along training.

    ``along``: {label: {update: {"cosine", "length_ratio"}}}, five quantiles each: a line for the
    median, a band from the 5th to the 95th percentile.
    """
    figure, panels = axes(1, 2, height=2.8)
    for (label, by_update), style in zip(
        along.items(), ({"color": INK}, {"color": FAINT, "linestyle": "-."}), strict=False
    ):
        updates = [max(int(update), 0.5) for update in by_update]
        for ax, key in zip(panels, ("cosine", "length_ratio"), strict=True):
            low, _, middle, _, high = np.transpose([step[key] for step in by_update.values()])
            ax.fill_between(updates, low, high, alpha=0.15, linewidth=0, color=style["color"])
            ax.plot(updates, middle, label=label, **style)
    panels[0].set(xscale="log", xlabel="update", ylabel="cosine", ylim=(0, 1.05))
    panels[1].set(xscale="log", yscale="log", xlabel="update", ylabel="detached / complete length")
    panels[1].axhline(1, color=FAINT, linewidth=1)
    panels[0].legend(loc="lower left", fontsize=10)
    return figure


def products(by_reset):
    """Size of the products of per-step factors against the number of steps, median and quartiles.

    ``by_reset``: {reset: {rho: {lag: {"size": five quantiles}}}}.
    """
    figure, panels = axes(1, len(by_reset), height=2.8, sharey=True)
    for ax, (reset_, by_rho) in zip(panels, by_reset.items(), strict=True):
        for rho, by_lag in by_rho.items():
            lags = [int(lag) for lag in by_lag]
            sizes = np.array([found["size"] for found in by_lag.values()]).clip(1e-12)
            style = STYLES[float(rho)]
            ax.fill_between(lags, sizes[:, 1], sizes[:, 3], color=style["color"], alpha=0.15,
                            linewidth=0)  # fmt: skip
            ax.plot(lags, sizes[:, 2], **style)
        ax.set(title=RESET_NAMES[reset_], xlabel="steps back", yscale="log", ylim=(1e-6, 2))
    panels[0].set_ylabel("size of the product")
    panels[0].legend(loc="upper right", fontsize=10)
    return figure


def kept_bytes(steps, ours, autograd):
    """Bytes kept for the backward pass, a neuron and step, against the number of steps."""
    figure, ax = axes(height=2.6)
    for values, color, marker, name in (
        (ours, COMPLETE, "o", "ours"),
        (autograd, INK, "s", "plain autograd"),
    ):
        ax.plot(steps, values, marker=marker, color=color)
        ax.text(steps[-1], values[-1], f"  {name}", color=color, va="center")
    ax.set(xscale="log", xlabel="time steps T", ylabel="bytes a neuron and step")
    ax.set_ylim(bottom=0)
    return figure


def step_traffic():
    """What one fused step moves between memory and the processor, forward and backward."""
    figure, panels = axes(1, 2, height=2.5, sharey=True)
    moves = (("forward", ("x[t]",), ("s[t]",), "v"),
             ("backward", ("g[t]", "x[t]"), ("δ[t]",), "v and ε"))  # fmt: skip
    for ax, (title, read, written, carry) in zip(panels, moves, strict=True):
        ax.set_title(title)
        for x, name in ((0.0, "memory"), (3.0, "registers")):
            ax.plot([x, x], [-0.4, 2.4], color=FAINT, linewidth=8, solid_capstyle="round")
            ax.text(x, -0.75, name, ha="center", va="center")
        for i, name in enumerate((*read, *written)):
            y = 2.1 - 0.85 * i
            ends = ((0.15, y), (2.85, y)) if i < len(read) else ((2.85, y), (0.15, y))
            ax.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=14, color=INK))
            verb = "read" if i < len(read) else "write"
            ax.text(1.5, y + 0.08, f"{verb} {name}: 4 bytes", ha="center", va="bottom", fontsize=10)
        ax.add_patch(
            FancyArrowPatch((3.15, 1.7), (3.15, 0.5), arrowstyle="-|>", mutation_scale=14,
                            connectionstyle="arc3,rad=-0.9", color=RESET, linewidth=2)
        )  # fmt: skip
        stays = "stays" if len(carry) == 1 else "stay"
        ax.text(3.85, 1.1, f"{carry} {stays}", color=RESET, va="center")
        ax.set(xlim=(-0.7, 5.3), ylim=(-1.0, 2.7))
        ax.axis("off")
    return figure


def bars(values, *, xlabel, styles=None, line=None):
    """Horizontal bars with their values beside them; ``values`` by label, ``styles`` rho by label.

    ``line`` = (position, label) marks a bound.
    """
    figure, ax = axes(height=0.6 + 0.32 * len(values))
    for y, (label, value) in enumerate(reversed(values.items())):
        rho = (styles or {}).get(label)
        color = STYLES[rho]["color"] if rho is not None else FAINT
        ax.barh(y, value, height=0.62, color="none" if rho == 0.0 else color, edgecolor=color,
                linestyle="--" if rho == 0.0 else "-", linewidth=1.5)  # fmt: skip
        ax.text(value, y, f" {value:.3g}", va="center")
    ax.set_yticks(range(len(values)), list(reversed(values)))
    ax.set_xlabel(xlabel)
    ax.margins(x=0.12)
    if line:
        position, name = line
        ax.axvline(position, color=INK, linestyle=":", linewidth=1.5)
        ax.text(position, len(values) - 0.35, f" {name}", va="bottom", fontsize=10)
    return figure


def accuracy_by_rate(by_optimizer, interval):
    """Test accuracy against the learning rate, one panel an optimiser.

    Parameters
    ----------
    by_optimizer : dict
        (rates [L], {rho: accuracy in % [S, L]}) by name: a line for the mean, a mark a seed.
    interval : callable
        Turns values [S] into the ends of the band.
    """
    figure, panels = axes(1, len(by_optimizer), height=3.2, sharey=True)
    for ax, (name, (rates, tables)) in zip(panels, by_optimizer.items(), strict=True):
        for rho, table in tables.items():
            style = STYLES[rho]
            low, high = np.transpose([interval(column) for column in table.T])
            ax.fill_between(rates, low, high, color=style["color"], alpha=0.2, linewidth=0)
            ax.plot(rates, table.mean(axis=0), **style)
            ax.plot(rates, table.T, "o" if rho else "s", color=style["color"], markersize=2.5)
        ax.set(xscale="log", xlabel="peak learning rate", title=name)
    panels[0].set_ylabel("test accuracy (%)")
    panels[0].legend(loc="lower center", fontsize=10)
    return figure


def differences_by_rate(by_optimizer, interval, margin):
    """Paired difference of accuracy against the learning rate, with the margin of equivalence.

    ``by_optimizer``: as in ``accuracy_by_rate``. The axis is linear up to one point, and
    logarithmic beyond.
    """
    figure, panels = axes(1, len(by_optimizer), height=2.8, sharey=True)
    for ax, (name, (rates, tables)) in zip(panels, by_optimizer.items(), strict=True):
        paired = tables[1.0] - tables[0.0]
        ax.axhspan(-margin, margin, color=FAINT, alpha=0.25, linewidth=0)
        ax.axhline(0, color=INK, linewidth=1)
        ends = np.transpose([interval(column) for column in paired.T])
        ax.vlines(rates, *ends, color=RESET)
        ax.plot(rates, paired.mean(axis=0), "o", color=RESET, markersize=5)
        ax.set(xscale="log", xlabel="peak learning rate", title=name)
        labelled = rates[:: max(1, len(rates) // 3)]
        ax.set_xticks(labelled, [f"{rate:g}" for rate in labelled])
        ax.minorticks_off()
        ax.set_yscale("symlog", linthresh=1)
        ticks = (-10, -1, -margin, 0, margin, 1, 10)
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0].set_ylabel("with − without (points)")
    return figure


def layer_gradients(by_method):
    """Length ratio and cosine of both gradients along training, one line a layer.

    ``by_method``: {rho: {"update" [P], "ratio" [P, layers], "cosine" [P, layers]}}, rho being the
    method that trains. Update 0 is drawn at 1, as the axis is logarithmic.
    """
    figure, panels = axes(1, 2, height=3.0)
    for rho, found in by_method.items():
        style = STYLES[rho]
        x = np.maximum(found["update"], 1)
        for ax, key in zip(panels, ("ratio", "cosine"), strict=True):
            for layer, values in enumerate(found[key].T):
                ax.plot(x, values, color=style["color"], linestyle=style["linestyle"],
                        linewidth=1.5, label=style["label"] if layer == 0 else None)  # fmt: skip
                if rho == 1.0:
                    at, side = (-1, "left") if key == "ratio" else (0, "right")
                    name = f" layer {layer + 1} "
                    ax.text(x[at], values[at], name, va="center", ha=side, fontsize=10)
    panels[0].set(xscale="log", xlabel="update", ylabel="complete / detached length", ylim=(0, 1.1))
    panels[0].axhline(1, color=FAINT, linewidth=1)
    panels[1].set(xscale="log", xlabel="update", ylabel="cosine", ylim=(0.7, 1.02))
    for ax in panels:
        ax.margins(x=0.45)
    panels[1].legend(title="trained by", loc="lower right", fontsize=10)
    return figure


def learning_curve(curves, tests, target, switch):
    """Accuracy against the time and against the operations of training.

    Parameters
    ----------
    curves : dict
        By rho: (accuracy in %, minutes, PFLOP) after each epoch, of held-out images.
    tests : dict
        The same at the end of each run, of the test set: a mark a run.
    target : tuple
        Accuracy and PFLOP of another network, to compare with.
    switch : int
        Epochs before the number of steps doubles; marked.
    """
    figure, panels = axes(1, 2, height=3.2, sharey=True)
    for ax, column in zip(panels, (1, 2), strict=True):
        ax.axvline(curves[1.0][column][switch - 1], color=FAINT, linewidth=1)
        for rho, found in curves.items():
            ax.plot(found[column], found[0], marker=".", **STYLES[rho])
        for rho, found in tests.items():
            ax.plot(found[column], found[0], "o" if rho else "s", color=STYLES[rho]["color"],
                    markerfacecolor="none", markersize=7)  # fmt: skip
        ax.axhline(target[0], color=INK, linestyle=":", linewidth=1.5)
    panels[0].set(xlabel="minutes on two cores", ylabel="accuracy (%)")
    panels[0].annotate("steps double →", (curves[1.0][1][switch - 1], 0.32), (3, 0), fontsize=9,
                       xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    panels[0].legend(loc="lower right", fontsize=10)
    panels[1].plot(target[1], target[0], "D", color=INK)
    panels[1].annotate("the paper", (target[1], target[0]), (0, -8), ha="center", va="top",
                       textcoords="offset points", fontsize=10)  # fmt: skip
    panels[1].set(xlabel="PFLOP of training", xscale="log")
    panels[1].margins(x=0.15)
    return figure


def ablation(undone, interval):
    """What undoing each step of a recipe does to accuracy and to time, one row a step.

    Parameters
    ----------
    undone : dict
        By label: change of accuracy in points [S] and times as long [S]; a mark a seed, and the
        means.
    interval : callable
        Turns values [S] into the ends of a bar.
    """
    figure, panels = axes(1, 2, height=0.8 + 0.3 * len(undone), sharey=True)
    for row, found in enumerate(undone.values()):
        for ax, values in zip(panels, found, strict=True):
            ax.plot(values, [-row] * len(values), "o", color=FAINT, markersize=3.5)
            ax.plot(np.mean(values), -row, "|", color=INK, markersize=13, markeredgewidth=2)
        if len(found[0]) > 1:
            panels[0].plot(interval(found[0]), [-row, -row], color=INK, linewidth=1)
    panels[0].axvline(0, color=FAINT, linewidth=1)
    panels[1].axvline(1, color=FAINT, linewidth=1)
    panels[0].set_yticks(-np.arange(len(undone)), list(undone), fontsize=9)
    panels[0].set_xlabel("change of accuracy (points)")
    panels[1].set(xlabel="times as long", xscale="log")
    panels[1].set_xticks([0.5, 1, 2, 4], ["½", "1", "2", "4"])
    panels[1].minorticks_off()
    return figure


def truth_errors(exact, lengths):
    """Error of the mean surrogate gradient against T: median and quartiles, by loss and reset.

    ``exact``: the enumerated results of ``escape.study``.
    """
    from tsbp_core.experiments import escape

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


def equivalent_rhos(ways):
    """The measured rho of each way of using a library: the term dropped at the left, kept at right.

    ``ways``: records of ``frameworks.study`` that our neuron reproduces. Filled marks are defaults.
    """
    libraries = list(dict.fromkeys(way["library"] for way in ways))
    figure, ax = axes(height=0.6 + 0.72 * len(libraries))
    for row, library in enumerate(libraries):
        ax.text(-0.05, -row, library, ha="right", va="center", fontweight="bold")
        ax.axhline(-row - 0.5, color=FAINT, linewidth=0.5)
        for rho, marker in ((0.0, "s"), (1.0, "o")):
            here = [w for w in ways if w["library"] == library and round(w["rho"]) == rho]
            here.sort(key=lambda way: not way["default"])
            color = STYLES[rho]["color"]
            for i, way in enumerate(here):
                ax.plot(rho + 0.05 + 0.08 * i, 0.25 - row, marker, color=color, markersize=8,
                        markerfacecolor=color if way["default"] else "none")  # fmt: skip
            names = [w["name"].replace("_feed_forward_step", "") for w in here if w["default"]]
            text = ", ".join(name.replace("()", "") for name in names)
            ax.text(rho + 0.02, -0.15 - row, text, color=color, va="center", fontsize=9)
    ax.set(xlim=(-0.02, 2), ylim=(0.5 - len(libraries), 0.5))
    ax.set_xticks([0.02, 1.02], ["ρ = 0, term dropped", "ρ = 1, term kept"], ha="left")
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return figure


def growth_fan(lengths, steps, bounds, squares, scale):
    """The complete gradient's length over the detached one's against the height of the surrogate.

    ``lengths``: of ``growth.probe``, drawn for each T in ``steps``, a panel a reset. ``bounds``: by
    reset, heights above which one step can amplify, and ``squares`` above which the mean square
    does. ``scale``: height of h in the condition of a name.
    """
    figure, (soft, hard) = axes(1, 2, width=7.4, height=3.9, sharey=True)
    for ax, kind in ((soft, "subtract"), (hard, "zero")):
        ax.axvline(bounds[kind], color=RESET, linewidth=2.5)
        ax.axvline(squares[kind], color=RESET, linewidth=1.5, linestyle=":")
        ax.axhline(1, **{**STYLES[0.0], "label": None})
        for T, width in zip(steps, np.linspace(1, 2.8, len(steps)), strict=True):
            names = [n for n in lengths if n.startswith(f"{kind}/area/") and n.endswith(f"/T={T}")]
            x = [scale(name.split("/", 1)[1]) for name in names]
            pooled = np.array([lengths[name]["pooled"] for name in names])
            ax.fill_between(x, pooled[:, 1], pooled[:, 2], color=COMPLETE, alpha=0.13, linewidth=0)
            ax.plot(x, pooled[:, 0], color=COMPLETE, linewidth=width)
            if kind == "subtract":
                top = int(np.argmax(pooled[:, 0]))
                ax.annotate(f"T = {T}", (x[top], pooled[top, 0]), (0, 4), color=COMPLETE,
                            textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
        kept = [
            n for n in lengths if n.startswith(f"{kind}/peak/") and n.endswith(f"/T={steps[-1]}")
        ]
        ax.plot([1] * len(kept), [lengths[n]["pooled"][0] for n in kept], "D", markersize=5,
                color=COMPLETE, markerfacecolor="none", linewidth=0)  # fmt: skip
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


def growth_gains(gains_by_panel, heights):
    """Held-out accuracy with the term minus without, in points, against the height of h.

    ``gains_by_panel``: {title: {label: {surrogate: (mean, low, high)}}}, a panel a title and a
    marker a label; area-1 surrogates are filled and joined, the peak-1 ones open. ``heights``: of
    the surrogates.
    """
    figure, panels = axes(1, len(gains_by_panel), width=7.4, height=3.3, sharey=True)
    for ax, (title, by_label) in zip(panels, gains_by_panel.items(), strict=True):
        ax.axhline(0, **{**STYLES[0.0], "label": None})
        for (label, gains), marker, shift in zip(by_label.items(), "os", (0.94, 1.06), strict=True):
            joined = [n for n in gains if n.startswith("area")]
            ax.plot([heights[n] * shift for n in joined], [gains[n][0] for n in joined],
                    color=COMPLETE, linewidth=1, alpha=0.6)  # fmt: skip
            peaks = [n for n in gains if n.startswith("peak")]
            spread = dict(zip(peaks, (0.8, 0.93, 1.07, 1.22), strict=True))
            for name, (mean, low, high) in gains.items():
                x = heights[name] * shift**0.5 * spread.get(name, shift**0.5)
                ax.plot([x, x], [low, high], color=COMPLETE, linewidth=1)
                ax.plot(x, mean, marker, color=COMPLETE, markersize=6,
                        markerfacecolor="none" if name in peaks else COMPLETE,
                        label=label if name == joined[0] else None)  # fmt: skip
        ax.set(title=title, xscale="log", xlabel="height of h at the threshold", xlim=(0.6, 40))
        ax.set_xticks([1, 2.5, 6.25, 25], ["1", "2.5", "6.3", "25"])
        ax.minorticks_off()
        ax.legend(loc="lower left", fontsize=9)
    panels[0].set(ylabel="gain in accuracy, points")
    return figure


def evidence(effects):
    """What keeping the term changes in each setting, by how clearly; a list of ``ledger.Effect``.

    Right: keep, blue circles; left: drop, orange squares; grey diamonds: the interval contains
    zero. The effect itself is written beside its row. The axis is linear inside the grey band,
    where intervals contain zero, and logarithmic beyond.
    """
    colors = {"keep": (COMPLETE, "o"), "drop": (DROPPED, "s"), "either": (FAINT, "D")}
    figure, ax = axes(height=0.8 + 0.36 * len(effects))
    ax.axvspan(-1, 1, color=FAINT, alpha=0.2, linewidth=0)
    ax.axvline(0, color=INK, linewidth=1)
    y, task = 0.0, effects[0].task
    heights = []
    for effect in effects:
        y -= 1.0 if effect.task == task else 1.5
        task = effect.task
        heights.append(y)
        color, marker = colors[effect.verdict]
        ax.plot([0, effect.strength], [y, y], color=color, linewidth=1.5)
        ax.plot(effect.strength, y, marker, color=color, markersize=6,
                markerfacecolor="none" if marker == "D" else color)  # fmt: skip
        ax.text(1.02, y, effect.text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    labels = [f"{effect.task}: {effect.setting}" for effect in effects]
    ax.set_yticks(heights, labels, fontsize=9)
    ax.set(xlabel="← drop      mean / half its 95 % interval      keep →")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xticks([-10, -1, 1, 10], ["−10", "−1", "1", "10"], fontsize=9)
    ax.minorticks_off()
    ax.margins(x=0.1)
    return figure


def confusion(counts, classes):
    """Which class (row) is taken for which (column), in % of the row; ``counts`` [10, 10]."""
    figure, ax = axes(width=5.4, height=4.4)
    share = 100 * counts / counts.sum(axis=1, keepdims=True)
    errors = share - np.diag(np.diag(share))
    ax.imshow(errors, cmap="Greys", vmax=1.6 * errors.max())
    for i, j in np.ndindex(share.shape):
        if i == j or share[i, j] >= 1:
            ax.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", fontsize=9,
                    color="#004c75" if i == j else "black",  # the cells are light in dark mode too
                    fontweight="bold" if i == j else None)  # fmt: skip
    ax.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=9)
    ax.set_yticks(range(len(classes)), classes, fontsize=9)
    ax.set(xlabel="answer", ylabel="class")
    return figure


def layers(image, spikes, operations):
    """A convolutional network drawn as stacks of maps, from an image to the readout.

    Parameters
    ----------
    image : tuple
        Channels and side of the image.
    spikes : list of tuple
        The same of each layer's spikes.
    operations : sequence
        Floating-point operations of each layer's convolution, an image and step.
    """
    figure, ax = axes(height=2.2)
    shapes = [image, *spikes]
    for i, (channels, side) in enumerate(shapes):
        size, depth = 0.3 + 0.9 * side / image[1], min(1 + channels // 32, 6)
        left, bottom = 1.75 * i, -size / 2
        for k in reversed(range(depth)):
            at = left + 0.05 * k, bottom + 0.05 * k
            ax.add_patch(Rectangle(at, size, size, fill=False, edgecolor=INK, linewidth=0.8))
        name = f"layer {i}" if i else "image"
        ax.text(left + size / 2, -0.72, f"{name}\n{channels} maps\n{side} × {side}", ha="center",
                va="top", fontsize=9)  # fmt: skip
        if i:
            ax.text(left - 0.28, 0.8, f"{operations[i - 1] / 1e6:.0f}", ha="center", fontsize=9)
            ax.add_patch(FancyArrowPatch((left - 0.5, 0), (left - 0.04, 0), arrowstyle="-|>",
                                         mutation_scale=10, color=INK))  # fmt: skip
    end = 1.75 * len(spikes)
    ax.text(end + 0.85, 0, "→ readout", va="center", fontsize=9)
    ax.text(-0.1, 0.8, "MFLOP", fontsize=9)
    for start, stop, text in ((1.2, 1.75, "once"), (1.8, end + 1.6, "at each of the T steps")):
        ax.plot([start, stop], [1.15, 1.15], color=INK, linewidth=1.5, solid_capstyle="butt")
        ax.text((start + stop) / 2, 1.2, text, ha="center", va="bottom", fontsize=9)
    ax.set(xlim=(-0.2, end + 1.9), ylim=(-1.75, 1.6), aspect="equal")
    ax.axis("off")
    return figure


def images(pixels, titles):
    """A row of colour images, uint8 [n, 3, H, W]."""
    figure, panels = axes(1, len(pixels), height=1.4)
    for ax, image, title in zip(panels, pixels, titles, strict=True):
        ax.imshow(image.transpose(1, 2, 0))
        ax.set_title(title, fontsize=9, loc="center")
        ax.axis("off")
    return figure
