"""What chapter 13 draws."""

import html

from tsbp_core import page
from tsbp_core.chapters.verdict.claim import commands
from tsbp_core.page.style import COMPLETE, DROPPED, FAINT, INK, axes


def evidence(effects):
    """What keeping the term changes in each setting, by how clearly; a list of ``effects.Effect``.

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
