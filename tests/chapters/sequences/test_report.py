"""What chapter 11 says, tabulates and draws of the recurrent networks."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tsbp_core.chapters.sequences import (
    added,
    data,
    edges,
    explorers,
    figures,
    outcomes,
    plan,
    report,
    study,
    tables,
    training,
)
from tsbp_core.chapters.sequences.plan import Group
from tsbp_core.chapters.sequences.report import Cell
from tsbp_core.lab import results
from tsbp_core.lab.statistics import t_interval
from tsbp_core.page.style import COMPLETE, DROPPED


@pytest.fixture(scope="module")
def found():
    return report.load()


@pytest.fixture(scope="module")
def by_cell(found):
    return report.cells(found)


@pytest.fixture(scope="module")
def said(found, by_cell):
    return report.phrases(found, by_cell) | added.phrases(found, by_cell)


def test_the_text_cites_only_what_there_is(said):
    text = (results.PROJECT / "book" / "11-sequences.ipynb").read_text()
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", text)) <= said.keys() | {"norm"}


def test_tasks_are_as_large_as_said():
    for task in ("rows", "xor", "pixels"):
        made = data.TASKS[task]()
        assert made.classes == report.CLASSES[task]
        assert made.x.shape[1] == report.STEPS[task]
    names = {*data.TASKS}
    assert names == {*report.TITLES} == {*report.CLASSES} == {*report.STEPS}


def test_each_rule_looks_at_its_own_surrogate(found, by_cell):
    assert list(by_cell) == report.CELLS
    equal = by_cell[Cell("low", "vowels", "zero", "adam")]
    made = {cell: equal if cell.peak == "low" else by_cell[cell] for cell in by_cell}
    own, rules = report.rules(found, by_cell), report.rules(found, made)
    assert (rules["keep, in the end"], rules["drop"]) == ("refuted", own["drop"])
    assert rules["bound"] == "refuted"
    made = {cell: equal if cell.peak == "tall" else by_cell[cell] for cell in by_cell}
    rules = report.rules(found, made)
    assert (rules["keep, in the end"], rules["drop"]) == (own["keep, in the end"], "refuted")
    said = report.verdict_text(found, made)
    assert f"low surrogate, {own['keep, in the end']} in the end" in said
    assert "with a tall one, refuted; that chapter 10's bound tells, refuted." in said


def test_the_bounds_sign_is_that_of_the_height():
    """Above the bound the term should add to growth, below it should not."""
    for reset in plan.RESETS:
        assert report.expected(Group("xor", reset, "tall"), 0.01)
        assert not report.expected(Group("xor", reset, "tall"), -0.01)
        assert report.expected(Group("xor", reset, "low"), -0.01)
        assert not report.expected(Group("xor", reset, "low"), 0.01)


def part(last=(0.9, 0.8, 0.2, 0.4)):
    """Two seeds of each method of Adam; the later seed stands first."""
    methods = [
        ["adam", rate, rho, seed] for rate, rho in ((0.1, 1.0), (0.3, 0.0)) for seed in (4, 3)
    ]
    return {"methods": methods, "updates": [10, 20], "validation": [[0.1] * 4, list(last)]}


def test_curves_and_rates_are_of_their_method():
    seen = report.curves(part(), "adam")
    np.testing.assert_allclose(seen[1.0], [[10, 10], [80, 90]])
    np.testing.assert_allclose(seen[0.0][1], [40, 20])
    sweep = part()
    sweep["methods"][1][1] = 0.3
    swept = report.by_rate(sweep, "adam")
    assert {rate: list(v) for rate, v in swept[1.0].items()} == {0.1: [90.0], 0.3: [80.0]}
    assert {rate: list(v) for rate, v in swept[0.0].items()} == {0.1: [], 0.3: [40.0, 20.0]}


def test_first_recurrent_weights_are_as_long_as_said():
    """A square of normal numbers of deviation s has a norm of about 2 s sqrt(64)."""
    group = Group("xor", "subtract", "low")
    weights = training.initial_weights(
        data.delayed_xor(), study.net(group), training.Settings(), [3]
    )
    norm = study.starting_norm(group, seeds=(3,))
    assert norm == pytest.approx(16 * weights.V.std().item(), rel=0.1)


def test_words_of_a_cell(by_cell):
    cell = Cell("low", "xor", "subtract", "sgd")
    summary = by_cell[cell]
    gain = 100 * (0.8914 - 0.5079)
    assert report.gain_text(summary).startswith(f"+{gain:.1f}"[:4])
    speed = by_cell[Cell("low", "vowels", "subtract", "adam")]
    assert report.speed_text(speed).startswith("0.2")
    assert speed["speed"]["mean"] < 0
    words = explorers.describe(cell, summary)
    assert words.startswith("Delayed XOR, soft, SGD, low surrogate")
    assert "still falling" in words
    assert "points: help." in words


def test_tables_mark_edges_unfinished_cells_and_signs(found, by_cell):
    low, tall = (tables.cells_table(by_cell, peak) for peak in ("low", "tall"))
    assert low.count("†") == sum(not s["flat"] for c, s in by_cell.items() if c.peak == "low")
    stars = sum(map(sum, (s["edge"] for c, s in by_cell.items() if c.peak == "tall")))
    assert tall.count("*") == stars > 0
    signs = tables.gradients_table(found)
    wrong = report.against(found)
    assert signs.count("‡") == len(wrong["first"]) + len(wrong["last"])
    assert "0.01" in signs.split("low, soft</td><td>delayed XOR")[1].split("</tr>")[0]


def test_each_rule_has_its_own_count_and_word(found, by_cell, monkeypatch):
    said = {
        "keep, in the end": ("what is learnt in the end", report.tally(by_cell, "low")),
        "keep, for speed": ("for speed", report.tally(by_cell, "low", "speed")),
        "drop": ("Tall: drop it", report.tally(by_cell, "tall")),
        "bound": ("bound", "5 and 5 of 20"),
    }
    assert said.keys() == report.rules(found, by_cell).keys()
    monkeypatch.setattr(report, "rules", lambda *_: {key: f"word of {key}" for key in said})
    rows = tables.rules_table(found, by_cell).split("<tr>")[2:]
    for row, (key, (text, measured)) in zip(rows, said.items(), strict=True):
        assert text in row and measured in row and f"<td>word of {key}</td>" in row


def test_gains_stand_at_their_means_in_their_colours(by_cell):
    figure = figures.gains(by_cell)
    for ax, peak in zip(figure.axes, plan.PEAKS, strict=True):
        marks = [line for line in ax.lines if line.get_marker() not in ("None", None)]
        own = {c: s["gain"] for c, s in by_cell.items() if c.peak == peak}
        assert [m.get_xdata()[0] for m in marks] == [gain["mean"] for gain in own.values()]
        for mark, gain in zip(marks, own.values(), strict=True):
            assert (mark.get_color() == COMPLETE) == (gain["verdict"] == "help")
            assert (mark.get_color() == DROPPED) == (gain["verdict"] == "harm")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [cell.title for cell in by_cell if cell.peak == "low"]
    plt.close(figure)


def test_growth_is_drawn_of_both_methods_before_training(found):
    figure = figures.growth(found)
    groups = plan.groups()
    for ax, name in zip(figure.axes, ("own", "net"), strict=True):
        for rho, color in ((1, COMPLETE), (0, DROPPED)):
            marks = [m for m in ax.lines if m.get_color() == color]
            for mark, group in zip(marks, groups, strict=True):
                logs = report.final(found, group)["first"][f"growth/{name}/rho={rho}"]
                assert mark.get_xdata()[0] == pytest.approx(np.exp(np.median(logs)))
    plt.close(figure)


def test_learning_curves_have_all_seeds_and_their_median(found):
    cell = Cell("low", "vowels", "subtract", "adam")
    one = report.final(found, cell.group), "adam"
    figure = figures.learning_curves({"one": one, "two": one}, columns=2)
    seen = report.curves(report.final(found, cell.group), "adam")
    lines = figure.axes[0].lines
    assert len(lines) == 2 * 36
    np.testing.assert_allclose(lines[35].get_ydata(), np.median(seen[1.0], axis=1))
    np.testing.assert_allclose(lines[71].get_ydata(), np.median(seen[0.0], axis=1))
    assert lines[35].get_color() == COMPLETE
    plt.close(figure)
    swept = report.by_rate(found["xor"]["low/zero/sweep"], "sgd")
    figure = figures.rate_by_rate({"a": swept, "b": swept})
    mean = figure.axes[0].lines[5]
    assert (mean.get_color(), len(mean.get_ydata())) == (COMPLETE, 7)
    assert mean.get_ydata()[0] == pytest.approx(swept[1.0][0.001].mean())
    plt.close(figure)


def test_what_was_trained_on_is_judged_for_four_looks(found, by_cell, monkeypatch):
    """The committed ends of 3,000 updates, as if they were of 12,000."""
    cells = [c for c in report.CELLS if (c.peak, c.optimizer) == ("low", "adam")]
    cells = [c for c in cells if c.task in plan.HARD]
    made = {f"{c.task}/{c.group.name}": report.final(found, c.group) for c in cells}
    made.pop("pixels/low/zero")
    monkeypatch.setattr(added.results, "load", lambda name: {"results": made})
    ends = added.longer_ends(added.longer(), found)
    assert list(ends) == cells[1:]
    for cell, end in ends.items():
        before = by_cell[cell]
        assert end["ends"] == before["ends"] and end["flat"] == before["flat"]
        mean, low, high = (end["gain"][key] for key in ("mean", "low", "high"))
        values = outcomes.gains(report.final(found, cell.group), "adam")
        assert end["before"] == mean
        assert (mean, low, high) == (values.mean(), *t_interval(values, 1 - 0.05 / 4))
    said = added.of_longer(ends)
    assert said["longer"] == "help 3" and said["longer-flat"] == 0
    assert said["longer-shuffled-subtract"].startswith("+13.79 [")
    table = tables.longer_table(by_cell, ends)
    assert table.count("+13.79") == 3 and "62.3 and 48.5" in table


@pytest.fixture
def below(found, monkeypatch):
    """Made-up runs below the grid, everywhere at chance but in two cells."""
    right = {
        ("rows/tall/zero/sgd", 1.0, 0.0001): 0.7,
        ("xor/low/subtract/adam", 0.0, 0.00001): 0.995,
    }
    made = {}
    for name, (_, methods, _) in edges.wanted(found, seeds=(0, 1)).items():
        last = [right.get((name, m.rho, m.rate), 0.1) + 0.01 * m.seed for m in methods]
        made[name] = {"methods": [list(m) for m in methods], "validation": [[0.0], last]}
    monkeypatch.setattr(added.results, "load", lambda name: {"results": made})
    return made


def test_below_the_grid_a_difference_that_moves_is_in_doubt(found, by_cell, below):
    tried = added.beyond(found)
    assert [cell.name for cell in tried] == [*below]
    rows = Cell("tall", "rows", "zero", "sgd")
    assert [*tried[rows][1.0]] == [*edges.RATES["sgd"], *plan.RATES["sgd"]]
    ends = added.summits(rows, tried[rows])
    assert ends["all"][1.0] == (0.0001, pytest.approx(70.5))
    assert ends["all"][0.0] == ends["grid"][0.0] and ends["grid"][0.0][0] == 0.001
    assert added.of_edges(found, by_cell) == {"edge-cells": 8, "edge-doubtful": 1}
    table = str(tables.edges_table(found, by_cell)).split("<tr>")[2:]
    shown = next(row for row in table if "tall: " + rows.title in row)
    assert "<td>harm</td><td>yes</td>" in shown and "70.5 at 0.0001 and" in shown
    assert sum("<td>yes</td>" in row for row in table) == 1
    low = next(row for row in table if "low: " in row)
    assert "100.0 at 0.00001*</td>" in low and "at 0.0003* and" in low
    below["rows/tall/zero/sgd"]["validation"][-1] = [0.1] * 12
    assert added.of_edges(found, by_cell) == {"edge-cells": 8, "edge-doubtful": "none"}


@pytest.mark.parametrize(
    ("grid", "everywhere", "learnt", "doubt"),
    [
        ((50, 40), (50, 40), True, False),
        ((50, 40), (52, 40), True, False),
        ((50, 40), (53, 43), True, False),
        ((50, 40), (50, 42.1), True, True),
        ((50, 40), (52.1, 40), True, True),
        ((11, 10), (16, 10), False, False),
        ((31, 31), (32, 32), False, False),
        ((32, 34), (32.6, 35), False, False),
        ((32, 31), (34.1, 31), False, True),
        ((32, 31), (32, 33.1), False, True),
    ],
)
def test_a_cell_that_is_learnt_below_the_grid_is_in_doubt_too(grid, everywhere, learnt, doubt):
    """A quarter of the way from a tenth to all is 32.5 %."""
    made = {"grid": grid, "all": everywhere}
    made = {name: {1.0: (0.1, one), 0.0: (0.1, other)} for name, (one, other) in made.items()}
    assert added.in_doubt(Cell("tall", "rows", "zero", "sgd"), made, learnt) is doubt


def test_rates_are_written_out():
    assert [added.rate_text(rate) for rate in (0.00003, 0.3, 1.0)] == ["0.00003", "0.3", "1"]


def test_the_lower_of_equal_rates_is_the_summit():
    by_rate = {0.1: np.array([1.0, 3.0]), 0.01: np.array([2.0, 2.0]), 1.0: np.array([0.0, 0.0])}
    assert added.summit(by_rate, (1.0, 0.1, 0.01)) == (0.01, 2.0)
    assert added.summit(by_rate, (1.0, 0.1)) == (0.1, 2.0)


def test_the_explorer_draws_the_cell_that_is_chosen(found, by_cell):
    frame = explorers.learning_curves().frame
    (curves, rates), words = frame("vowels", "low", "subtract", "adam")
    cell = Cell("low", "vowels", "subtract", "adam")
    seen = report.curves(report.final(found, cell.group), "adam")
    np.testing.assert_allclose(curves[0][1], np.median(seen[1.0], axis=1))
    np.testing.assert_allclose(curves[3][1], seen[0.0][-1])
    assert curves[4] == [100 * by_cell[cell]["target"]]
    assert rates[2][0] == [by_cell[cell]["rates"][0]]
    assert rates[3][1] == [max(rates[1][1])]
    assert "equal" in words


def test_what_chapter_11_says_in_words_is_so(found, by_cell, said):
    first = {group: report.final(found, group)["first"] for group in plan.groups()}

    def factor(group, name, rho):
        return np.exp(np.median(first[group][f"growth/{name}/rho={rho}"]))

    for group in first:
        assert factor(group, "own", 0) < 1
        assert (factor(group, "own", 1) > 1) == (group.peak == "tall")
        net = factor(group, "net", 1), factor(group, "net", 0)
        assert (net[0] > net[1]) == (group.peak == "tall" and group.reset == "zero")
        if group.peak == "tall":
            assert min(net) > 1
        elif group.reset == "subtract":
            assert net[0] < 1 < net[1]
        if group.peak == "low":
            assert np.median(first[group]["ratio"]) < 1
    assert said["against"] == "tall, soft reset"
    for group, grown in report.median_growth(found).items():
        differ = outcomes.added_growth(report.final(found, group), "last")
        median = np.median(differ[differ != 0])
        assert report.expected(group, median) == report.expected(group, grown["last"])
    hard = {c: s for c, s in by_cell.items() if c.peak == "low" and c.task in plan.HARD}
    assert [s["gain"]["verdict"] for s in hard.values()].count("help") == 7
    assert not any(s["flat"] for s in hard.values())
    alone = [s for s in hard.values() if s["speed"]["verdict"] == "not learnt"]
    assert [s["gain"]["verdict"] for s in alone] == ["help", "help"]  # nothing learnt without
    assert all(s["ends"][0] > 50 > 11 > s["ends"][1] for s in alone)
    tall = [v for v in report.verdicts(by_cell, "tall") if v != "not learnt"]
    assert sorted(tall) == 6 * ["harm"] + ["open"]
    assert not any(any(s["edge"]) for c, s in hard.items() if c.optimizer == "adam")
    assert (said["untimed"], said["untimed-words"]) == ("4 cells", "faster 2, equal 1, slower 1")
    assert said["untimed-rule"] == report.rules(found, by_cell)["keep, for speed"]
    low = [s for c, s in by_cell.items() if c.peak == "low"]
    assert {s["flat"] for s in low if s["gain"]["verdict"] == "help"} == {False}
    flat = [s["gain"]["verdict"] for s in low if s["flat"]]
    assert said["low-finished"] == f"equal {flat.count('equal')}, open {flat.count('open')}"
    trained_on = added.longer_ends(added.longer(), found)
    shrunk = [end["before"] > end["gain"]["mean"] for end in trained_on.values()]
    assert (shrunk.count(True), said["longer-flat"]) == (3, "0")
    helped = {c.reset for c, end in trained_on.items() if end["gain"]["verdict"] == "help"}
    assert helped == {"subtract"}
    for cell, summary in by_cell.items():
        if (cell.peak, cell.task in ("pixels", "xor")) == ("tall", True):
            assert summary["gain"]["verdict"] == "not learnt"
    tall = report.by_rate(found["rows"]["tall/zero/sweep"], "sgd")
    assert all(seen.mean() < 20 for seen in tall[1.0].values())
    assert max(tall[0.0], key=lambda rate: tall[0.0][rate].mean()) == min(tall[0.0])
    lost = {c: s["gain"]["mean"] for c, s in by_cell.items() if c.peak == "tall"}
    lost = {c: gain for c, gain in lost.items() if c.task in ("xor", *plan.HARD)}
    largest = sorted(lost, key=lambda c: -abs(lost[c]))[:2]
    assert largest == [Cell("tall", task, "zero", "adam") for task in ("xor", "pixels")]
    assert lost[largest[0]] < 0 < lost[largest[1]]
    assert said["low-vowels-subtract-adam-updates"] == "10 and 37"
    hard = by_cell[Cell("low", "xor", "zero", "sgd")]
    assert hard["never"].tolist() == [20, 10]
    assert "slower (20, 10 never)" in tables.cells_table(by_cell, "low")
    assert "not learnt (" not in tables.cells_table(by_cell, "low")
    followed = added.beyond(found)
    for cell in (
        Cell("low", "xor", "subtract", "adam"),
        Cell("tall", "rows", "zero", "sgd"),
    ):  # no lower rate is better, with the term or without
        ends = added.summits(cell, followed[cell])
        assert ends["all"] == ends["grid"]
    lost = followed[Cell("tall", "rows", "zero", "sgd")][1.0]
    assert max(seen.mean() for seen in lost.values()) < 20
    late = [s["speed"] for c, s in by_cell.items() if c[:2] == ("low", "xor")]
    assert [speed["verdict"] for speed in late].count("slower") == 3
    assert said["xor-hard-without-rate"] == "0.001" == f"{plan.RATES['sgd'][0]:g}"
    assert said["xor-soft-without-rate"] == "0.00003"
    for task in plan.HARD:  # the summit without the term is inside, and far below
        lower = float(said[f"{task}-soft-without-rate"])
        assert 0.00003 < lower < plan.RATES["sgd"][0]
        assert int(said[f"{task}-soft-with-best"]) > int(said[f"{task}-soft-without-best"]) + 30
    below = added.all_rates(found, "xor", "subtract")
    assert [*below[1.0]] == [0.00003, 0.0001, 0.0003, *plan.RATES["sgd"]]
    means = {rho: max(seen.mean() for seen in by.values()) for rho, by in below.items()}
    assert means[1.0] > means[0.0] > 60 > float(said["xor-soft-without-most"])
    assert int(said["xor-soft-without"]) == 0 < 25 < int(said["xor-soft-with"])
    for cell, summary in by_cell.items():
        if cell.task == "rows" and summary["gain"]["verdict"] != "not learnt":
            assert not summary["flat"]
        if cell.peak == "low":
            assert summary["gain"]["verdict"] != "harm"
        if (cell.peak, cell.task) == ("tall", "xor"):
            assert summary["gain"]["verdict"] == "not learnt"


def test_the_exercise_by_hand():
    """Largest root of the recurrent step."""
    sizes = {}
    for V in (0.0, 0.5, 2.0):
        for rho, J in ((1, -4.2), (0, 0.8)):
            c = 6.25 * V / 2
            step = np.array([[J, c], [J, 0.5 + c]])
            sizes[V, rho] = np.abs(np.linalg.eigvals(step)).max()
    found = [round(float(sizes[V, rho]), 2) for V in (0.0, 0.5, 2.0) for rho in (1, 0)]
    assert found == [4.2, 0.8, 2.87, 2.72, 3.21, 7.5]
