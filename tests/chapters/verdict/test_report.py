import re
from dataclasses import replace

import numpy as np
import pytest

from tsbp_core import surrogates
from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.chapters.growth import verdicts
from tsbp_core.chapters.growth.plan import Cell
from tsbp_core.chapters.verdict import effects, ledger, report
from tsbp_core.chapters.verdict.claim import Claim
from tsbp_core.lab import results


@pytest.fixture(scope="module")
def rows():
    return effects.effects()


@pytest.fixture(scope="module")
def said(rows):
    return report.phrases(rows)


def test_the_text_cites_only_what_there_is(said):
    text = (results.PROJECT / "book" / "14-advice.ipynb").read_text()
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", text)) <= said.keys()


def test_every_row_has_a_name_of_its_own(rows, said):
    names = [report.key(row) for row in rows]
    assert len(set(names)) == len(rows)
    assert "manifolds-3-layers-soft-peak-5" in names
    assert "CIFAR-10-4-layers-SGD-each-at-its-best-rate" in names
    for row in rows:
        assert f"{row.mean:+.2f} [" in said[report.key(row)]


def test_names_take_the_rows_they_say(rows):
    """The first row of the toy is Adam's, and of the larger network AdamW's at the middle rates."""
    at = next(i for i, row in enumerate(rows) if row.task == effects.LARGE)
    made = [*rows]
    made[at] = replace(rows[at], low=-0.1, high=0.1)
    assert report.of_effects(made)["larger-adamw"] == "equal"
    assert rows[at].setting.startswith("AdamW, middle")
    found = report.of_effects(rows)
    assert [found["spike-times-Adam"], found["spike-times-gradient-descent"]] == [
        row.text for row in rows if row.task == effects.TOY
    ]
    assert "decades" in found["spike-times-gradient-descent"]


def test_low_rows_are_counted(rows, said):
    low = [row.verdict for row in rows if row.height <= 2.5]
    assert said["low-rows"] == str(len(low)) == "33"
    for verdict in ("equal", "keep", "drop", "open"):
        assert said[f"low-rows-{verdict}"] == str(low.count(verdict))


def test_the_larger_networks_equivalence_is_open_once_corrected(said):
    assert said["larger-adamw"] == "open"
    pairs = outcomes.pairs(outcomes.collect("larger"), by=lambda run: run.condition)
    apart = [np.subtract(pair[1.0], pair[0.0]) for name, pair in pairs.items() if "adamw" in name]
    assert len(apart) == 3 == len(plan.RATES["adamw"][plan.MIDDLE])
    assert said["larger-least"] == f"{np.min(apart):+.2f}"
    assert said["larger-most"] == f"{np.max(apart):+.2f}"


def test_a_wide_low_surrogate_amplifies_and_a_narrower_one_does_not():
    """At a spike abs(J) = lambda u h: largest where its slope is 0, and 1 at both ends."""
    largest, ends = report.largest_factor(surrogates.Sigmoid(0.5), 0.9)
    u = np.array(ends)
    q = 1 / (1 + np.exp(-(u - 1) / 0.5))
    assert 0.9 * u * 4 * q * (1 - q) == pytest.approx(1.0, abs=0.01)
    assert 1.0 < largest < 1.2
    assert report.largest_factor(surrogates.Sigmoid(0.25), 0.9)[1] is None


def test_what_a_change_without_tuning_costs():
    """The term's best rate is the first, the detached one's the second, where it ends 5 higher."""
    curves = np.zeros((2, 2, 3, 4))  # rho, rate, seed, point
    curves[0, 0], curves[1, 0], curves[1, 1] = 80.0, 70.0, 75.0
    assert report.untuned({"validation": curves, "test": curves}) == pytest.approx(5.0)


def test_beside_the_best_rates(said):
    """Hard reset, Adam: better at each; soft, SGD: worse at most. Narrower is not better."""
    assert said["rates-better"] == said["rates-tried"] == str(len(Cell("peak", 10, "zero").rates))
    assert int(said["rates-worse"]) > int(said["rates-sgd"]) / 2
    narrower = [float(word) for word in said["narrower"].split(", ")]
    assert narrower == sorted(narrower, reverse=True)
    assert said["toy-tall"].startswith("-")
    assert float(said["untuned-low"]) < float(said["untuned"].split(" to ")[0])
    assert said["swap-own"] != said["swap-best"] != said["swap-direction"]


def test_methods_and_counts_stand_in_their_places(said):
    cells = verdicts.load()
    for method, name in enumerate(("narrower", "narrower-without")):
        names = [Cell("area", 4, "zero"), *(Cell("peak", k, "zero") for k in (10, 25, 100))]
        records = (verdicts.record(cells[cell.name]) for cell in names)
        ends = [verdicts.at_own_best(record, verdicts.end)[0][method].mean() for record in records]
        assert said[name] == ", ".join(f"{end:.0f}" for end in ends)
    assert said["narrower"] != said["narrower-without"]
    within = [int(said[f"within-{verdict}"]) for verdict in ("equal", "help", "open")]
    assert sum(within) == int(said["within"])
    shallow = [s for name, s in verdicts.by_family()["verdict"].items() if "depth=1" in name]
    assert int(said["within-equal-one"]) == 6 == within[0] - 2
    assert sum(s["verdict"] == "equal" for s in shallow) >= 6
    assert [said[f"sequences-{part}"] for part in ("tall-harm", "tall-learnt")] == ["6", "7"]
    assert [said[f"sequences-{kind}-help"] for kind in ("soft", "hard")] == ["6", "3"]
    assert (said["toy-map-adam"], said["toy-map-sgd"]) == ("21 of 24", "2 of 24")
    assert said["toy-map-sgd-strict"] == "21 of 24"
    assert (said["rows-low"], said["rows-tall"]) == ("92", "48")
    assert (said["default-peaks"], said["sigmoid-peak"]) == ("1 to 2", "6.25")


def test_what_is_wrong_is_listed():
    made = [Claim("announced", f"claim {holds}", "", (), holds) for holds in (True, False, None)]
    made.append(Claim("chapter 5", "a finding", "", (), True))
    assert report.wrong(made) == (
        "Of 3 claims of the paper, announcements and guesses 1 agree, 1 are open and 1 do not "
        "hold:\n- claim False"
    )
    moved = next(c for c in ledger.claims() if "moves the curve" in c.text).measured
    assert moved == f"{report.of_rates()['sgd-shift']} decades"
