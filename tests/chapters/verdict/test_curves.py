"""Accuracy against training, beside chapter 14's rules."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tsbp_core.chapters.growth import plan, report, verdicts
from tsbp_core.chapters.verdict import curves, figures
from tsbp_core.lab import results
from tsbp_core.page.style import STYLES


@pytest.fixture(scope="module")
def panels():
    return curves.panels()


def test_manifolds_end_where_their_cells_end(panels):
    found = verdicts.by_family()["verdict"]
    for title, cell in curves.CELLS.items():
        unit, x, by_rho = panels[title]
        assert tuple(x) == plan.POINTS and unit == "updates"
        ends = [by_rho[rho][-plan.LAST :].mean() for rho in plan.RHOS]
        np.testing.assert_allclose(ends, found[cell.name]["ends"], rtol=1e-12)
        assert title.startswith("tall") == (cell in report.TALL)
        assert title.endswith("hard") == (cell.reset == "zero")
        assert (cell.height, cell.slope) == ((6.25, 25) if cell in report.TALL else (1.0, 10))


def test_each_panel_has_both_methods_and_its_seeds(panels):
    seeds = [20, 20, 20, 10, 35, 2]
    for (_, x, by_rho), count in zip(panels.values(), seeds, strict=True):
        assert [*by_rho] == [1.0, 0.0]
        assert {seen.shape for seen in by_rho.values()} == {(len(x), count)}
        assert all(seen.min() >= 0 and 9 < seen.max() <= 100 for seen in by_rho.values())


def test_recurrent_networks_and_images_are_those_of_the_titles(panels):
    for title, part in (
        (
            "low, recurrent, shuffled",
            results.load("sequences-longer")["results"]["shuffled/low/subtract"],
        ),
        ("tall, recurrent, rows", results.load("sequences/rows")["results"]["tall/subtract/final"]),
    ):
        unit, updates, by_rho = panels[title]
        assert unit == "updates" and updates == part["updates"]
        for rho, seen in curves.report.curves(part, "adam").items():
            np.testing.assert_array_equal(by_rho[rho], seen)
    with_term, without = (panels["tall, recurrent, rows"][2][rho][-1].mean() for rho in (1.0, 0.0))
    assert without - with_term > 25
    assert panels["low, recurrent, shuffled"][1][-1] == 12_000
    unit, epochs, by_rho = panels["images, AdamW"]
    assert unit == "epochs" and list(epochs) == list(range(1, 11))
    assert by_rho[1.0][-1].mean() == pytest.approx(81.8, abs=0.05)
    assert by_rho[0.0][-1].mean() == pytest.approx(82.1, abs=0.05)


def test_the_thick_line_is_the_mean():
    by_rho = {rho: np.array([[10, 20], [30, 50]]) + rho for rho in (1.0, 0.0)}
    figure = figures.over_time(
        {"a": ("updates", [10, 100], by_rho)}
        | {"b": ("epochs", [1, 10], by_rho)}
        | {c: ("updates", [1, 10], by_rho) for c in "cd"}
    )
    ax = figure.axes[0]
    thick = [line for line in ax.lines if line.get_color() == STYLES[0.0]["color"]][-1]
    assert list(thick.get_ydata()) == [15, 40]
    for rho in (1.0, 0.0):
        own = [line for line in ax.lines if line.get_color() == STYLES[rho]["color"]]
        assert [list(line.get_ydata()) for line in own[:2]] == [
            [10 + rho, 30 + rho],
            [20 + rho, 50 + rho],
        ]
    assert [ax.get_xlabel() for ax in figure.axes] == ["updates", "epochs", "updates", "updates"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b", "c", "d"]
    assert ax.get_ylim()[1] > 100
    plt.close(figure)
