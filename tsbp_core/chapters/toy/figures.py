"""What chapter 5 draws."""

import numpy as np

from tsbp_core.page.style import COMPLETE, DROPPED, FAINT, INK, RESET_NAMES, STYLES, axes


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


def effects_map(effects, xlabel="decades"):
    """Mean and interval of each condition's effect, a panel for each title, one row a condition.

    ``effects``: {(factor, label, title): (mean, low, high)}. Whole intervals above zero are
    drawn as circles in the complete gradient's colour, below zero as squares in the other's,
    the rest as open grey diamonds.
    """
    titles = list(dict.fromkeys(key[2] for key in effects))
    rows = list(dict.fromkeys(key[:2] for key in effects))
    height = 0.8 + 0.24 * len(rows)
    figure, panels = axes(1, len(titles), height=height, sharex=True, sharey=True)
    heights, y, factor_before = [], 0.0, None
    for factor, _ in rows:
        y -= 1.0 if factor == factor_before else 1.6
        heights.append(y)
        factor_before = factor
    for ax, title in zip(np.atleast_1d(panels), titles, strict=True):
        ax.axvline(0, color=INK, linewidth=1)
        for height, row in zip(heights, rows, strict=True):
            mean, low, high = effects[(*row, title)]
            color, marker = (
                (COMPLETE, "o") if low > 0 else (DROPPED, "s") if high < 0 else (FAINT, "D")
            )
            ax.plot([low, high], [height, height], color=color, linewidth=1.5)
            ax.plot(
                mean,
                height,
                marker,
                color=color,
                markersize=5.5,
                markerfacecolor="none" if marker == "D" else color,
            )
        ax.set(title=title, xlabel=xlabel)
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
            sizes = np.array([product["size"] for product in by_lag.values()]).clip(1e-12)
            style = STYLES[float(rho)]
            ax.fill_between(
                lags, sizes[:, 1], sizes[:, 3], color=style["color"], alpha=0.15, linewidth=0
            )
            ax.plot(lags, sizes[:, 2], **style)
        ax.set(title=RESET_NAMES[reset_], xlabel="steps back", yscale="log", ylim=(1e-6, 2))
    panels[0].set_ylabel("size of the product")
    panels[0].legend(loc="upper right", fontsize=10)
    return figure
