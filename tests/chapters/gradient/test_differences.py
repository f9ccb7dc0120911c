import numpy as np
import pytest

from tsbp_core import LIF, network, surrogates
from tsbp_core.chapters.gradient import differences, two_layers


def test_one_step_has_nothing_to_miss_and_more_do():
    errors = differences.errors(differences.by_length())
    for reset in differences.RESETS:
        assert errors[reset][0] < 1e-12 and errors[reset][-1] > 0.5


def test_an_error_is_made_of_length_and_cosine():
    """|d - c|^2 = |c|^2 (r^2 - 2 r cos + 1)."""
    for own in differences.by_width().values():
        for report in own:
            r, cos = differences.length_ratio(report), differences.cosine(report)
            assert report.without_term == pytest.approx(np.sqrt(r**2 - 2 * r * cos + 1), abs=1e-6)


def test_the_soft_resets_detached_gradient_is_too_long_and_nearly_right():
    rows = {row[0]: row[1:] for row in differences.width_rows(differences.by_width())}
    assert {len(row) for row in rows.values()} == {len(differences.WIDTH_HEADS) - 1}
    assert max(map(float, rows["subtract: length"])) > 2
    assert min(map(float, rows["subtract: cosine"])) > 0.8
    assert max(map(float, rows["subtract: error"])) > 1 > max(map(float, rows["zero: error"]))


def test_nine_rows_check_both_propositions():
    rows = list(differences.family_rows())
    assert len(rows) == 9
    for _, reset, complete, detached, frozen in rows:
        assert float(complete) < 1e-12 and float(frozen) < 1e-12
        assert (float(detached) < 1e-12) == (reset == "none")


def test_length_rows_fit_their_heads():
    rows = list(differences.length_rows(differences.by_length()))
    assert [row[0] for row in rows] == ["zero", "subtract"]
    assert {len(row) for row in rows} == {len(differences.LENGTH_HEADS)}


@pytest.mark.parametrize("rho", [1.0, 0.0])
def test_the_two_layers_learn_their_task(rho):
    lif = LIF(surrogate=surrogates.Sigmoid(unit="area"), reset_gradient=rho)
    *_, losses = network.train(*two_layers.task(), lif, updates=200)
    assert losses[-20:].mean() < 0.5 * losses[0]
