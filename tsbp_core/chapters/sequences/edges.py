"""Below the grid of learning rates, where its lowest was a best one. Planned after the results.

A best rate at an edge may not be the best there is. ``lower_rates`` went below the grid in some
cells; this goes below it in all others where a method's best rate, by the sweep, was the lowest.
(In one cell a method that learns nothing is best at the highest rate; that one is left.)

- Both methods at all of ``RATES``, the sweep's seeds, as many updates. Outcome: validation accuracy
  after the last update, the mean over seeds. A method's best rate is that of the grid and these
  together.
- It has no verdict and changes none. It puts the verdict of a cell that was learnt *in doubt* if
  the mean difference, with the term minus without, each at its best rate, is by more than the
  plan's margin another than on the grid alone; and "not learnt" if a method's mean is by more than
  the margin higher than on the grid, and beyond the plan's bar for what is learnt.
- A best rate that is the lowest again is said to be so.
"""

import argparse

from tsbp_core.chapters.sequences import added, lower_rates, plan, report, study
from tsbp_core.chapters.sequences.training import Settings

RATES = {"adam": (0.00001, 0.00003, 0.0001), "sgd": lower_rates.RATES}


def cells(parts_by_task):
    """The cells of the plan where a method is best at the lowest rate, none below it being tried.

    ``parts_by_task``: as ``report.load`` has it.
    """
    return [
        cell
        for cell in report.CELLS
        if plan.RATES[cell.optimizer][0] in best(parts_by_task, cell) and not tried(cell)
    ]


def best(parts_by_task, cell):
    """Both methods' best rates in a cell, by the sweep."""
    rates = study.best_rates(parts_by_task[cell.task][f"{cell.group.name}/sweep"])
    return [rates[cell.optimizer, rho] for rho in plan.RHOS]


def tried(cell):
    """Whether ``lower_rates`` has been there."""
    usual = (cell.peak, cell.optimizer) == ("low", "sgd")
    return usual and (cell.task, cell.reset) in added.lower()


def wanted(parts_by_task, seeds=plan.SWEEP_SEEDS):
    """The parts, as ``study.keep`` takes them."""
    return {
        cell.name: (
            cell.group,
            study.sweep_methods({cell.optimizer: RATES[cell.optimizer]}, seeds),
            Settings(updates=plan.UPDATES[cell.task]),
        )
        for cell in cells(parts_by_task)
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    study.keep(
        plan.EDGES,
        wanted(report.load()),
        parser.parse_args(argv).device,
        command="make sequences-edges",
        settings={"rates": RATES, "updates": plan.UPDATES},
    )


if __name__ == "__main__":
    main()
