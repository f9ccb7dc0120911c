"""A claim of the ledger."""

from dataclasses import dataclass

from tsbp_core.lab import results
from tsbp_core.lab.statistics import interval_text


@dataclass(frozen=True)
class Claim:
    """A claim, what was measured, and in which results files; ``holds`` is None if it is open.

    A judgement stays open, too, and so does a claim of no harm, or of no gain, that an interval is
    too wide to bear out.
    """

    source: str
    text: str
    measured: str
    files: tuple
    holds: bool | None

    def __post_init__(self):
        if self.holds is not None:
            object.__setattr__(self, "holds", bool(self.holds))


def both(gains, unit):
    """Two gains with their intervals in words."""
    one, other = (interval_text(*gain) for gain in gains)
    return f"{one} and {other} {unit}"


def tally(counts):
    """How many have each verdict, in words."""
    return ", ".join(f"{word} {n}" for word, n in counts.items())


def signs(gains):
    """How many intervals lie above zero, below it, and how many there are."""
    return sum(low > 0 for _, low, _ in gains), sum(high < 0 for *_, high in gains), len(gains)


def no_more_than(most, gains):
    """Whether all gains are at most so large: None where an interval holds both answers."""
    if any(low > most for _, low, _ in gains):
        return False
    return True if all(high < most for *_, high in gains) else None


def no_harm(counts):
    """Whether cells with these verdicts show that there is none: None where some are open."""
    if counts.get("harm"):
        return False
    return None if counts.get("open") else True


def commands(claim):
    """What remakes the results files of a claim."""
    folders = ((results.RESULTS / name, name) for name in claim.files)
    first = (
        f"{name}/{min(folder.iterdir()).stem}" if folder.is_dir() else name
        for folder, name in folders
    )
    return [results.load(name)["command"] for name in first]
