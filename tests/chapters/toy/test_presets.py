import dataclasses
import re

import numpy as np
import pytest

from tsbp_core import surrogates
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import outcomes, presets
from tsbp_core.chapters.toy.plan import Condition
from tsbp_core.lab import results


def found(one, other, share=None, name=presets.PRESETS[0].name):
    share = np.zeros(41) if share is None else share
    return {
        f"{name}/rho=1": {"decades": one, "share": list(share)},
        f"{name}/rho=0": {"decades": other, "share": list(0.5 * share)},
    }


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ([1.0, 1.1, 1.2] * 9, [0.5, 0.7, 0.6] * 9, r"The gain, \+0.50 \[.*\], is clear\."),
        ([0.5, 0.7, 0.6] * 9, [1.0, 1.1, 1.2] * 9, r"The loss, -0.50 \[.*\], is clear\."),
        ([1.0, 0.1, 1.2], [0.5, 0.7, 0.6], r"The gain, \+0.17 \[.*\], is not clear\."),
        ([0.5, 0.7, 0.6], [1.0, 0.1, 1.2], r"The loss, -0.17 \[.*\], is not clear\."),
        ([0.5, 0.7], [0.5, 0.7], r"No seed gains or loses\."),
    ],
)
def test_the_verdict_is_computed(one, other, said):
    pair = found(one, other)
    mean, low, high = presets.gain(pair, presets.PRESETS[0].name)
    assert mean == pytest.approx(np.mean(one) - np.mean(other))
    assert re.fullmatch(said, presets.verdict(mean, low, high))


def test_ten_times_the_best_rate():
    share = np.zeros(41)
    share[12], share[20] = 0.8, 0.1
    button = presets._button(presets.PRESETS[-1], found([1.0], [0.5], share))
    assert button["settings"].startswith(f"eta={10 * toy.LEARNING_RATES[12]:.4g}&")
    assert "10 % of 1 seeds learn with the term, 5 % without" in button["caption"]


def test_a_link_holds_what_the_study_ran():
    lif = dataclasses.replace(
        toy.NEURON, decay=0.3, threshold=1.5, reset="subtract", surrogate=surrogates.Triangle(0.7)
    )
    preset = presets.Preset("n", "w", "05-toy", lif, toy.Settings(steps=40, inputs=20, tau=2.0))
    link = dict(pair.split("=") for pair in presets._link(preset, 0.0123).split("&"))
    assert link == {
        "eta": "0.0123", "decay": "0.3", "threshold": "1.5", "width": "0.7", "unit": "peak",
        "surrogate": "Triangle", "reset": "subtract", "target": "random", "tau": "2.0", "T": "40",
        "N": "20", "seeds": "8",
    }  # fmt: skip


def test_silence_is_no_learning():
    outcome = {"initial": [10.0, 10.0], "silent": [5.0, 1.0],
               "final": [[1.9, 1.1, 2.1, np.nan], [1.9, 0.1, 2.1, 0.9]]}  # fmt: skip
    summary = presets.summarise(outcome)
    assert summary["share"] == [0.0, 0.5, 0.0, 0.0]
    assert summary["decades"] == [0.0, 1 / 8]


def test_units_are_seeds_of_each_preset_by_both_methods():
    units = presets.units(120)
    assert len(units) == 3 * 2 * 3
    tall = [unit for unit in units if unit.name == "A surrogate too tall/rho=0"]
    assert [(unit.start, unit.stop) for unit in tall] == [(0, 50), (50, 100), (100, 120)]
    assert {unit.lif.reset_gradient for unit in tall} == {0.0}
    assert tall[0].lif.surrogate.scale == 5.0
    assert tall[0].settings.target == "teacher"
    np.testing.assert_allclose(tall[0].rates, toy.LEARNING_RATES)


def test_each_preset_shows_its_finding():
    """The results file bears out the buttons' names."""
    stored = results.load("toy-presets")["results"]
    helps, not_, tall, fast = (preset.name for preset in presets.PRESETS)
    assert presets.gain(stored, helps)[1] > 0.2
    assert presets.gain(stored, not_) == (0.0, 0.0, 0.0)
    assert presets.gain(stored, tall)[2] < -0.2
    assert all(len(unit["decades"]) == presets.SEEDS for unit in stored.values())
    buttons = {button["name"]: button for button in presets.presets()}
    share = stored[f"{helps}/rho=1"]["share"]
    eta = float(buttons[fast]["settings"].split("&")[0].split("=")[1])
    at = np.abs(toy.LEARNING_RATES - eta).argmin()
    assert max(share) > 0.7
    assert share[at] < 0.1
    wide = outcomes.load("wide")
    pair = (wide[Condition("zero", "random", "adam", rho)] for rho in (1.0, 0.0))
    known = outcomes.gain(*pair, "strict")
    assert presets.gain(stored, helps) == pytest.approx(known, abs=0.02), "chapter 5's own number"
