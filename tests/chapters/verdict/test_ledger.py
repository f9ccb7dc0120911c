from tsbp_core.chapters.verdict import figures, ledger, trained_claims
from tsbp_core.chapters.verdict.claim import Claim, commands
from tsbp_core.lab import results


def test_claims_name_their_results_and_commands():
    makefile = (results.PROJECT / "Makefile").read_text()
    for claim in ledger.claims():
        assert claim.files
        for command in commands(claim):
            assert f"{command.split()[1]}" in makefile


def test_some_claims_do_not_hold():
    """Else a ledger would be praise: what was expected and did not come is in it."""
    wrong = [claim for claim in ledger.claims() if claim.holds is False]
    assert len(wrong) >= 4
    assert sum(claim.source.startswith("announced") for claim in wrong) == 4


def test_whether_a_claim_holds_follows_the_results(monkeypatch):
    """A dear term, and one that never helps: other verdicts."""

    def verdicts():
        return {claim.text: claim.holds for claim in ledger.claims()}

    before = verdicts()
    prices = dict.fromkeys(("fused, dense", "plain autograd, dense"), (20.0, 19.0, 21.0))
    monkeypatch.setattr(ledger.cost, "prices", lambda found: prices)
    monkeypatch.setattr(trained_claims, "toy_gain", lambda optimizer: (-0.1, -0.2, 0.0))
    changed = {text for text, holds in verdicts().items() if holds != before[text]}
    assert changed == {
        "In fused code the term costs a few percent at most.",
        "A toy neuron trains more robustly to the learning rate with the term.",
    }


def test_table_escapes_and_says_what_does_not_hold():
    claim = Claim("us", "1 < 2", "3", ("escape",), False)
    text = figures.claims_table([claim])
    assert "1 &lt; 2" in text
    assert "does not agree" in text
    assert "make escape" in text
