from dataclasses import replace

import pytest

from tsbp_core.chapters.verdict import effects


def test_effects_have_verdicts_of_their_intervals():
    effect = effects.Effect("task", "setting", 0.4, 0.2, 0.6, "decades")
    assert effect.verdict == "keep"
    assert effect.strength == pytest.approx(2)
    assert effect.text == "+0.40 [+0.20, +0.60] decades"
    assert replace(effect, low=-0.1).verdict == "either"
    assert replace(effect, mean=-0.4, low=-0.6, high=-0.2, unit="points").verdict == "drop"


def test_every_study_that_trains_is_among_the_effects():
    found = effects.effects()
    assert {effect.unit for effect in found} == {"decades", "points"}
    assert len({effect.task for effect in found}) == 6
    assert all(effect.low < effect.mean < effect.high for effect in found)
