import re

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import compared, outcomes, plan, quarter, recipe, report, tuned
from tsbp_core.lab import results
from tsbp_core.lab.statistics import equivalence, equivalence_pooled


def cited(chapter):
    """Names of the values that a chapter's text cites."""
    (path,) = (results.PROJECT / "book").glob(f"{chapter}-*.ipynb")
    return set(re.findall(r"\{glue:text\}`([^`]+)`", path.read_text()))


def record(accuracy, loss=1.0, ratio=0.5, seconds=7200):
    """A results file of a run, as far as the report reads it."""
    probe = {"update": 0, "ratio": [ratio, 1.0], "cosine": [0.8, 1.0]}
    return {
        "wall_time_s": seconds,
        "results": {
            "diverged": False,
            "gflop_per_image": 0.5,
            "test": {"accuracy": accuracy / 100},
            "epochs": [{"train_loss": loss}],
            "probes": [probe, {**probe, "ratio": [ratio**2, 0.5]}],
        },
    }


def place(run):
    return plan.RATES[run.settings.optimizer].index(run.settings.lr)


def length(settings):
    return settings.reset_gradient if settings.length_of is None else settings.length_of


@pytest.fixture
def made():
    """The term gains as many points as a rate is right of the third, and 0.1 by seed 1; AdamW
    learns best at the fourth rate with the term, at the fifth without."""

    def accuracy(run):
        return 50 + run.settings.reset_gradient * (place(run) - 2 + 0.1 * run.seed)

    grid = {
        run: record(accuracy(run), abs(place(run) - 4 + run.settings.reset_gradient))
        for run in plan.grid(2)
    }
    larger = {run: record(accuracy(run)) for run in plan.larger(2)}
    changed = {
        run: record(50 - 20 * run.settings.reset_gradient * (run.change == "peak-5") + run.seed / 9)
        for run in plan.one_change(2)
    }
    swapped = {  # the direction costs two points, the length gains half a point
        run: record(
            50 - (2 - 0.1 * run.seed) * run.settings.reset_gradient + 0.5 * length(run.settings)
        )
        for run in plan.swap(2)
    }
    return report.Studies(grid, larger, changed, swapped)


def test_all_that_the_text_cites_is_there():
    said = report.phrases(report.load()) | tuned.phrases(tuned.load())
    said |= compared.phrases(compared.load())
    said |= quarter.phrases(quarter.load(), quarter.load((quarter.HIGH,), seeds=(0,)))
    said |= quarter.phrases_of_start(results.load("quarter-start")["results"])
    assert cited("07") <= said.keys()
    assert cited("13") <= recipe.phrases(recipe.load()).keys()


def test_gains_are_with_the_term_minus_without(made):
    said = report.of_rates(made)
    assert said["gain-sgd-0.003"].startswith("-1.95 [")
    assert said["gain-adamw-0.3"].startswith("+4.05 [")
    assert said["primary-sgd"].startswith("+1.05 [")  # third to fifth rate
    assert said["right-sgd"].startswith("+2.05 [")  # fourth to sixth
    assert float(said["p-adamw"]) == pytest.approx(
        equivalence(np.array([1.0, 1.1]), plan.MARGIN), abs=1e-3
    )
    row = report.rates_table(made)
    assert "<td>0.0003</td><td>48.0</td><td>50.0</td><td>-1.95" in row.replace("48.1", "48.0")


def test_each_method_is_taken_at_the_rate_of_its_least_loss(made):
    said = report.of_best_rates(made)
    assert (said["own-adamw-1"], said["own-adamw-0"]) == ("0.01", "0.03")
    assert said["best-adamw"].startswith("+1.05 [")  # 51.05 at the fourth rate, 50 at the fifth


def test_gradients_are_those_at_the_end_and_of_the_first_layer(made):
    said = report.of_gradients(made)
    assert (said["ratio-first"], said["ratio-last"]) == ("0.25", "0.50")
    assert said["shift-first"] == "0.60"  # -log10 of a quarter
    assert said["angle-start"] == "37"  # the cosine is 0.8


def test_direction_and_length_are_told_apart(made):
    said = report.of_swap(made)
    assert said["swap-direction"] == "-1.95 [-3.22, -0.68]"  # t of 97.5 % with two seeds: 25.5
    assert said["swap-length"] == "+0.50 [+0.50, +0.50]"
    assert said["swap-own"].startswith("-1.45 [")
    assert said["swap-apart"].startswith("-2.45 [")
    assert said["swap-carrier"] == "the direction"
    seconds = outcomes.pairs(outcomes.collect("swap"))["adamw-lr0.01"]
    gain = np.mean(np.subtract(seconds[1.0], seconds[0.0]))
    assert report.of_swap(report.load())["swap-best"].startswith(f"{gain:+.2f} [")
    own = report.of_best_rates(report.load())
    assert own["own-adamw-1"] == own["own-adamw-0"] == f"{report.BEST_ADAMW:g}"
    table = report.swap_table(made)
    assert "<td>complete</td><td>48.55</td><td>48.05</td>" in table
    assert "<td>detached</td><td>50.50</td><td>50.00</td>" in table
    same = made._replace(swapped={run: record(50 + run.seed) for run in made.swapped})
    assert report.of_swap(same)["swap-carrier"] == "open"


def test_the_larger_network_is_judged_by_three_standard_errors(made):
    said = report.of_larger_network(made)
    assert said["large-adamw"].startswith("+1.05 [")
    assert (said["large-least"], said["large-most"]) == ("+0.00", "+2.10")
    assert float(said["large-p-pooled"]) > 0.9


def test_errors_that_cancel_make_no_small_standard_error():
    """Three seeds whose means agree, while at each rate they differ by a point."""
    values = np.array([[0.0, 1.0, -1.0], [1.0, -1.0, 0.0], [-1.0, 0.0, 1.0]])
    assert equivalence(values.mean(axis=1) + np.array([0, 1e-6, 2e-6]), 0.5) < 1e-6
    pooled, few = equivalence_pooled(values, 0.5)
    assert pooled == pytest.approx(0.0920, abs=1e-3)  # t = 1.5 with 6 degrees of freedom
    assert few == pytest.approx(0.1362, abs=1e-3)  # with 2
    assert equivalence_pooled(values + 0.2, 0.5)[0] > pooled
    assert equivalence_pooled(values + 0.2, 0.5) == pytest.approx(
        equivalence_pooled(values - 0.2, 0.5)
    )


def test_changes_are_corrected_for_their_number(made):
    said = report.of_changes(made)
    assert said["peak-5-with"] == "30.1" and said["peak-5-without"] == "50.1"
    assert said["peak-5-gain"].startswith("-20.00 [")
    assert "peak 5" in said["clear"]
    assert said["clear-level"] == f"{100 - 5 / 8:.1f}"
    mean, low, high = report.gains_of_changes(made)["no-change"]
    assert (mean, high - low) == pytest.approx((1.05, 2 * 0.05 * 101.859), rel=1e-3)
    assert len(report.map_of_changes(made)) == 9


def test_what_the_larger_network_shows_is_open():
    """Three committed seeds: equivalent by their means, not by the scatter at each rate."""
    said = report.of_larger_network(report.load())
    assert float(said["large-p"]) < 0.05 < float(said["large-p-few"])
    assert float(said["large-p-pooled"]) < 0.05


def test_the_recipes_operations_are_those_that_torch_counts():
    import torch

    from tsbp_core.chapters.cifar10 import network

    counted = network.training_flop(recipe.net(), torch.zeros(2, 3, 32, 32)) / 1e9
    assert recipe.training_gflop(4) == pytest.approx(counted, rel=2e-3)
    assert recipe.whole() == pytest.approx(
        50_000 * (8 * recipe.training_gflop(2) + 4 * recipe.training_gflop(4)) / 1e6
    )


def test_undoing_a_step_is_compared_with_the_recipe_seed_by_seed():
    def ran(run):
        better = 2.0 if run.name == "recipe" else 0.0
        epoch = {"seconds": 120.0 if run.name == "float32" else 60.0, "gflop": 1e6}
        epoch["held_out"] = {"accuracy": (70 + run.seed + better) / 100}
        return {
            "wall_time_s": 60,
            "results": {"diverged": False, "test": None, "epochs": [epoch]},
        }

    found = recipe.Studies({}, {}, {run: ran(run) for run in plan.ablation(3)})
    changes = recipe.undone(found)
    assert set(changes) == set(plan.ABLATION) - {"recipe"}
    assert changes["float32"][0] == pytest.approx([-2.0] * 3)
    assert changes["float32"][1] == pytest.approx([2.0] * 3)
    said = recipe.of_ablation(found)
    assert said["undo-sgd"].startswith("-2.00") and said["time-float32"] == "2.00"
    assert said["short-accuracy"] == "73.0"


def test_flips_and_the_best_seed_are_free():
    found = recipe.load()
    plain, flips = recipe.free(found)
    said = recipe.of_reporting(found)
    assert said["for-free"] == f"{flips.max() - plain.mean():.1f}"
    assert float(said["by-flips"]) > 0
    table = recipe.free_table(found)
    assert f"<td>mean of all runs, plain</td><td>{plain.mean():.2f}</td>" in table
    assert f"<td>best of the runs, with flips</td><td>{flips.max():.2f}</td>" in table


def test_the_results_table_has_a_row_for_each_run():
    found = recipe.load()
    table = recipe.result_table(found)
    assert table.count("<tr>") == 1 + len(found.runs)
    said = recipe.of_result(found)
    accuracy = found.accuracy()
    assert said["accuracy-1"] == f"{np.mean(accuracy[1.0]):.2f}"
    assert said["accuracy-0"] == f"{np.mean(accuracy[0.0]):.2f}"
