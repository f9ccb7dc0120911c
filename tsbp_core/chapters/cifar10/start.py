"""Does the paper's network at a quarter of its width live through its start at large rates?

The first epochs of the pair at 5e-3 of ``paper`` suggested the question: without the term its
training loss was nearly that of outputs that never fire. The plan, written before the first run:

- Unit of comparison: two runs of the preset "quarter" that differ in rho alone, the first 60 of
  their updates; seeds 1 to 20, rates 5e-3 and 1.5e-2.
- Primary outcome: a network is silent if, after the last of these updates, no output neuron fires
  on any of 500 training images, the last ones. At each rate "help" if fewer networks with the term
  are silent, "harm" if more, by an exact two-sided sign test over the pairs in which one of the
  two is, p < 0.025 for the two looks; else open.
- Also: the same after 30 updates, and output spikes an image.
- It says nothing of what is learnt later, nor whether a silent network wakes.
"""

import argparse
import time
from dataclasses import replace

import joblib
import torch

from tsbp_core.chapters.cifar10 import plan
from tsbp_core.chapters.cifar10.network import autocast, normalised
from tsbp_core.chapters.cifar10.paper import PRESETS, Training
from tsbp_core.lab import datasets, results

NAME = "quarter-start"
RATES = (5e-3, 1.5e-2)
SEEDS = range(1, 21)
LOOKS = (30, 60)
"""Updates after which output spikes are counted."""
IMAGES = 500


def spikes(rate, rho, seed, data, looks=LOOKS, images=IMAGES, settings=PRESETS["quarter"]):
    """Output spikes an image after so many updates, a list; ``settings``: but for rate and rho."""
    run = Training(replace(settings, lr=rate, reset_gradient=rho), seed, data, "cpu")
    shown = normalised(run.images[-images:])
    batches, generator = run.shuffled()
    counted = []
    for update, picked in enumerate(batches[: looks[-1]], start=1):
        run.update(picked, generator)
        if update in looks:
            with torch.no_grad(), autocast(settings.precision, "cpu"):
                counted.append(run.net(shown).float().sum().item() / images)
    return counted


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="processes, -1 for one a core (1)")
    parser.add_argument("--root", help="folder with the data set (TSBP_DATA, or data/)")
    args = parser.parse_args(argv)
    try:
        data = datasets.cifar10(args.root)
    except datasets.DatasetError as error:
        raise SystemExit(str(error)) from None
    done = (results.RESULTS / f"{NAME}.json").exists()
    kept = results.load(NAME) if done else {"results": {}, "wall_time_s": 0.0}
    by_seed, spent = dict(kept["results"]), kept["wall_time_s"]
    methods = [(rate, rho) for rate in RATES for rho in plan.RHOS]
    parallel = joblib.Parallel(n_jobs=args.jobs, mmap_mode="c")  # torch wants to write
    for seed in SEEDS:
        if str(seed) in by_seed:
            continue
        start = time.perf_counter()
        runs = parallel(joblib.delayed(spikes)(*method, seed, data) for method in methods)
        counted = dict(zip(methods, runs, strict=True))
        by_seed[str(seed)] = {
            f"{rate:g}": {f"{rho:g}": counted[rate, rho] for rho in plan.RHOS} for rate in RATES
        }
        spent += time.perf_counter() - start
        results.save(
            NAME,
            command="make quarter-start",
            settings={"rates": RATES, "looks": LOOKS, "images": IMAGES},
            results=by_seed,
            wall_time_s=spent,
        )
        print(f"seed {seed}: {by_seed[str(seed)]}", flush=True)


if __name__ == "__main__":
    main()
