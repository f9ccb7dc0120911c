"""The explorer of chapter 11: learning curves of all cells."""

import functools

import numpy as np

from tsbp_core.chapters.sequences import data, plan, report
from tsbp_core.page.explorer import METHODS, Explorer, Panel, Series, choice, reset_choice

AFTER = 1.15, 1.35
"""Where, behind the last update, the marks of the networks stand, by rho."""


def learning_curves_frame(parts_by_task, by_cell, task, peak, reset, optimizer):
    """Chapter 11: a cell's curves, and its accuracy rate by rate."""
    cell = report.Cell(peak, task, reset, optimizer)
    summary, parts = by_cell[cell], parts_by_task[task]
    last, sweep = report.final(parts_by_task, cell.group), parts[f"{cell.group.name}/sweep"]
    lines, ends = [], []
    for aside, seen in zip(AFTER, report.curves(last, optimizer).values(), strict=True):
        lines.append((last["updates"], np.median(seen, axis=1)))
        ends.append((np.full(seen.shape[1], aside * last["updates"][-1]), seen[-1]))
    means, chosen = [], []
    for rate, seen in zip(summary["rates"], report.by_rate(sweep, optimizer).values(), strict=True):
        means.append(([*seen], [own.mean() for own in seen.values()]))
        chosen.append(([rate], [seen[rate].mean()]))
    curves = [*lines, *ends, [100 * summary["target"]]]
    return [curves, [*means, *chosen]], describe(cell, summary)


def describe(cell, summary):
    """What came out in a cell, in a sentence."""
    ends, edges = summary["ends"], summary["edge"]
    rates = " and ".join(
        f"{rate:g}{' (at the edge)' * edge}"
        for rate, edge in zip(summary["rates"], edges, strict=True)
    )
    return (
        f"{cell.title[0].upper()}{cell.title[1:]}, {cell.peak} surrogate, learning rates {rates}: "
        f"{ends[0]:.1f} % of the test with the term, {ends[1]:.1f} without. Gain "
        f"{report.gain_text(summary)} points: "
        f"{summary['gain']['verdict']}. Updates to the target, with over without: "
        f"{report.speed_text(summary)}, {summary['speed']['verdict']}. The loss is "
        f"{'flat' if summary['flat'] else 'still falling'}."
    )


def learning_curves():
    """Chapter 11: what networks with and without the term learn, and how soon."""
    parts_by_task = report.load()
    by_cell = report.cells(parts_by_task)
    most = max(part["updates"][-1] for parts in parts_by_task.values() for part in parts.values())
    ends = Series("a network's end, ρ = 1", "complete", "dots"), Series("ρ = 0", "dropped", "dots")
    return Explorer(
        "Who learns, and how soon?",
        "Where is one method sooner, and both as good in the end? Where does only one learn?",
        {
            "task": choice("task", tuple(data.TASKS), label=report.TITLES.get),
            "peak": choice("surrogate", tuple(plan.PEAKS)),
            "reset": reset_choice("subtract"),
            "optimizer": choice("optimiser", plan.OPTIMIZERS, label=report.NAMES.get),
        },
        [
            Panel(
                "Learning curves, median of the seeds",
                "updates",
                "validation accuracy, %",
                (*METHODS, *ends, Series("target of speed", "faint", "hline")),
                (8, 1.5 * most),
                (0, 102),
                xlog=True,
            ),
            Panel(
                "In the end, rate by rate",
                "learning rate",
                "validation accuracy, %",
                (
                    *METHODS,
                    Series("chosen, ρ = 1", "complete", "dots"),
                    Series("ρ = 0", "dropped", "dots"),
                ),
                (0.0002, 1.5),
                (0, 102),
                xlog=True,
            ),
        ],
        functools.partial(learning_curves_frame, parts_by_task, by_cell),
    )
