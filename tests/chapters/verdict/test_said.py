"""What chapter 14, the landing page, chapter 7's sweep and the ledger say in numbers.

``said.json`` holds the values when readers last recomputed them from results. Where a study is
computed anew, look at each change, then run this file, which writes them again.
"""

import json
from pathlib import Path

import pytest

from tsbp_core.chapters.cifar10 import tuned
from tsbp_core.chapters.verdict import effects, landing, ledger, report

KEPT = Path(__file__).parent / "said.json"
COMPUTED = "index-with"
"""A rounding error, another on each machine."""


def say():
    """All values by name; claims as what was measured and whether they hold."""
    numbers = landing.phrases()
    del numbers[COMPUTED]
    return {
        "chapter 7, sweep": tuned.phrases(tuned.load()),
        "chapter 14": report.phrases(effects.effects()),
        "landing page": numbers,
        "ledger": {claim.text: [claim.measured, claim.holds] for claim in ledger.claims()},
    }


@pytest.fixture(scope="module")
def found():
    return say()


@pytest.mark.parametrize("place", ["chapter 7, sweep", "chapter 14", "landing page", "ledger"])
def test_what_is_said_is_what_was_recomputed(place, found):
    kept, now = json.loads(KEPT.read_text())[place], found[place]
    assert {name: now.get(name) for name in kept} == kept
    assert now.keys() == kept.keys()


if __name__ == "__main__":
    KEPT.write_text(json.dumps(say(), indent=1, ensure_ascii=False) + "\n")
