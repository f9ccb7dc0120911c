"""A ledger of claims, the paper's and the book's: what was measured, and whether it holds.

Everything is read from the results files, and whether a claim holds is computed from them.
"""

from tsbp_core.chapters.cifar10 import compared, quarter
from tsbp_core.chapters.cifar10 import report as cifar10
from tsbp_core.chapters.cost import outcomes as cost
from tsbp_core.chapters.growth import verdicts
from tsbp_core.chapters.sequences import report as sequences
from tsbp_core.chapters.verdict import cifar10_claims as images
from tsbp_core.chapters.verdict import effects, sequence_claims
from tsbp_core.chapters.verdict import measured_claims as measured
from tsbp_core.chapters.verdict import trained_claims as trained
from tsbp_core.lab import results


def claims():
    """All claims, a list of ``Claim``."""
    prices = cost.prices(results.load("overhead")["results"])
    studies, long, recurrent = cifar10.load(), verdicts.by_family(), sequences.load()
    return [
        *trained.of_the_paper(studies.grid, prices, effects.effects()),
        *images.of_chapter_7_tuned(compared.load()),
        *images.of_chapter_7_quarter(quarter.load()),
        *trained.of_chapter_5(),
        *images.of_chapter_7(studies.grid),
        *images.of_chapter_7_changes(),
        *images.of_chapter_7_swap(studies),
        *measured.of_chapter_8(prices),
        *measured.of_chapter_9(),
        *measured.of_chapter_10(),
        *trained.of_chapter_10_in_150_updates(),
        *trained.of_chapter_10_in_the_end(long),
        *sequence_claims.of_chapter_11(recurrent),
        *measured.of_chapter_12(),
        *images.of_chapter_13(),
    ]
