"""The sweep that chose each method's own rate."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import figures, plan, tuned
from tsbp_core.page.style import STYLES


def record(held_out):
    """A results file of a run that ends at ``held_out`` %, as far as it is read."""
    epochs = [
        {"train_loss": 1.0, "held_out": {"accuracy": value / 100}}
        for value in (held_out / 2, held_out)
    ]
    return {"results": {"diverged": False, "epochs": epochs, "test": None}}


@pytest.fixture
def made():
    """Best at the rate of ``plan.OWN_RATES``, by 1 a decade; the term costs 0.5 with SGD."""

    def held_out(run):
        s = run.settings
        own = plan.OWN_RATES[s.optimizer, s.reset_gradient]
        cost = 0.5 * s.reset_gradient * (s.optimizer == "sgd")
        return 80 - abs(np.log10(s.lr / own)) - cost + 0.25 * (run.seed - 100)

    return {run: record(held_out(run)) for run in plan.tuning()}


def test_the_sweep_is_read_by_rate_and_rho(made):
    rates, tables = tuned.swept(made)["sgd"]
    assert rates == plan.TUNING_RATES["sgd"] and tables[1.0].shape == (2, len(rates))
    np.testing.assert_allclose(tables[1.0][:, rates.index(0.1)], [79.5, 79.75])
    np.testing.assert_allclose(tables[0.0][:, rates.index(0.3)], [80.0, 80.25])


def test_the_table_marks_the_best_rate_of_each_method(made):
    rows = tuned.sweep_table(made).split("<tr>")[2:]
    head = tuned.sweep_table(made).split("</tr>")[0]
    assert head.index("with, %") < head.index("without, %") < head.index("gain of each")
    assert len(rows) == sum(map(len, plan.TUNING_RATES.values()))
    assert "<td>0.01</td><td>80.12*</td><td>80.12*</td><td>+0.00 and +0.00<" in rows[2]
    assert "<td>0.1</td><td>79.62*</td><td>79.65</td><td>-0.02 and -0.02<" in rows[6]
    assert "<td>0.3</td><td>79.15</td><td>80.12*</td><td>-0.98 and -0.98<" in rows[7]


def test_curves_are_epochs_by_seeds(made):
    found = tuned.curves(made)
    np.testing.assert_allclose(found["AdamW"][1.0][0.01], [[40, 40.125], [80, 80.25]])
    assert [*found["SGD with momentum"][0.0]] == [*plan.TUNING_RATES["sgd"]]


def test_words_compare_each_method_at_its_own_rate(made):
    said = tuned.phrases(made)
    assert said["tuned-runs"] == "36"
    assert (said["tuned-sgd-gain"], said["tuned-sgd-ends"]) == ("-0.50 and -0.50", "79.6 and 80.1")
    assert (said["tuned-sgd-rate-1"], said["tuned-sgd-rate-0"]) == ("0.1", "0.3")
    assert said["tuned-sgd-largest"] == "-1.0 and -1.0"
    assert said["tuned-sgd-smallest"] == "+0.0 and +0.0"
    assert (said["tuned-adamw-below"], said["tuned-sgd-below"]) == ("0 of 5", "all")


def test_the_own_rate_is_drawn_thick(made):
    figure = figures.held_out_curves(tuned.curves(made), plan.OWN_RATES)
    adamw, sgd = figure.axes
    thick = {
        line.get_color(): list(line.get_ydata()) for line in sgd.lines if line.get_linewidth() > 1
    }
    assert set(thick) == {STYLES[rho]["color"] for rho in plan.RHOS}
    assert thick[STYLES[1.0]["color"]] == pytest.approx([39.8125, 79.625])
    assert thick[STYLES[0.0]["color"]] == pytest.approx([40.0625, 80.125])
    assert len(adamw.lines) == 2 * len(plan.TUNING_RATES["adamw"])
    for ax in figure.axes:
        colours = [line.get_color() for line in ax.lines]
        assert all(colours.count(STYLES[rho]["color"]) == len(colours) / 2 for rho in plan.RHOS)
        assert all(list(line.get_xdata()) == [1, 2] for line in ax.lines)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["AdamW", "SGD with momentum"]
    assert adamw.get_ylabel().startswith("held-out") and adamw.get_ylim()[1] > 82
    plt.close(figure)
