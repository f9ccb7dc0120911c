"""The tables of chapter 11; arguments as ``report`` has them."""

import numpy as np

from tsbp_core import page
from tsbp_core.chapters.sequences import added, data, plan, report

RULES = {
    "keep, in the end": (
        "Low: keep the term for what is learnt in the end",
        "at least half of {} cells help, none harms",
        ("low", "gain"),
    ),
    "keep, for speed": (
        "Low: keep the term for speed",
        "at least half of {} are faster, none slower",
        ("low", "speed"),
    ),
    "drop": (
        "Tall: drop it",
        "at least half of {} are harmed, none helped",
        ("tall", "gain"),
    ),
}


def _rates(summary):
    marked = zip(summary["rates"], summary["edge"], strict=True)
    return " and ".join(f"{rate:g}{'*' * edge}" for rate, edge in marked)


def _speed(summary):
    word, never = summary["speed"]["verdict"], summary["never"]
    few = "" if word == "not learnt" or not never.any() else " ({}, {} never)".format(*never)
    return f"{report.speed_text(summary)} {word}{few}"


def cells_table(by_cell, peak):
    """Outcomes of the cells of a surrogate."""
    rows = []
    for task in data.TASKS:
        own = {c: s for c, s in by_cell.items() if (c.peak, c.task) == (peak, task)}
        rows.append(report.TITLES[task])
        for cell, summary in own.items():
            mark = "" if summary["flat"] else "†"
            rows.append(
                (
                    f"{report.KINDS[cell.reset]}, {report.NAMES[cell.optimizer]}{mark}",
                    "{:.1f} and {:.1f}".format(*summary["ends"]),
                    f"{report.gain_text(summary)} {summary['gain']['verdict']}",
                    _speed(summary),
                    _rates(summary),
                )
            )
    heads = "reset, optimiser", "right, %", "in the end", "ratio of updates", "learning rates"
    return page.table(heads, rows)


def longer_table(by_cell, ends):
    """The gain after 3,000 updates, of all seeds and of those trained on, and after 12,000."""
    rows = []
    for cell, after in ends.items():
        before = by_cell[cell]
        rows.append(
            (
                f"{report.TITLES[cell.task]}, {report.KINDS[cell.reset]}",
                f"{report.gain_text(before)} {before['gain']['verdict']}",
                f"{after['before']:+.2f}",
                f"{report.gain_text(after)} {after['gain']['verdict']}",
                "{:.1f} and {:.1f}".format(*after["ends"]),
                "yes" if after["flat"] else "no",
            )
        )
    heads = (
        "task, reset",
        "after 3,000, 35 pairs",
        "after 3,000, the ten",
        "after 12,000, the ten",
        "right then, %",
        "flat",
    )
    return page.table(heads, rows)


def edges_table(parts_by_task, by_cell):
    """Best means over seeds in the cells of ``edges``; a star where the rate is the lowest."""
    rows = []
    for cell, by_rho in added.beyond(parts_by_task).items():
        found, verdict = added.summits(cell, by_rho), by_cell[cell]["gain"]["verdict"]
        lowest = {"grid": plan.RATES[cell.optimizer][0], "all": min(by_rho[1.0])}
        shown = (
            " and ".join(
                f"{mean:.1f} at {added.rate_text(rate)}{'*' * (rate == lowest[name])}"
                for rate, mean in of_rho.values()
            )
            for name, of_rho in found.items()
        )
        doubtful = added.in_doubt(cell, found, verdict != "not learnt")
        rows.append((f"{cell.peak}: {cell.title}", *shown, verdict, "yes" if doubtful else "no"))
    heads = "cell", "on the grid: with and without, %", "of all rates, %", "verdict", "in doubt"
    return page.table(heads, rows)


def rules_table(parts_by_task, by_cell):
    """What the plan wanted to know, what it asks for, what was seen, and its word."""
    words = report.rules(parts_by_task, by_cell)
    half, rows = len(report.CELLS) // 2, []
    for key, (text, asks, of) in RULES.items():
        rows.append((text, asks.format(half), report.tally(by_cell, *of), words[key]))
    wrong, all_of_them = report.against(parts_by_task), len(plan.groups())
    seen = "{} and {} of {} have it not (before and after training)".format(
        len(wrong["first"]), len(wrong["last"]), all_of_them
    )
    text = "Credit grows faster with the term above chapter 10's bound, and not below"
    rows.append((text, "every group has that sign", seen, words["bound"]))
    return page.table(("rule", "it stands if", "measured", "verdict"), rows)


def gradients_table(parts_by_task):
    """What the term adds to the growth of credit, and the two gradients' lengths and cosine."""
    rows = []
    for group, growth in report.median_growth(parts_by_task).items():
        first, last = (report.final(parts_by_task, group)[when] for when in ("first", "last"))
        factors = (
            f"{np.exp(growth[w]):.3f}{'' if report.expected(group, growth[w]) else '‡'}"
            for w in ("first", "last")
        )
        lengths = (f"{np.nanmedian(np.array(p['ratio'], float)):.2g}" for p in (first, last))
        cosines = (f"{np.nanmedian(np.array(p['cosine'], float)):.2f}" for p in (first, last))
        rows.append(
            (
                f"{group.peak}, {report.KINDS[group.reset]}",
                report.TITLES[group.task],
                *(" → ".join(pair) for pair in (factors, lengths, cosines)),
            )
        )
    heads = "surrogate, reset", "task", "growth, factor a step", "length", "cosine"
    return page.table(heads, rows)
