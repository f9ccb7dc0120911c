"""Both methods tuned and trained for ten epochs."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import compared, figures, outcomes, plan
from tsbp_core.lab import statistics
from tsbp_core.lab.statistics import interval_text, t_interval

SPREAD = np.tile([-0.1, 0.1], 5)
"""Ten seeds' scatter around a mean."""


def pair(mean, scatter=1.0):
    return {1.0: 80 + mean + scatter * SPREAD, 0.0: np.full(10, 80.0)}


def record(accuracy, flips=0.0, loss=1.0, diverged=False):
    """A results file as far as it is read."""
    test = None if diverged else {"accuracy": accuracy / 100, "flips": flips / 100}
    epochs = [{"train_loss": 9}, {"train_loss": loss}]
    probes = [{"ratio": [at, 0.9], "cosine": [at + 0.1, 0.9]} for at in (0.5, accuracy / 200)]
    found = {"diverged": diverged, "test": test, "epochs": epochs, "probes": probes}
    return {"results": found, "wall_time_s": 360.0}


@pytest.fixture
def made():
    """The term costs 0.3 points with SGD, in the mirror it gains 1, and lowers the loss by 0.01."""
    runs = {}
    for run in plan.best():
        s = run.settings
        with_sgd = s.reset_gradient * (s.optimizer == "sgd")
        scatter = SPREAD[run.seed] * s.reset_gradient * (1 if with_sgd else 4)
        reached = 80 + run.seed - 0.3 * with_sgd + scatter
        runs[run] = record(reached, reached + 1.3 * with_sgd, 1 - 0.01 * with_sgd)
    return runs


@pytest.mark.parametrize(
    ("mean", "scatter", "said"),
    [
        (0.0, 1, "equivalent"),
        (0.2, 1, "help and equivalent"),
        (-0.2, 1, "harm and equivalent"),
        (0.6, 1, "help"),
        (-0.6, 1, "harm"),
        (0.0, 10, "open"),
        (0.45, 1, "help"),
    ],
)
def test_the_plans_verdicts(mean, scatter, said):
    assert compared.verdict(pair(mean, scatter)) == said


def test_equivalence_is_judged_at_95_and_a_difference_at_97_5_percent():
    """The half-widths of the two intervals: an edge between them tells the levels apart."""
    halves = [np.subtract(*t_interval(SPREAD, level)[::-1]) / 2 for level in (0.9, 0.95, 0.975)]
    narrow, usual, wide = halves
    assert compared.verdict(pair((usual + wide) / 2)) == "equivalent"
    assert compared.verdict(pair(1.01 * wide)) == "help and equivalent"
    assert compared.verdict(pair(0.5 - (narrow + usual) / 2)) == "help"
    assert compared.verdict(pair(0.5 - (usual + wide) / 2)) == "help and equivalent"


def test_pairs_are_by_optimiser_although_rates_differ(made):
    found = compared.pairs(made)
    assert [*found] == ["adamw", "sgd"]
    np.testing.assert_allclose(np.subtract(found["adamw"][1.0], found["adamw"][0.0]), 4 * SPREAD)
    np.testing.assert_allclose(np.subtract(found["sgd"][1.0], found["sgd"][0.0]), SPREAD - 0.3)


def test_words(made):
    said = compared.phrases(made)
    assert (said["long-runs"], said["long-seeds"], said["long-time"]) == ("40", "10", "2.0")
    assert (said["long-sgd-1"], said["long-sgd-0"]) == ("84.2", "84.5")
    assert said["long-sgd"] == interval_text(-0.3, *t_interval(SPREAD - 0.3))
    assert said["long-sgd-clear"] == interval_text(-0.3, *t_interval(SPREAD - 0.3, 0.975))
    assert (said["long-sgd-verdict"], said["long-adamw-verdict"]) == (
        "harm and equivalent",
        "equivalent",
    )
    assert said["long-sgd-scatter"] == f"{SPREAD.std(ddof=1):.2f}"
    assert (said["long-sgd-below"], said["long-adamw-below"]) == ("10", "5")
    assert said["long-sgd-loss"].startswith("-0.0100 [")
    assert said["long-sgd-mirrored"].startswith("+1.00 [")
    assert (said["long-sgd-ratio"], said["long-sgd-cosine"]) == ("0.42", "0.52")
    p = statistics.equivalence(4 * SPREAD, 0.5)
    assert said["long-adamw-p"] == f"{p:.3f}" and 0.001 < p < 0.025


def test_a_figure_has_the_intervals_of_the_verdict():
    usual, clear = (interval(pair(-0.3)[1.0] - 80) for interval in compared.INTERVALS)
    assert usual == pytest.approx(t_interval(SPREAD - 0.3))
    assert clear == pytest.approx(t_interval(SPREAD - 0.3, 0.975))


def test_a_run_that_diverged_counts_with_chance():
    assert compared.flipped(record(80, diverged=True)) == outcomes.CHANCE


def test_the_table_names_each_methods_rate(made):
    head, *rows = str(compared.table(made)).split("<tr>")[1:]
    assert head.index("with, %") < head.index("without, %") < head.index("[95 %]")
    assert head.index("[95 %]") < head.index("[97.5 %]") < head.index("verdict")
    assert "<td>AdamW</td><td>84.50 at 0.01</td><td>84.50 at 0.01</td>" in rows[0]
    assert "<td>84.20 at 0.1</td><td>84.50 at 0.3</td><td>-0.30 [" in rows[1]
    gains = (interval_text(-0.3, *t_interval(SPREAD - 0.3, level)) for level in (0.95, 0.975))
    assert "</td><td>".join([*gains, "harm and equivalent<"]) in rows[1]


def test_the_figure_has_a_mark_a_seed_and_both_intervals(made):
    halves = (lambda x: (x.mean() - 1, x.mean() + 1)), (lambda x: (x.mean() - 2, x.mean() + 2))
    by_name = {"a": pair(0.3), "b": pair(-0.2)}
    figure = figures.paired(by_name, halves, 0.5)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    for row, mean in enumerate((0.3, -0.2)):
        thick, thin, dot, marks = ax.lines[1 + 4 * row : 5 + 4 * row]
        assert thick.get_linewidth() > thin.get_linewidth()
        assert list(thick.get_xdata()) == pytest.approx([mean - 1, mean + 1])
        assert list(thin.get_xdata()) == pytest.approx([mean - 2, mean + 2])
        assert list(dot.get_xdata()) == pytest.approx([mean])
        np.testing.assert_allclose(marks.get_xdata(), mean + SPREAD)
        assert {*thick.get_ydata(), *thin.get_ydata(), *dot.get_ydata()} == {-row}
    band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((-0.5, 0.5))
    assert "with − without" in ax.get_xlabel()
    plt.close(figure)
