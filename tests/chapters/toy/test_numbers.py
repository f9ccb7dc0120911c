"""What chapter 5 cites, computed again from the results files in other words."""

import json
from statistics import fmean

import numpy as np
import pytest

from tsbp_core.chapters.toy import numbers, outcomes
from tsbp_core.chapters.toy.plan import STUDIES
from tsbp_core.lab.results import RESULTS


def raw(name):
    return json.loads((RESULTS / f"{name}.json").read_text())["results"]


def decades(found, strict=False):
    """Decades of learning rate at which each seed learns."""
    counts = []
    for initial, silent, final in zip(
        found["initial"], found["silent"], found["final"], strict=True
    ):
        bar = 0.2 * (min(initial, silent) if strict else initial)
        counts.append(sum(loss is not None and loss < bar for loss in final) / 8)
    return counts


def first(text):
    """The mean of "+0.31 [+0.25, +0.38]"."""
    return float(text.split()[0])


def gain(one, other, strict=False):
    return fmean(decades(one, strict)) - fmean(decades(other, strict))


@pytest.fixture(scope="module")
def texts():
    return numbers.cited()


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_gains_are_complete_minus_detached(texts, reset, optimizer):
    for key, file, strict in (
        ("gain", "toy", 0),
        ("wide", "toy-wide", 0),
        ("strict", "toy-wide", 1),
    ):
        name = f"{reset}/teacher/{optimizer}"
        mean = gain(*(raw(file)[f"{name}/rho={rho}"] for rho in (1, 0)), strict)
        assert first(texts[f"{key}-{name}"]) == pytest.approx(mean, abs=0.0051)


def test_widths_and_seeds_that_learn(texts):
    for rho in (1, 0):
        found = decades(raw("toy-wide")[f"zero/random/sgd/rho={rho}"], strict=True)
        assert texts[f"decades-sgd-{rho}"] == f"{fmean(found):.2f}"
        assert texts[f"ever-sgd-{rho}"] == f"{fmean(d > 0 for d in found):.0%}"


def test_the_announced_count_splits_by_optimiser(texts):
    count = {
        optimizer: [
            texts[f"width-{optimizer}-{word}"] for word in ("helps", "hurts", "open", "all")
        ]
        for optimizer in ("adam", "sgd")
    }
    assert count == {"adam": ["21", "0", "4", "25"], "sgd": ["2", "3", "20", "25"]}
    assert texts["width-helps"] == "23" and texts["strict-hurts"] == "0"
    found = raw("toy-map")
    assert gain(*(found[f"width=0.05/sgd/rho={rho}"] for rho in (1, 0))) < 0


def test_what_is_open_is_listed_with_the_seeds_that_learn(texts):
    mapped = outcomes.load("map")
    rows = list(numbers.rows_of_map(mapped))
    assert len(rows) == int(texts["strict-open"])
    (row,) = (row for row in rows if row[:2] == ("decay 0.99", "sgd"))
    ever = [
        fmean(d > 0 for d in decades(raw("toy-map")[f"decay=0.99/sgd/rho={rho}"], strict=True))
        for rho in (1, 0)
    ]
    assert row[3:] == ("open", *(f"{share:.0%}" for share in ever))


def test_direction_is_not_length(texts):
    """By both criteria, direction brings more than length."""
    found = raw("toy-why")
    for reset in ("zero", "subtract"):
        for optimizer in ("adam", "sgd"):
            base = found[f"{reset}/{optimizer}/direction=0/length=0"]
            for outcome in ("width", "strict"):
                means = []
                for taken in ("direction=1/length=0", "direction=0/length=1"):
                    name = f"{reset}/{optimizer}/{taken}"
                    means.append(gain(found[name], base, outcome == "strict"))
                    assert first(texts[f"{outcome}-{name}"]) == pytest.approx(means[-1], abs=0.0051)
                assert means[0] > means[1]


def test_what_the_gradients_share(texts):
    for reset in ("zero", "subtract"):
        assert texts[f"share-{reset}-before"] == "97%"
        assert float(texts[f"rest-{reset}-before"]) < float(texts[f"cosine-{reset}-before"])
    assert (texts["factor-zero-1"], texts["factor-zero-0"]) == ("0.06", "0.55")
    assert texts["factor-subtract-0"] == "0.80"


def test_cosines_are_those_of_the_rate_at_which_most_seeds_learn(texts):
    found = raw("toy-why")["zero/adam/direction=1/length=1"]
    losses = np.array(found["final"], float) / np.array(found["initial"])[:, None]
    at = (losses < 0.2).sum(axis=0).argmax()
    last = found["along"]["299"]
    assert texts["cosine-zero-299"] == f"{last['cosine'][at][2]:.2f}"
    assert texts["ratio-zero-0"] == f"{found['along']['0']['length_ratio'][at][2]:.1f}"


def test_one_rate_can_favour_either(texts):
    for name, sign in (("complete", 1), ("detached", -1)):
        one, other = (float(texts[f"favours-{name}-{rho}"].strip("%")) for rho in (1, 0))
        assert sign * (other - one) > 10


def test_silence_passes_where_its_loss_is_low(texts):
    found = raw("toy")["zero/random/adam/rho=1"]
    pairs = zip(found["silent"], found["initial"], strict=True)
    assert texts["silent"] == f"{fmean(silent < 0.2 * first for silent, first in pairs):.0%}"


def test_every_study_says_how_it_was_made():
    lines = list(numbers.made())
    assert len(lines) == len(STUDIES) + 1
    assert all(line.startswith("make toy") for line in lines[:-1])


def test_a_tall_surrogate_narrows_the_range(texts):
    with_term, without = (
        fmean(raw("toy-presets")[f"A surrogate too tall/rho={rho}"]["decades"]) for rho in (1, 0)
    )
    assert first(texts["tall-teacher"]) == pytest.approx(with_term - without, abs=0.005)
    assert with_term < without
