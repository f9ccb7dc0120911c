"""Chapter 4's tables: how far the detached gradient is from differences of the smooth twin."""

import numpy as np

from tsbp_core import LIF, gradcheck, surrogates

RESETS = ("zero", "subtract")
LENGTHS = (1, 2, 5, 10, 20, 50)
WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FAMILIES = (surrogates.Sigmoid(), surrogates.Gaussian(), surrogates.Arctan())
"""Those that can take the complex step."""


def currents(steps, neurons=8, seed=7):
    """Random currents [T, I], normal, mean 0.3 and deviation 0.5."""
    return np.random.default_rng(seed).normal(0.3, 0.5, (steps, neurons))


def report(x, reset="zero", width=0.2):
    """The check of ``gradcheck`` by the complex step, for a sigmoid of this width."""
    lif = LIF(reset=reset, surrogate=surrogates.Sigmoid(width))
    return gradcheck.check(x, lif, method="complex")


def by_length():
    """Reports for the first T of 50 steps, by reset, in the order of ``LENGTHS``."""
    x = currents(LENGTHS[-1])
    return {reset: [report(x[:T], reset) for T in LENGTHS] for reset in RESETS}


def by_width():
    """Reports for all 50 steps, by reset, in the order of ``WIDTHS``."""
    x = currents(LENGTHS[-1])
    return {reset: [report(x, reset, width) for width in WIDTHS] for reset in RESETS}


def errors(reports):
    """Relative errors without the term, by reset."""
    return {reset: [r.without_term for r in own] for reset, own in reports.items()}


def length_ratio(r):
    """Length of the detached gradient as a multiple of the complete one's."""
    return float(np.linalg.norm(r.detached) / np.linalg.norm(r.complete))


def cosine(r):
    """Cosine between the detached and the complete gradient."""
    lengths = np.linalg.norm(r.detached) * np.linalg.norm(r.complete)
    return float((r.complete * r.detached).sum() / lengths)


FAMILY_HEADS = ("surrogate", "reset", "with the term", "without it", "without it, reset frozen")


def family_rows():
    """For ``page.table``: relative errors of ten steps of one neuron, by surrogate and reset."""
    x = currents(10, 1, seed=11)
    for surrogate in FAMILIES:
        for reset in (*RESETS, "none"):
            r = gradcheck.check(x, LIF(reset=reset, surrogate=surrogate), method="complex")
            cells = (f"{error:.0e}" for error in (r.with_term, r.without_term, r.frozen))
            yield type(surrogate).__name__, reset, *cells


LENGTH_HEADS = ("error, by T", *LENGTHS)


def length_rows(reports):
    """For ``page.table``: errors of ``by_length``."""
    for reset, own in errors(reports).items():
        yield reset, *(f"{error:.2f}" for error in own)


WIDTH_HEADS = ("by width", *WIDTHS)


def width_rows(reports):
    """For ``page.table``: of ``by_width``, errors, length against the exact one's and cosine."""
    measures = {
        "error": lambda r: r.without_term,
        "length": length_ratio,
        "cosine": cosine,
    }
    for reset, own in reports.items():
        for name, measure in measures.items():
            yield f"{reset}: {name}", *(f"{measure(r):.2f}" for r in own)
