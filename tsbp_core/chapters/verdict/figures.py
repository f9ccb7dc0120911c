"""What chapter 14 draws."""

import html

from tsbp_core import page
from tsbp_core.chapters.verdict.claim import commands
from tsbp_core.page.style import FAINT, INK, STYLES, axes, interval


def evidence(effects):
    """What keeping the term changes in each setting: mean and interval; a list of ``Effect``.

    A panel a unit, with one scale, and a line between tasks. Blue circles: keep; orange squares:
    drop; grey diamonds: equal, filled, or open. The grey band is the margin.
    """
    panels = {}
    for effect in effects:
        panels.setdefault(effect.unit, []).append(effect)
    heights = [1 + len(rows) for rows in panels.values()]
    figure, found = axes(
        len(panels),
        width=7.2,
        height=1.0 + 0.29 * sum(heights),
        gridspec_kw={"height_ratios": heights},
    )
    for ax, (unit, rows) in zip(found, panels.items(), strict=True):
        ax.axvline(0, color=INK, linewidth=1)
        for y, effect in enumerate(rows):
            _row(ax, y, effect)
            if y and effect.task != rows[y - 1].task:
                ax.axhline(y - 0.5, color=FAINT, linewidth=0.6)
        labels = [
            f"{effect.task.removesuffix(', in the end')}: {effect.setting}" for effect in rows
        ]
        ax.set_yticks(range(len(rows)), labels, fontsize=8.5)
        ax.set(ylim=(len(rows) - 0.5, -0.5), title=unit)
        ax.tick_params(axis="x", labelsize=9)
    found[-1].set(xlabel="← drop      gain by the term      keep →")
    return figure


def _row(ax, y, effect):
    """An effect's margin, mark, line and words."""
    margin = [-effect.margin, effect.margin]
    ax.fill_betweenx([y - 0.5, y + 0.5], *margin, color=FAINT, alpha=0.2, linewidth=0)
    interval(ax, y, effect.mean, effect.low, effect.high, effect.verdict)
    words = effect.text.removesuffix(f" {effect.unit}")
    ax.text(1.02, y, words, transform=ax.get_yaxis_transform(), va="center", fontsize=8.5)


def over_time(panels):
    """Accuracy against training: the mean of the seeds, thick, and each seed, thin.

    ``panels``: by title, what the axis counts, its values [X], and by rho accuracy in % [X, S].
    """
    figure, drawn = axes(2, len(panels) // 2, width=7.4, height=4.6, sharey=True)
    for ax, (title, (unit, x, by_rho)) in zip(drawn.flat, panels.items(), strict=True):
        for rho, seen in by_rho.items():
            ax.plot(x, seen, color=STYLES[rho]["color"], linewidth=0.5, alpha=0.25)
            ax.plot(x, seen.mean(axis=1), **STYLES[rho])
        ax.set(title=title, xscale="log", ylim=(0, 102), xlabel=unit)
        ticks = [n for n in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if x[0] <= n <= x[-1]]
        ax.set_xticks(ticks[::2], [f"{n:,}" for n in ticks[::2]], fontsize=8)
        ax.minorticks_off()
    for ax in drawn[:, 0]:
        ax.set(ylabel="accuracy, %")
    handles, labels = drawn[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def claims_table(claims):
    """A list of ``Claim`` as an HTML table."""
    words = {True: "agrees", False: "does not agree", None: "open"}
    rows = []
    for claim in claims:
        made = "<br>".join(
            f"<code>{name}</code><br><code>{command}</code>"
            for name, command in zip(claim.files, commands(claim), strict=True)
        )
        cells = claim.source, html.escape(claim.text), html.escape(claim.measured)
        rows.append((*cells, made, words[claim.holds]))
    heads = ("whose", "claim", "measured", "results, command", "verdict")
    return page.table(heads, rows)
