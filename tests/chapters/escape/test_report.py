import re

import numpy as np
import pytest

from tsbp_core.chapters.escape import report, study
from tsbp_core.chapters.gradient import twin
from tsbp_core.lab import results


@pytest.fixture(scope="module")
def committed():
    return (*study.load(), results.load("escape")["settings"])


@pytest.fixture(scope="module")
def said(committed):
    return report.phrases(*committed)


def test_the_text_cites_what_there_is(said):
    text = (results.PROJECT / "book" / "09-truth.ipynb").read_text()
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", text)) == said.keys()


def test_the_pencils_case():
    """By the chapter's equation, with p and h written out."""
    found = report.pencil()

    def p(u):
        return 1 / (1 + np.exp(-(u - 1) / 0.2))

    def h(u):
        return p(u) * (1 - p(u)) / 0.2

    bracket = p(0.6) - p(1.32)
    slope = -0.72 * (p(0.9) * h(0.6) + (1 - p(0.9)) * h(1.32))
    direct = (1 - p(0.9)) * 0.8 * h(1.32)
    assert found["bracket"] == pytest.approx(bracket)
    assert found["slope"] == pytest.approx(slope)
    assert found["truth"] == pytest.approx(h(0.9) * (1 + bracket) + direct)
    assert found["1"] == pytest.approx(h(0.9) * (1 + slope) + direct)
    assert found["0"] == pytest.approx(h(0.9) + direct)


def test_a_common_factor_leaves_the_term_less_to_gain(said, committed):
    """Nearer by the error is more than nearer by the cosine, with the hard reset."""
    share = int(re.match(r"(\d+)%", said["nearer-zero"])[1])
    assert int(said["direction-zero"][:-1]) < share - 5
    table = report.rescaled_table()
    assert "<td>hard, trace</td><td>78%</td><td>0.77 0.30</td><td>0.39 0.28</td>" in table


def test_tables_take_their_own_widths(committed):
    exact, _, settings = committed
    narrow = study.Condition("zero", "trace", noise=0.05, surrogate=0.05)
    words = study.describe(exact[narrow]).split("  ")
    assert f"<td>hard, trace</td><td>{words[0]}</td>" in report.table(exact, 0.05, 0.05)
    assert f"<td>hard, trace</td><td>{words[0]}</td>" not in report.table(exact)
    rows = report.dropped_table(exact, settings["widths"]).count("<tr><td>")
    assert str(rows) == report.of_pairs(exact, settings["widths"])["pairs-drop"]


def test_two_judges_of_the_gradient_that_people_train_with(said):
    """Neither favours dropping the term; by the twin, the hard reset's directions are alike."""
    found = report.from_twin()
    for reset in ("zero", "subtract"):
        kept, dropped = found[reset, 1.0], found[reset, 0.0]
        assert kept[0] < dropped[0] and kept[2] < dropped[2]
        with_term, without = (float(said[f"smoothed-{reset}-{rho}"]) for rho in (1, 0))
        assert with_term > without + 0.1
    assert abs(found["zero", 1.0][1] - found["zero", 0.0][1]) < 0.02
    x, loss = twin.draw()
    truth, by_rho = twin.gradients(x, loss, twin.neuron("zero"))
    error = np.linalg.norm(by_rho[1.0] - truth, axis=0) / np.linalg.norm(truth, axis=0)
    assert said["twin-zero"] == f"{np.median(error):.2f}"
