import re

import numpy as np

from tsbp_core.chapters.verdict import (
    cifar10_claims,
    claim,
    figures,
    ledger,
    sequence_claims,
    trained_claims,
)
from tsbp_core.chapters.verdict.claim import Claim, commands
from tsbp_core.lab import results


def test_claims_name_their_results_and_commands():
    makefile = (results.PROJECT / "Makefile").read_text()
    for made in ledger.claims():
        assert made.files
        for command in commands(made):
            assert f"{command.split()[1]}" in makefile


def verdicts():
    return {made.text: made.holds for made in ledger.claims()}


def test_some_claims_do_not_hold():
    """Else a ledger would be praise: what was expected and did not come is in it."""
    wrong = [made for made in ledger.claims() if made.holds is False]
    assert len(wrong) >= 4
    assert sum(made.source.startswith("announced") for made in wrong) == 4


def test_what_wide_intervals_cannot_bear_out_is_open():
    """No gain beyond 0.5, from -1 to 1: nobody knows."""
    assert claim.no_more_than(0.5, [(0.0, -0.2, 0.2), (0.0, -1.0, 0.4)]) is True
    assert claim.no_more_than(0.5, [(0.0, -0.2, 0.2), (0.0, -1.0, 1.0)]) is None
    assert claim.no_more_than(0.5, [(0.8, 0.6, 1.0), (0.0, -1.0, 1.0)]) is False
    assert claim.no_harm({"equal": 3, "help": 1}) is True
    assert claim.no_harm({"equal": 3, "open": 1}) is None
    assert claim.no_harm({"open": 3, "harm": 1}) is False
    assert claim.signs([(1, 0.5, 2), (0, -1, 1), (-1, -2, -0.5), (1, 0.1, 2)]) == (2, 1, 4)
    found = verdicts()
    assert found["On CIFAR-10 there is not much improvement (small network, two epochs)."] is None
    bound = "With Adam and h no higher than the bound for one step, the term does no harm."
    assert found[bound] is None
    carries = "The robustness of the toy does not carry over to a small network on CIFAR-10."
    assert found[carries] is None
    assert found["In many cases the missing term can be ignored."] is None
    measured = {made.text: made.measured for made in ledger.claims()}
    ignored = measured["In many cases the missing term can be ignored."]
    assert "33 rows with h at most 2.5 high open 19, equal 7, keep 6, drop 1: spike" in ignored
    assert "CIFAR-10, 6 layers: open 3;" in ignored and "manifolds: equal 4, keep 1" in ignored
    assert "Of 17 with a higher one drop 12, " in ignored
    slow = "With SGD and momentum and h no higher than the bound, the term does no harm."
    assert "-2.03" in measured[slow] and "0.03 beyond the margin of 2" in measured[slow]
    toy = "A toy neuron trains more robustly to the learning rate with the term"
    assert found[f"{toy} (Adam)."] is True
    assert found[f"{toy} (gradient descent)."] is None


def test_whether_a_claim_holds_follows_the_results(monkeypatch):
    """A dear term, one that never helps, and other rules: other verdicts."""
    before = verdicts()
    prices = dict.fromkeys(
        ("fused, dense", "fused, CIFARNet", "plain autograd, dense"), (20.0, 19.0, 21.0)
    )
    monkeypatch.setattr(ledger.cost, "prices", lambda found: prices)
    worse = [(-0.1, -0.2, -0.05)] * 6
    for claims in trained_claims, cifar10_claims:
        monkeypatch.setattr(claims, "toy_gains", lambda optimizer, outcome="width": worse)
    rules = dict.fromkeys(("keep, in the end", "keep, for speed", "drop", "bound"), "refuted")
    monkeypatch.setattr(trained_claims.verdicts, "rules", lambda by_name: rules)
    changed = {text for text, holds in verdicts().items() if holds is not before[text]}
    toy = "A toy neuron trains more robustly to the learning rate with the term"
    bound = "With Adam and h no higher than the bound for one step, the term does no harm."
    assert changed == {
        "In our fused layer, five steps a kernel, the term costs a few percent at most.",
        f"{toy} (Adam).",
        f"{toy} (gradient descent).",
        "With spike times and h at most 2.5 high, keep the term, for what is learnt in the end "
        "(three layers).",
        "With spike times and h at most 2.5 high, keep the term, for speed (three layers).",
        bound,
        "With three layers and h 6.25 or 25 high, the term does harm in the end.",
    }


def test_robustness_is_compared_with_the_toys_of_the_same_kind(monkeypatch):
    """AdamW's width is below zero, SGD's from -0.08 to 0.08; the least sure toy counts."""
    grid = cifar10_claims.outcomes.collect("grid")
    for adam, sgd, holds in (0.0, 0.1, True), (0.0, 0.0, None), (-0.2, -0.2, None):
        gains = {"adam": [(0.4, 0.3, 0.5), (0.3, adam, 0.4)], "sgd": [(0.3, sgd, 0.4)]}
        monkeypatch.setattr(cifar10_claims, "toy_gains", gains.get)
        made = cifar10_claims.of_chapter_7(grid)[1]
        assert "carry over" in made.text and made.holds is holds
    monkeypatch.setattr(cifar10_claims.outcomes, "gain", lambda pair: (0.5, 0.45, 0.6))
    assert cifar10_claims.of_chapter_7(grid)[1].holds is False


def test_what_carries_the_cost_of_adamw_follows_both_intervals(monkeypatch):
    """Direction: below zero. Length: an interval that leaves zero out contradicts it."""
    below, around, above = (-0.5, -0.8, -0.2), (0.0, -0.3, 0.3), (0.5, 0.2, 0.8)
    for direction, length, holds in (
        (below, around, True),
        (around, around, None),
        (below, below, False),
        (below, above, False),
    ):
        gains = {"direction": direction, "length": length}
        monkeypatch.setattr(cifar10_claims.report, "gains_of_swap", lambda _, gains=gains: gains)
        (made,) = cifar10_claims.of_chapter_7_swap(cifar10_claims.report.load())
        assert made.holds is holds


def test_one_interval_that_holds_zero_leaves_harm_open(monkeypatch):
    """Of the four with tall surrogates and 150 updates, corrected for four looks."""
    text = "A tall surrogate makes the term harmful (150 updates)."
    assert verdicts()[text] is None
    gains = trained_claims.growth.gains
    for made, holds in ((-9.0, -10.0, -8.0), True), ((9.0, 8.0, 10.0), False):

        def instead(trained, *level, made=made, **chosen):
            return dict.fromkeys(gains(trained, *level, **chosen), made)

        monkeypatch.setattr(trained_claims.growth, "gains", instead)
        claims = trained_claims.of_chapter_10_in_150_updates()
        assert next(c for c in claims if c.text == text).holds is holds


def test_claims_on_recurrent_networks_are_the_plans_words(monkeypatch):
    report = sequence_claims.report
    found = report.load()
    said = "stands", "refuted", "undecided", "refuted"
    words = dict(zip(sequence_claims.TEXTS, said, strict=True))
    monkeypatch.setattr(report, "rules", lambda found, by_cell: words)
    holds = [one.holds for one in sequence_claims.of_chapter_11(found)]
    assert holds == [True, False, None, False]


def test_height_and_steps_are_judged_by_their_intervals(monkeypatch):
    """The tall peak must be below zero and below the low one's interval."""
    below, lower, around = (-5.0, -6.0, -4.0), (-0.6, -0.8, -0.4), (0.5, -7.0, 8.0)
    above, wide = (2.0, 1.0, 3.0), (-5.0, -11.0, 1.0)

    def holds(tall, low, eight, sixteen):
        names = "peak-12.5", "peak-1-as-narrow", "8-steps", "16-steps"
        gains = dict(zip(names, (tall, low, eight, sixteen), strict=True))
        monkeypatch.setattr(cifar10_claims, "gain_by_change", lambda: gains)
        return [claim.holds for claim in cifar10_claims.of_chapter_7_changes()]

    assert holds(below, lower, above, around) == [True, None]
    assert holds(wide, lower, below, above) == [False, True]
    assert holds((3.0, 2.0, 4.0), (6.0, 5.0, 7.0), above, below) == [False, False]
    assert holds(below, around, above, above) == [False, True]


def test_the_shift_and_the_tests_are_judged_by_what_is_sure(monkeypatch):
    grid = cifar10_claims.outcomes.collect("grid")
    spread = iter([0.01, 0.2, 0.01, 0.02])
    monkeypatch.setattr(cifar10_claims, "equivalence", lambda values, margin: next(spread))
    for shift, holds in (
        ([0.1, -0.1, 0.2, 0.1, 0.1], [False, False]),
        ([0.1, 0.1, 0.2, 0.1, 0.1], [True, True]),
    ):
        moved = np.array(shift)
        monkeypatch.setattr(cifar10_claims.outcomes, "shift", lambda tables, rates, m=moved: m)
        equal, _, further = cifar10_claims.of_chapter_7(grid)
        assert [equal.holds, further.holds] == holds


def test_the_recipe_must_reach_it_with_every_seed_in_an_hour(monkeypatch):
    outcomes = cifar10_claims.outcomes
    for least, longest, holds in (89.5, 50, True), (88.0, 50, False), (89.5, 70, False):
        pair = {1.0: [91.0, least], 0.0: [90.0, 92.0]}
        monkeypatch.setattr(outcomes, "pairs", lambda runs, pair=pair: {"": pair})
        minutes = iter([30, longest, 20, 20, 20, 20])
        monkeypatch.setattr(outcomes, "spent", lambda record, m=minutes: ([1, next(m)], [0]))
        assert cifar10_claims.of_chapter_13()[0].holds is holds


def test_table_escapes_and_has_a_word_for_each_verdict():
    made = [Claim("us", "1 < 2", "3 > 2", ("escape",), holds) for holds in (True, False, None)]
    text = figures.claims_table(made)
    head, *rows = text.split("<tr>")[1:]
    assert re.findall("<th>(.*?)</th>", head) == [
        "whose",
        "claim",
        "measured",
        "results, command",
        "verdict",
    ]
    assert "<td>1 &lt; 2</td><td>3 &gt; 2</td>" in rows[0]
    words = [row.split("<td>")[-1].split("<")[0] for row in rows]
    assert words == ["agrees", "does not agree", "open"]
    assert "make escape" in text
