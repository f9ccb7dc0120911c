"""What chapters 7 and 13 draw."""

import numpy as np
from matplotlib.patches import FancyArrowPatch, Rectangle

from tsbp_core.chapters.cifar10 import plan
from tsbp_core.page.style import FAINT, INK, RESET, STYLES, axes


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


def held_out_curves(by_optimizer, own):
    """Accuracy on held-out images against epochs, means over seeds; thick: a method's own rate.

    ``by_optimizer``: as ``tuned.curves`` has them; ``own``: rates by optimiser and rho.
    """
    figure, panels = axes(1, len(by_optimizer), height=3.2, sharey=True)
    for ax, (name, by_rho), key in zip(panels, by_optimizer.items(), plan.RATES, strict=True):
        for rho, by_rate in by_rho.items():
            for rate, seen in by_rate.items():
                thick = rate == own[key, rho]
                style = STYLES[rho] if thick else {"color": STYLES[rho]["color"], "linewidth": 0.6}
                ax.plot(1 + np.arange(len(seen)), seen.mean(axis=1), **style)
        ax.set(xlabel="epochs", title=name, ylim=(35, 85))
    panels[0].set_ylabel("held-out accuracy (%)")
    panels[0].legend(loc="lower right", fontsize=10)
    return figure


def paired(by_name, intervals, margin):
    """Paired differences of accuracy, one row a comparison, a mark a seed, with the margin.

    Parameters
    ----------
    by_name : dict
        Accuracy in % by rho, [S], by the row's name.
    intervals : sequence of callable
        Turn differences [S] into the ends of a bar: a thick one, and a thin one.
    margin : float
        Points that count as no difference, shaded.
    """
    figure, ax = axes(height=0.9 + 0.5 * len(by_name))
    ax.axvspan(-margin, margin, color=FAINT, alpha=0.25, linewidth=0)
    ax.axvline(0, color=INK, linewidth=1)
    for row, pair in enumerate(by_name.values()):
        apart = np.subtract(pair[1.0], pair[0.0])
        for interval, width in zip(intervals, (4, 1.5), strict=True):
            ax.plot(interval(apart), [-row, -row], color=RESET, linewidth=width)
        ax.plot(apart.mean(), -row, "o", color=RESET, markersize=8)
        ax.plot(apart, np.full(len(apart), -row - 0.25), "|", color=INK, markersize=7)
    ax.set_yticks(-np.arange(len(by_name)), list(by_name))
    ax.set(xlabel="with − without (points)", ylim=(0.4 - len(by_name), 0.5))
    return figure


def layer_gradients(by_method):
    """Length ratio and cosine of both gradients along training, one line a layer.

    ``by_method``: {rho: {"update" [P], "ratio" [P, layers], "cosine" [P, layers]}}, rho being the
    method that trains. Update 0 is drawn at 1, as the axis is logarithmic.
    """
    figure, panels = axes(1, 2, height=3.0)
    for rho, along in by_method.items():
        style = STYLES[rho]
        x = np.maximum(along["update"], 1)
        for ax, key in zip(panels, ("ratio", "cosine"), strict=True):
            for layer, values in enumerate(along[key].T):
                ax.plot(
                    x,
                    values,
                    color=style["color"],
                    linestyle=style["linestyle"],
                    linewidth=1.5,
                    label=style["label"] if layer == 0 else None,
                )
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
        for rho, curve in curves.items():
            ax.plot(curve[column], curve[0], marker=".", **STYLES[rho])
        for rho, curve in tests.items():
            ax.plot(
                curve[column],
                curve[0],
                "o" if rho else "s",
                color=STYLES[rho]["color"],
                markerfacecolor="none",
                markersize=7,
            )
        ax.axhline(target[0], color=INK, linestyle=":", linewidth=1.5)
    panels[0].set(xlabel="minutes on two cores", ylabel="accuracy (%)")
    panels[0].annotate(
        "steps double →",
        (curves[1.0][1][switch - 1], 0.32),
        (3, 0),
        fontsize=9,
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
    )
    panels[0].legend(loc="lower right", fontsize=10)
    panels[1].plot(target[1], target[0], "D", color=INK)
    panels[1].annotate(
        "the paper",
        (target[1], target[0]),
        (0, -8),
        ha="center",
        va="top",
        textcoords="offset points",
        fontsize=10,
    )
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
    for row, changes in enumerate(undone.values()):
        for ax, values in zip(panels, changes, strict=True):
            ax.plot(values, [-row] * len(values), "o", color=FAINT, markersize=3.5)
            ax.plot(np.mean(values), -row, "|", color=INK, markersize=13, markeredgewidth=2)
        if len(changes[0]) > 1:
            panels[0].plot(interval(changes[0]), [-row, -row], color=INK, linewidth=1)
    panels[0].axvline(0, color=FAINT, linewidth=1)
    panels[1].axvline(1, color=FAINT, linewidth=1)
    panels[0].set_yticks(-np.arange(len(undone)), list(undone), fontsize=9)
    panels[0].set_xlabel("change of accuracy (points)")
    panels[1].set(xlabel="times as long", xscale="log")
    panels[1].set_xticks([0.5, 1, 2, 4], ["½", "1", "2", "4"])
    panels[1].minorticks_off()
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
        ax.text(
            left + size / 2,
            -0.72,
            f"{name}\n{channels} maps\n{side} × {side}",
            ha="center",
            va="top",
            fontsize=9,
        )
        if i:
            ax.text(left - 0.28, 0.8, f"{operations[i - 1] / 1e6:.0f}", ha="center", fontsize=9)
            ax.add_patch(
                FancyArrowPatch(
                    (left - 0.5, 0),
                    (left - 0.04, 0),
                    arrowstyle="-|>",
                    mutation_scale=10,
                    color=INK,
                )
            )
    end = 1.75 * len(spikes)
    ax.text(end + 0.85, 0, "→ readout", va="center", fontsize=9)
    ax.text(-0.1, 0.8, "MFLOP", fontsize=9)
    for start, stop, text in ((1.2, 1.75, "once"), (1.8, end + 1.6, "at each of the T steps")):
        ax.plot([start, stop], [1.15, 1.15], color=INK, linewidth=1.5, solid_capstyle="butt")
        ax.text((start + stop) / 2, 1.2, text, ha="center", va="bottom", fontsize=9)
    ax.set(xlim=(-0.2, end + 1.9), ylim=(-1.75, 1.6), aspect="equal")
    ax.axis("off")
    return figure
