"""Claims on recurrent networks, announced in the plan of their study."""

from tsbp_core.chapters.sequences import plan, report
from tsbp_core.chapters.verdict.claim import Claim

TEXTS = {
    "keep, in the end": "Recurrent networks, low surrogate: keep the term for what is learnt.",
    "keep, for speed": "Recurrent networks, low surrogate: keep the term for speed.",
    "drop": "Recurrent networks, tall surrogate: the term does harm in the end.",
    "bound": "The bound of chapter 10 tells when the term adds to the growth of a recurrent "
    "network's credit.",
}


def of_chapter_11(found):
    """The plan's rules; ``found``: ``report.load()``."""
    by_cell = report.cells(found)
    ruled = {"stands": True, "refuted": False, "undecided": None}
    words = report.rules(found, by_cell)
    against, groups = report.against(found), len(plan.groups())
    measured = {
        "keep, in the end": report.tally(by_cell, "low"),
        "keep, for speed": report.tally(by_cell, "low", "speed"),
        "drop": report.tally(by_cell, "tall"),
        "bound": f"another sign in {len(against['first'])} of {groups} groups before training, and "
        f"in {len(against['last'])} after",
    }
    files = tuple(f"sequences/{task}" for task in found)
    return [
        Claim("announced, chapter 11", text, measured[key], files, ruled[words[key]])
        for key, text in TEXTS.items()
    ]
