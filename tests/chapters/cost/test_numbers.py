"""What chapter 8 cites, computed again from the results files in other words."""

import json
from statistics import median

import numpy as np
import pytest

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.cost import agreement, numbers
from tsbp_core.lab.results import RESULTS

STEPS = {"dense": 100, "CIFARNet": 5}


@pytest.fixture(scope="module")
def study():
    return json.loads((RESULTS / "overhead.json").read_text())


@pytest.fixture(scope="module")
def card():
    return json.loads((RESULTS / "gpu.json").read_text())


@pytest.fixture(scope="module")
def texts(study, card):
    return numbers.cited(study, card)


def ns(study, size, name, allocator="kept"):
    (record,) = (
        r
        for r in study["results"]["times"]
        if (r["steps"], r["threads"], r["allocator"]) == (STEPS[size], 1, allocator)
    )
    if name == "floor":
        return 3 * median(record["value"]["copy"])
    return median(map(sum, record["value"]["layers"][name]))


@pytest.mark.parametrize("size", STEPS)
def test_layers_against_the_floor_and_others(study, texts, size):
    fused = ns(study, size, "fused")
    assert texts[f"floor-{size}"] == f"{fused / ns(study, size, 'floor'):.1f}"
    fastest = min(study["settings"]["libraries"], key=lambda name: ns(study, size, name))
    assert texts[f"best-{size}"] == fastest
    assert texts[f"peer-{size}"] == f"{ns(study, size, fastest) / fused:.1f}"


@pytest.mark.parametrize("size", STEPS)
def test_page_faults_are_of_the_default_allocator(study, texts, size):
    fused = ns(study, size, "fused", "default")
    assert texts[f"faults-{size}"] == f"{fused / ns(study, size, 'fused'):.1f}"
    peer = ns(study, size, "SpikingJelly", "default")
    assert texts[f"plain-{size}"] == f"{peer / fused:.1f}"
    rows = [row for row in numbers.fault_rows(study["results"]) if row[:2] == (size, "fused")]
    assert rows == [(size, "fused", f"{fused:.2f}", texts[f"faults-{size}"])]


def test_the_terms_price_is_with_over_without(study, texts):
    record = study["results"]["training_term"][0]["value"]
    ratio = np.median(np.divide(record["fused"], record["fused, rho = 0"]))
    assert texts["price-fused, training step"].startswith(f"{100 * (ratio - 1):+.1f} % [")
    layers = [f"price-{name}, {size}" for name in ("eager", "plain autograd") for size in STEPS]
    most = max(layers, key=lambda layer: float(texts[layer].split()[0]))
    assert texts["price-most"] == texts[most]
    least = min(layers, key=lambda layer: float(texts[layer].split()[0]))
    assert texts["price-least"] == texts[least]

    def width(layer):
        low, high = texts[layer].split("[")[1].rstrip("]").split(", ")
        return float(high) - float(low)

    widest = max(layers, key=width)
    assert texts["price-widest"] == f"{widest.removeprefix('price-')}, {texts[widest]}"


def test_zero_has_a_plus():
    assert numbers.percent((0.9, -0.04, 1.3)) == "+0.9 % [+0.0, +1.3]"


def test_bytes_of_the_term_are_those_counted_by_hand(texts):
    """Eager: a product, another, a difference: 2 + 3 + 3 numbers of 4 bytes."""
    assert texts["term-eager"] == "32"
    assert float(texts["times-eager"]) > float(texts["times-plain autograd"]) > 1


def test_shares_and_launches_of_the_card(card, texts):
    (record,) = (
        r
        for r in card["results"]["layers"]
        if (r["size"], r["dtype"], r["T"]) == ("CIFARNet", "float32", 64)
    )
    per_second = 1e9 * 21 / median(map(sum, record["layers"]["kernel"]))
    assert texts["share-float32-64"] == f"{per_second / median(card['results']['copy']):.0%}"
    assert float(texts["launch-kernel"]) < float(texts["launch-plain autograd"])


def test_bars_say_which_has_the_term(study):
    rows, styles = numbers.bars(numbers.record_at(study["results"], "dense"), ("eager",))
    assert rows["eager, ρ = 1"] == pytest.approx(ns(study, "dense", "eager"))
    assert rows["eager, ρ = 0"] == pytest.approx(ns(study, "dense", "eager, rho = 0"))
    assert styles == {"eager, ρ = 0": 0.0, "eager, ρ = 1": 1.0}


@pytest.mark.parametrize(
    ("heads", "rows"),
    [
        (numbers.BLOCK_HEADS, numbers.block_rows),
        (numbers.LAYER_HEADS, numbers.layer_rows),
        (numbers.TRAINING_HEADS, numbers.training_rows),
        (numbers.PEAK_HEADS, numbers.peak_rows),
        (numbers.FAULT_HEADS, numbers.fault_rows),
    ],
)
def test_rows_fit_their_heads(study, heads, rows):
    lines = list(rows(study["results"]))
    assert lines and {len(line) for line in lines} == {len(heads)}


def test_training_rows_are_over_the_fused_layers(study):
    (row,) = (r for r in numbers.training_rows(study["results"]) if r[0] == "eager")
    assert float(row[2]) > 1
    (fused,) = (r for r in numbers.training_rows(study["results"]) if r[0] == "fused")
    assert fused[2] == "1.00"


def test_programs_agree_and_a_wrong_gradient_would_show():
    lif = LIF(surrogate=surrogates.Sigmoid(0.2))
    rows = {name: (same, float(error)) for name, same, error in agreement.rows(lif)}
    assert {"eager", "plain autograd"} <= rows.keys()
    assert all(same == "yes" and error < 1e-12 for same, error in rows.values())
    x, g = np.full((4, 2), 0.7), np.ones((4, 2))
    function = agreement.formulations(lif)["eager"]
    _, gradient = agreement.spikes_and_gradient(function, x, g)
    _, doubled = agreement.spikes_and_gradient(function, x, 2 * g)
    np.testing.assert_allclose(doubled, 2 * gradient)
