"""SGD at learning rates below the plan's grid. Added after its results, task by task.

With the low surrogate and the soft reset, SGD learns nothing without the term at any rate of the
grid: neither the delayed XOR, nor, later, the digits pixel by pixel, in order or shuffled. There
the untrained network's gradient is many times longer than with it, so the grid may not reach the
rates that would suit it. This sweep goes on below it, with the sweep's own seeds; for the delayed
XOR with the hard reset too, where the lowest rate of all was best. It has no verdict and changes
none.
"""

import argparse
import time

from tsbp_core.chapters.sequences import data, plan, study
from tsbp_core.chapters.sequences.training import Settings
from tsbp_core.lab import results

RATES = 0.00003, 0.0001, 0.0003


def methods(seeds=plan.SWEEP_SEEDS):
    """Both methods at all of ``RATES``."""
    return study.sweep_methods({"sgd": RATES}, seeds)


def compute(task, settings, seeds=plan.SWEEP_SEEDS):
    """A part, as those of ``study``, by the name of the group's neuron."""
    parts, loaded = {}, data.TASKS[task]()
    for reset in plan.LOWER[task]:
        group = plan.Group(task, reset, "low")
        parts[group.name] = study.train(group, loaded, methods(seeds), settings)
    return parts


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=plan.LOWER)
    task = parser.parse_args(argv).task
    settings = Settings(updates=plan.UPDATES[task])
    start = time.perf_counter()
    parts = compute(task, settings)
    results.save(
        f"{task}-rates",
        command=f"make {task}-rates",
        settings={"rates": RATES, "training": vars(settings)},
        results=parts,
        wall_time_s=time.perf_counter() - start,
    )


if __name__ == "__main__":
    main()
