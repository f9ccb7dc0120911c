"""Digits pixel by pixel, trained four times as long. Planned after the results of 3,000 updates.

There, with the low surrogate and Adam, the term helps on "pixels" and "shuffled" with both resets,
by 3 to 14 points, and no loss is flat: so the term may end better, or only be sooner.

- Unit: pairs as in ``plan``, at the rates that the sweep chose for 3,000 updates, seeds 10 to 19 of
  the 35. 12,000 updates, of which the first 3,000 have the batches that they had. Four cells.
- Primary outcome: test accuracy after the last update, rho = 1 minus rho = 0, in points; verdicts
  with the plan's margin, intervals corrected for the four looks.
- It refutes "the term ends better here" in a cell that is equal or harmed. A cell that still helps
  bears it out if it is flat by the plan's measure, and says nothing about longer if it is not.
- Not refuted by it: that another rate suits 12,000 updates better. Nobody tuned these.
"""

import argparse

from tsbp_core.chapters.sequences import plan, study
from tsbp_core.chapters.sequences.training import Settings
from tsbp_core.lab import results

SEEDS = plan.FINAL_SEEDS[:10]
SETTINGS = Settings(updates=12_000)
GROUPS = [plan.Group(task, reset, "low") for task in plan.HARD for reset in plan.RESETS]


def methods(sweep, seeds=SEEDS):
    """Adam with the term and without, each at its best rate of ``sweep``."""
    return [m for m in study.final_methods(sweep, seeds) if m.optimizer == "adam"]


def name(group):
    """Of a group's part in the results."""
    return f"{group.task}/{group.name}"


def wanted(seeds=SEEDS):
    """The parts, as ``study.keep`` takes them."""
    store = study.Store(results.RESULTS / "sequences")
    sweeps = {group: store.task(group.task)[f"{group.name}/sweep"] for group in GROUPS}
    return {
        name(group): (group, methods(sweep, seeds), SETTINGS) for group, sweep in sweeps.items()
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    study.keep(
        plan.LONGER,
        wanted(),
        parser.parse_args(argv).device,
        command="make sequences-longer",
        settings={"training": vars(SETTINGS), "seeds": SEEDS},
    )


if __name__ == "__main__":
    main()
