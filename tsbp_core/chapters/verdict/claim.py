"""A claim of the ledger."""

from dataclasses import dataclass

from tsbp_core.lab import results
from tsbp_core.lab.statistics import interval_text


@dataclass(frozen=True)
class Claim:
    """A claim, what was measured, and in which results files; ``holds`` is None if it is open.

    A judgement stays open, too.
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


def commands(claim):
    """What remakes the results files of a claim."""
    folders = ((results.RESULTS / name, name) for name in claim.files)
    first = (
        f"{name}/{min(folder.iterdir()).stem}" if folder.is_dir() else name
        for folder, name in folders
    )
    return [results.load(name)["command"] for name in first]
