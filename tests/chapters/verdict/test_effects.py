from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.chapters.growth import plan as growth_plan
from tsbp_core.chapters.growth import verdicts as growth_verdicts
from tsbp_core.chapters.sequences import report
from tsbp_core.chapters.verdict import effects, figures
from tsbp_core.lab import results
from tsbp_core.page.style import MARKS


def test_effects_have_verdicts_of_their_intervals():
    effect = effects.Effect("task", "setting", 1.0, 5, 0.4, 0.2, 0.6, "decades")
    assert effect.verdict == "keep"
    assert effect.text == "+0.40 [+0.20, +0.60] decades"
    assert replace(effect, low=-0.1).verdict == "open"
    assert replace(effect, margin=0.7).verdict == "equal"
    assert replace(effect, mean=-0.4, low=-0.6, high=-0.2, unit="points").verdict == "drop"


@pytest.fixture(scope="module")
def found():
    return effects.effects()


def test_every_study_that_trains_is_among_the_effects(found):
    assert {effect.unit for effect in found} == {"decades", "points"}
    assert {effect.task for effect in found} == set(effects.MARGINS)
    changed = [effect for effect in found if effect.task == effects.CHANGED]
    assert len(changed) == len(plan.CHANGES)  # none is left out
    assert all(effect.low < effect.mean < effect.high for effect in found)


def test_intervals_are_corrected_for_all_rows(found, monkeypatch):
    levels = []

    def t_interval(values, level):
        levels.append(level)
        return min(values), max(values)

    monkeypatch.setattr(effects, "t_interval", t_interval)
    effects.effects()
    assert levels == [1 - 0.05 / len(found)] * len(found)


def test_tuned_methods_are_paired_by_seed_with_the_term_minus_without(found):
    best = outcomes.collect("best")
    for key, name in (("adamw", "AdamW"), ("sgd", "SGD")):
        ends = {}
        for run, record in best.items():
            if run.settings.optimizer == key:
                of_seed = ends.setdefault(run.seed, {})
                of_seed[run.settings.reset_gradient] = 100 * record["results"]["test"]["accuracy"]
        gains = [pair[1.0] - pair[0.0] for pair in ends.values()]
        (row,) = [e for e in found if e.setting == f"{name}, tuned, 10 epochs"]
        assert (row.task, row.seeds, row.margin) == (effects.SMALL, len(gains), 0.5)
        assert row.mean == pytest.approx(np.mean(gains))


def test_sequences_are_those_learnt_with_adam_with_the_term_minus_without(found):
    rows = {row.setting: row for row in found if row.task == effects.SEQUENCES}
    cells = {
        cell: summary
        for cell, summary in report.cells(report.load()).items()
        if cell.optimizer == "adam" and summary["gain"]["verdict"] != "not learnt"
    }
    assert len(rows) == len(cells) >= 10
    assert [row.mean for row in rows.values()] == [s["gain"]["mean"] for s in cells.values()]
    tall = rows["digits row by row, hard, peak 6.25"]
    assert tall.mean < -30
    assert tall.verdict == "drop"
    assert tall.seeds == 35


def test_rows_know_how_high_their_surrogate_is(found):
    heights = {(row.task, row.setting): row.height for row in found}
    assert heights[effects.TOY, "Adam"] == heights[effects.SMALL, "SGD, middle rates"] == 1.25
    assert heights[effects.CHANGED, "AdamW, peak 12.5"] == 12.5
    assert heights[effects.CHANGED, "AdamW, peak 5 soft reset"] == 5.0
    assert heights[effects.LARGE, "AdamW, chapter 13"] == 0.625
    named = [row for row in found if row.task in (effects.MANIFOLDS, effects.SEQUENCES)]
    assert all(row.setting.endswith(f"peak {row.height:.3g}") for row in named)


def test_verdicts_are_counted(found):
    assert effects.counts([found[0], found[1], found[0]]) == {"keep": 2, "open": 1}


def test_the_figure_draws_sizes(found):
    """One scale a unit, and a longer line for a larger effect, however sure it is."""
    figure = figures.evidence(found)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["decades", "points"]
    drawn = [
        mark.get_xdata()[0] for ax in figure.axes for mark in ax.lines if len(mark.get_xdata()) == 1
    ]
    assert drawn == [effect.mean for effect in found]
    assert all(ax.get_xscale() == "linear" for ax in figure.axes)
    points = figure.axes[1]
    rows = [effect for effect in found if effect.unit == "points"]
    assert [label.get_text() for label in points.get_yticklabels()][:1] == [
        "CIFAR-10, 4 layers: AdamW, middle rates"
    ]
    assert [float(text.get_text().split(" [")[0]) for text in points.texts] == [
        round(effect.mean, 2) for effect in rows
    ]
    assert [text.get_position()[1] for text in points.texts] == [*range(len(rows))]
    between = [line.get_ydata()[0] for line in points.lines if list(line.get_xdata()) == [0, 1]]
    changes = [y - 0.5 for y in range(1, len(rows)) if rows[y].task != rows[y - 1].task]
    assert [y for y in between if y % 1] == changes
    assert points.get_xlabel().startswith("← drop") and points.get_xlabel().endswith("keep →")
    bands = [band.get_paths()[0].get_extents() for band in points.collections]
    assert [(band.x0, band.x1) for band in bands] == [(-row.margin, row.margin) for row in rows]
    heights = [ax.get_position().height for ax in figure.axes]
    assert heights[0] < heights[1] / 5
    plt.close(figure)


def test_a_row_is_drawn_by_its_interval_and_verdict():
    figure, ax = plt.subplots()
    effect = effects.Effect("task", "setting", 1.0, 5, -3.0, -4.0, -1.0, "points", 0.5)
    figures._row(ax, 2, effect)
    colour, marker, _ = MARKS["drop"]
    line, mark = ax.lines
    assert list(line.get_xdata()) == [-4, -1] and list(line.get_ydata()) == [2, 2]
    assert (mark.get_marker(), mark.get_color()) == (marker, colour)
    plt.close(figure)


def test_manifolds_and_images_are_the_settings_that_they_name(found):
    rows = {(row.task, row.setting): row.mean for row in found}
    ends = growth_verdicts.by_family()["verdict"]
    for reset, kind in (("subtract", "soft"), ("zero", "hard")):
        cell = growth_plan.Cell("area", 20, reset).name
        name = effects.MANIFOLDS, f"3 layers, {kind}, peak 5"
        assert rows[name] == pytest.approx(ends[cell]["gain"][0])
        low = growth_plan.Cell("peak", 10, reset).name
        name = effects.MANIFOLDS, f"3 layers, {kind}, peak 1"
        assert rows[name] == pytest.approx(ends[low]["gain"][0])
    for study, task in (("grid", effects.SMALL), ("larger", effects.LARGE)):
        pair = outcomes.primary(outcomes.collect(study), "sgd")
        assert rows[task, "SGD, middle rates"] == pytest.approx(np.mean(pair[1.0] - pair[0.0]))


def test_the_papers_network_is_judged_at_the_presets_rate(found):
    (row,) = [row for row in found if row.task == effects.PAPERS]
    pair = [
        [results.load(f"cifar10-quarter/lr0.0005-rho{rho}-seed{seed}") for seed in range(5)]
        for rho in (1, 0)
    ]
    reached = [[100 * run["results"]["test_accuracy"] for run in runs] for runs in pair]
    assert row.mean == pytest.approx(np.mean(reached[0]) - np.mean(reached[1]))
    assert (row.seeds, row.margin, row.unit, row.height) == (5, 0.5, "points", 1.25)
