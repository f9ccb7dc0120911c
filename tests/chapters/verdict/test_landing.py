import re

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import outcomes, quarter
from tsbp_core.chapters.cost import outcomes as cost
from tsbp_core.chapters.gradient import twin
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.verdict import landing
from tsbp_core.lab import results


@pytest.fixture(scope="module")
def said():
    return landing.phrases()


def test_the_landing_page_cites_what_there_is(said):
    text = (results.PROJECT / "book" / "index.ipynb").read_text()
    cited = set(re.findall(r"\{glue:text\}`([^`]+)`", text))
    assert cited <= said.keys()
    assert said.keys() - cited <= {"index-help", "index-harm", "index-equal", "index-open"}


def test_the_check_by_differences_holds_with_the_term_alone(said):
    assert float(said["index-with"]) < 1e-9 < 0.1 < float(said["index-without"])


def test_what_people_train_with_is_not_the_twins_gradient(said):
    """Distances of the two resets, the hard one first, by hand."""
    x, loss = twin.draw()
    for reset, text in zip(("zero", "subtract"), said["index-apart"].split(" and "), strict=True):
        truth, by_rho = twin.gradients(x, loss, twin.neuron(reset))
        apart = np.linalg.norm(by_rho[1.0] - truth, axis=0) / np.linalg.norm(truth, axis=0)
        assert text == f"{np.median(apart):.2f}"
        assert 0.2 < float(text) < 0.6


def test_the_term_brings_it_nearer_in_direction_with_the_soft_reset_only(said):
    (hard, soft), (hard_0, soft_0) = (
        [float(word) for word in said[f"index-cosine{name}"].split(" and ")] for name in ("", "-0")
    )
    assert hard == pytest.approx(hard_0, abs=0.011) and soft > soft_0 + 0.02
    x, loss = twin.draw()
    truth, by_rho = twin.gradients(x, loss, twin.neuron("subtract"))
    inner = (by_rho[0.0] * truth).sum(axis=0)
    lengths = np.linalg.norm(by_rho[0.0], axis=0) * np.linalg.norm(truth, axis=0)
    assert soft_0 == pytest.approx(np.median(inner / lengths), abs=0.006)


def test_verdicts_of_low_surrogates_add_up_to_ten_cells(said):
    found = [said.get(f"index-{name}", "0") for name in ("equal", "open", "help", "harm")]
    assert sum(map(int, found)) == 10


def test_images_are_judged_with_the_term_minus_without(said):
    grid = outcomes.primary(outcomes.collect("grid"), "adamw")
    gain = np.mean(grid[1.0] - grid[0.0])
    assert said["index-cifar-adamw"].startswith(f"{gain:+.2f} [")
    again = outcomes.by_direction_and_length(outcomes.collect("swap"))
    gain = np.mean(again[1.0, 1.0] - again[0.0, 0.0])
    assert said["index-cifar-again"].startswith(f"{gain:+.2f} [")
    recipe = outcomes.pairs(outcomes.collect("headline"))[""]
    assert said["index-recipe-1"] == f"{np.mean(recipe[1.0]):.1f}"
    assert said["index-recipe-0"] == f"{np.mean(recipe[0.0]):.1f}"


def test_one_neuron_is_judged_with_adam_over_the_whole_map(said):
    gains = toy.gains_of_map(toy.load("map"))
    adam = {key[:2]: low > 0 for key, (_, low, _) in gains.items() if key[-1] == "adam"}
    assert said["index-toy"] == f"{sum(adam.values())} of {len(adam)}" == "21 of 25"
    descent = [said[f"index-toy-{word}"] for word in ("helps", "hurts", "open")]
    assert descent == ["2", "3", "20"]
    left = {key for key, helps in adam.items() if not helps}
    assert left == {("width", "0.05"), ("N", "20"), ("N", "200"), ("N", "400")}
    assert all(high > 0 for key, (_, _, high) in gains.items() if key[:2] in left and "adam" in key)


def test_each_price_is_of_its_code(said):
    prices = cost.prices(results.load("overhead")["results"])
    assert said["index-price"] == cost.percent(prices["fused, dense"])
    assert said["index-price-plain"] == cost.percent(prices["plain autograd, dense"])
    assert said["index-price"] != said["index-price-plain"]


def test_the_papers_network_is_judged_with_the_term_minus_without(said):
    pair = quarter.pairs(quarter.load())[5e-4]
    assert said["index-quarter"].startswith(f"{np.subtract(pair[1.0], pair[0.0]).mean():+.2f} [")
