"""Accuracy against training, of settings that stand for the rules of chapter 14."""

import numpy as np

from tsbp_core.chapters.cifar10 import outcomes as cifar10
from tsbp_core.chapters.cifar10 import plan as cifar10_plan
from tsbp_core.chapters.growth import plan, verdicts
from tsbp_core.chapters.sequences import added, report

CELLS = {
    "low, 3 layers, hard": plan.Cell("peak", 10, "zero"),
    "low, 3 layers, soft": plan.Cell("peak", 10, "subtract"),
    "tall, 3 layers, soft": plan.Cell("area", 25, "subtract"),
}
"""Of chapter 10, by title: peaks of 1, 1 and 6.25."""


def of_manifolds():
    """Test accuracy of ``CELLS``, each method at its best rate for the end."""
    found = verdicts.load()
    for title, cell in CELLS.items():
        seen = verdicts.own_curves(verdicts.record(found[cell.name]))
        by_rho = {rho: own.T for rho, own in zip(plan.RHOS, seen, strict=True)}
        yield title, ("updates", plan.POINTS, by_rho)


def of_sequences():
    """Validation accuracy of recurrent networks with Adam and the soft reset."""
    found, longer = report.load(), added.longer()
    shuffled = report.Cell("low", "shuffled", "subtract", "adam")
    rows = report.Cell("tall", "rows", "subtract", "adam")
    for title, cell, part in (
        ("low, recurrent, shuffled", shuffled, longer[shuffled]),
        ("tall, recurrent, rows", rows, report.final(found, rows.group)),
    ):
        yield title, ("updates", part["updates"], report.curves(part, cell.optimizer))


def of_images():
    """Held-out accuracy of ``tuning`` with AdamW, each method at its own best rate."""
    by_rho = {rho: [] for rho in cifar10_plan.RHOS}
    for run, record in cifar10.collect("tuning").items():
        s = run.settings
        own = cifar10_plan.OWN_RATES[s.optimizer, s.reset_gradient]
        if (s.optimizer, s.lr) == ("adamw", own):
            by_rho[s.reset_gradient].append(cifar10.held_out(record))
    by_rho = {rho: np.transpose(seeds) for rho, seeds in by_rho.items()}
    epochs = np.arange(1, len(by_rho[1.0]) + 1)
    return "images, AdamW", ("epochs", epochs, by_rho)


def panels():
    """What ``figures.over_time`` draws."""
    return dict([*of_manifolds(), *of_sequences(), of_images()])
