"""What chapter 14 draws."""

import html

from tsbp_core import page
from tsbp_core.chapters.verdict.claim import commands
from tsbp_core.chapters.verdict.effects import CHANGED, MANIFOLDS, SEQUENCES
from tsbp_core.page.style import FAINT, INK, axes, interval

TITLES = {
    CHANGED: "points, one change",
    MANIFOLDS: "points, manifolds",
    SEQUENCES: "points, sequences",
}
"""Panels of their own, as effects or intervals are larger there."""


def evidence(effects):
    """What keeping the term changes in each setting: mean and interval; a list of ``Effect``.

    A panel for each unit, and those of ``TITLES``. Blue circles: keep; orange squares: drop; grey
    diamonds: equal, filled, or open. The grey band is the margin.
    """
    panels = {}
    for effect in effects:
        panels.setdefault(TITLES.get(effect.task, effect.unit), []).append(effect)
    heights = [1 + len(rows) for rows in panels.values()]
    figure, found = axes(
        len(panels),
        width=7.2,
        height=1.0 + 0.31 * sum(heights),
        gridspec_kw={"height_ratios": heights},
    )
    for ax, (title, rows) in zip(found, panels.items(), strict=True):
        ax.axvline(0, color=INK, linewidth=1)
        for y, effect in enumerate(rows):
            ax.fill_betweenx(
                [y - 0.5, y + 0.5],
                -effect.margin,
                effect.margin,
                color=FAINT,
                alpha=0.2,
                linewidth=0,
            )
            interval(ax, y, effect.mean, effect.low, effect.high, effect.verdict)
            words = effect.text.removesuffix(f" {effect.unit}")
            transform = ax.get_yaxis_transform()
            ax.text(1.02, y, words, transform=transform, va="center", fontsize=8.5)
        labels = [f"{effect.task.split(',')[0]}: {effect.setting}" for effect in rows]
        if rows[0].task.startswith("CIFAR"):
            labels = [f"{effect.task}: {effect.setting}" for effect in rows]
        ax.set_yticks(range(len(rows)), labels, fontsize=8.5)
        ax.set(ylim=(len(rows) - 0.5, -0.5), title=title)
        ax.tick_params(axis="x", labelsize=9)
    found[-1].set(xlabel="← drop      gain by the term      keep →")
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
