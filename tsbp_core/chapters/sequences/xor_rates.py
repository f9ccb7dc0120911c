"""The delayed XOR with SGD at learning rates below the plan's grid. Added after its results.

With the low surrogate, SGD learns nothing without the term at any rate of the grid (soft reset), or
best at the lowest rate of all (hard reset), where the untrained network's gradient is many times
longer than with it. So the grid may not reach the rates that would suit it. This sweep goes on
below it, with the sweep's own seeds. It has no verdict and changes none.
"""

import time

from tsbp_core.chapters.sequences import data, plan, study
from tsbp_core.chapters.sequences.training import Method, Settings
from tsbp_core.lab import results

RATES = 0.00003, 0.0001, 0.0003
SETTINGS = Settings(updates=plan.UPDATES["xor"])


def methods(seeds=plan.SWEEP_SEEDS):
    """Both methods at all of ``RATES``."""
    return [Method("sgd", r, rho, seed) for r in RATES for rho in plan.RHOS for seed in seeds]


def compute(settings=SETTINGS, seeds=plan.SWEEP_SEEDS):
    """A part, as those of ``study``, by the name of the group's neuron."""
    task, parts = data.TASKS["xor"](), {}
    for reset in plan.RESETS:
        group = plan.Group("xor", reset, "low")
        parts[group.name] = study.train(group, task, methods(seeds), settings)
    return parts


def main():
    start = time.perf_counter()
    parts = compute()
    results.save(
        plan.LOWER,
        command="make xor-rates",
        settings={"rates": RATES, "training": vars(SETTINGS)},
        results=parts,
        wall_time_s=time.perf_counter() - start,
    )


if __name__ == "__main__":
    main()
