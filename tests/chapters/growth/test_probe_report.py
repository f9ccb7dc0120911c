import re

import numpy as np
import pytest

from tsbp_core import numpy_lif
from tsbp_core.chapters.growth import probe, probe_report, verdicts
from tsbp_core.lab import results


@pytest.fixture(scope="module")
def found():
    return probe.load()


@pytest.fixture(scope="module")
def said(found):
    return probe_report.phrases(found, verdicts.by_family())


def test_the_text_cites_only_what_there_is(said):
    text = (results.PROJECT / "book" / "10-growth.ipynb").read_text()
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", text)) <= said.keys()


def test_bounds_of_the_two_resets(said):
    assert said["bound-subtract"] == f"{1 + 1 / 0.9:.2f}"
    assert said["bound-zero"] == f"{1 / 0.9:.2f}"
    assert said["slope-zero"] == f"{4 / 0.9:.1f}"
    assert float(said["square-subtract"]) > float(said["bound-subtract"])


def test_where_the_two_faces_part(said, found):
    """The chapter's equation gives 1 there; the measured bound of the mean square is near."""
    density, peak = probe_report.faces_peak()
    assert 0.81 * (1 + density * (4 * peak / 6 - 2)) == pytest.approx(1.0)
    assert peak == pytest.approx(found.square_bound["subtract"], rel=0.1)


def test_one_neuron_owns_the_gradient_of_a_tall_surrogate():
    """By hand: the longest of 2,000 and the 999 after it."""
    for unit in probe.UNITS:
        x, g = probe.draw(100, 2000)
        lif = probe.make_neuron("subtract", unit, 50)
        delta = numpy_lif.backward(g, numpy_lif.forward(x, lif), lif)
        squares = np.sort(np.linalg.norm(delta, axis=0) ** 2)
        longest, others = probe_report.shares(unit)
        assert longest == pytest.approx(squares[-1] / squares.sum())
        assert others == pytest.approx(squares[1000:-1].sum() / squares.sum())
    assert probe_report.shares("area")[0] > 0.9 > 0.1 > probe_report.shares("peak")[0]


def test_lengths_of_the_first_study_are_complete_over_detached(said):
    """Tall: longer by all three; at slope 25 shorter at first and in the median."""
    tall, middle = (
        [float(said[f"{key}-area-{slope}"]) for key in ("first", "median", "longest")]
        for slope in (100, 25)
    )
    assert min(tall) > 1
    assert max(middle[:2]) < 1 < middle[2]


def test_tables_have_a_row_for_each_reset_and_slope(found):
    table = probe_report.steps_table(found, slopes=(10,))
    row = re.search(r"<td>soft, 10</td>(.*?)</tr>", table)[1]
    cells = re.findall(r"<td>([^<]*)</td>", row)
    step = found.steps[probe.Stepped("subtract", "area", 10)][1.0]
    assert cells[1] == f"{np.exp(step['typical']):.2f}" and float(cells[1]) < 1
    assert cells[2] == f"{np.exp(step['square']):.2f}"
    assert probe_report.lengths_table(found).count("<tr><td>") == 4


def test_rules_are_the_plans(found):
    ends = verdicts.by_family()["verdict"]
    table = probe_report.rules_table(ends)
    for key, verdict in verdicts.rules(ends).items():
        assert f"<td>{probe_report.RULES[key]}</td><td>{verdict}</td>" in table
