"""The toy neuron's studies: main (targets, optimisers, rho), map (one factor at a time) and why.

A study is a list of units: one condition, for a range of seeds, at all learning rates. Units are
independent, so they run in any order, on several cores or machines, with the same numbers; each is
kept on disk when done, and a study that was cut off goes on where it stopped.
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from tsbp_core import neuron, numpy_lif, surrogates
from tsbp_core.chapters.toy import conditions as toy_unit
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy.conditions import Unit, digits
from tsbp_core.lab import results
from tsbp_core.lab.statistics import bootstrap_interval, t_interval

RHOS = (1.0, 0.5, 0.0)
CHUNK = 50
"""Seeds a unit, enough for vectorisation and few enough for the cache."""
RATES = toy.LEARNING_RATES
SHOWN_RATES, SHOWN_UPDATES, LEVELS = 2, (0, 5, 20, 60, 150, 299), 20
"""Of the explorer, every so many learning rates, which updates, membrane levels a threshold."""
_CODE = (neuron, numpy_lif, surrogates, toy, toy_unit)
"""Modules that decide the numbers. Units computed by other versions of them are not used again."""
SPIKES = "van_rossum", "count_error"
"""Outcomes that only the main study keeps for every run."""
WIDE = (-6, 1)
"""Decades of the wider grid that was added, since some ranges reach below the announced one."""


def units_main(seeds=100):
    """Resets x targets x optimisers x rho; the soft reset is an addition, without rho = 0.5."""
    return _chunks(
        seeds,
        [
            Unit(f"{reset}/{target}/{optimizer}/rho={rho:g}",
                 replace(toy.NEURON, reset=reset, reset_gradient=rho),
                 toy.Settings(target=target), optimizer)
            for reset, rhos in (("zero", RHOS), ("subtract", (1.0, 0.0)))
            for target in toy.TARGETS
            for optimizer in toy.OPTIMIZERS
            for rho in rhos
        ],
    )  # fmt: skip


def units_wide(seeds=100):
    """The main study without rho = 0.5, on the wide grid."""
    units = [unit for unit in units_main(seeds) if unit.lif.reset_gradient != 0.5]
    return [replace(unit, decades=WIDE) for unit in units]


def factors():
    """The map: changes of the neuron and of the task, by factor and label."""
    area = {"unit": "area"}
    families = {
        "FastSigmoid": surrogates.FastSigmoid(2.5, **area),
        "Triangle": surrogates.Triangle(0.8, **area),
        "Rectangle": surrogates.Rectangle(0.8, **area),
        "Gaussian": surrogates.Gaussian(0.8 / np.sqrt(2 * np.pi), **area),
        "Arctan": surrogates.Arctan(0.8 / np.pi, **area),
    }
    return {
        "default": {"": ({}, {})},
        "surrogate": {name: ({"surrogate": s}, {}) for name, s in families.items()},
        "unit": {"peak": ({"surrogate": surrogates.Sigmoid(0.2)}, {})},
        "width": {
            f"{w:g}": ({"surrogate": surrogates.Sigmoid(w, **area)}, {})
            for w in (0.05, 0.1, 0.4, 0.8)
        },
        "reset": {"subtract": ({"reset": "subtract"}, {})},
        "decay": {f"{d:g}": ({"decay": d}, {}) for d in (0.5, 0.7, 0.9, 0.95, 0.99)},
        "T": {f"{n}": ({}, {"steps": n}) for n in (25, 50, 200, 400)},
        "N": {f"{n}": ({}, {"inputs": n}) for n in (20, 50, 200, 400)},
    }


def units_map(seeds=50):
    """One factor at a time around the default x optimisers x rho in {1, 0}."""
    units = []
    for factor, levels in factors().items():
        for label, (lif, settings) in levels.items():
            for optimizer in toy.OPTIMIZERS:
                for rho in (1.0, 0.0):
                    name = f"{factor}={label}/{optimizer}/rho={rho:g}"
                    own = replace(toy.NEURON, reset_gradient=rho, **lif)
                    task = toy.Settings(**settings)
                    units.append(Unit(name, own, task, optimizer, decades=WIDE))
    return _chunks(seeds, units)


def units_why(seeds=100):
    """Direction of one gradient with the length of the other, and both compared along training."""
    units = []
    for reset in ("zero", "subtract"):
        for optimizer in toy.OPTIMIZERS:
            for rho in (1.0, 0.0):
                own = replace(toy.NEURON, reset=reset, reset_gradient=rho)
                other = replace(own, reset_gradient=1.0 - rho)
                for length in (None, other):
                    source = (length or own).reset_gradient
                    name = f"{reset}/{optimizer}/direction={rho:g}/length={source:g}"
                    units.append(Unit(name, own, optimizer=optimizer, length_of=length,
                                      probe=length is None, decades=WIDE))  # fmt: skip
    return _chunks(seeds, units, size=seeds)  # quantiles over seeds cannot be joined


def _chunks(seeds, units, size=CHUNK):
    edges = [*range(0, seeds, size), seeds]
    return [replace(unit, start=i, stop=j) for unit in units for i, j in itertools.pairwise(edges)]


STUDIES = {
    "main": (units_main, "toy", "make toy", 100),
    "wide": (units_wide, "toy-wide", "make toy-wide", 100),
    "map": (units_map, "toy-map", "make toy-map", 50),
    "why": (units_why, "toy-why", "make toy-why", 100),
}


def run_study(units, folder, jobs=1, scheduler=None, quiet=False):
    """Run the units that ``folder`` does not hold yet, and return all, joined by name.

    Parameters
    ----------
    units : list of Unit
    folder : Path
        Where each finished unit is kept. The name of its file depends on the unit and on the code.
    jobs : int, default 1
        Processes on this machine; -1 for one a core.
    scheduler : str, optional
        Address of a Dask scheduler; then the units run on its workers.
    quiet : bool, default False
        Show no progress bar.

    Returns
    -------
    dict
        What ``toy_unit.run_unit`` returns, by name, seeds joined.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {unit: folder / f"{_key(unit)}.json" for unit in units}
    missing = [unit for unit in units if not paths[unit].exists()]
    done = len(units) - len(missing)
    with tqdm(total=len(units), initial=done, unit="unit", disable=quiet) as bar:
        for unit, found in _run_missing(missing, jobs, scheduler):
            with results.atomic_file(paths[unit]) as file:
                file.write(json.dumps(found).encode())
            bar.update()
    joined = {}
    for unit in units:
        part = json.loads(paths[unit].read_text())
        if unit.name not in joined:
            joined[unit.name] = part
            continue
        whole = joined[unit.name]
        part["diverged"] = [[s + unit.start, rate] for s, rate in part["diverged"]]
        for key, values in part.items():
            whole[key] = whole[key] + values
    return joined


def _key(unit):
    code = b"".join(Path(module.__file__).read_bytes() for module in _CODE)
    return hashlib.sha256(repr(unit).encode() + code).hexdigest()[:16]


def _run_missing(units, jobs, scheduler):
    """Yield (unit, result) as units finish."""
    with contextlib.ExitStack() as stack:
        if scheduler:
            from dask.distributed import Client

            client = stack.enter_context(Client(scheduler))
            stack.enter_context(joblib.parallel_config("dask", client=client))
        else:
            stack.enter_context(joblib.parallel_config("loky", n_jobs=jobs))
        yield from joblib.Parallel(return_as="generator_unordered")(
            joblib.delayed(_with_result)(unit) for unit in units
        )


def _with_result(unit):
    return unit, toy_unit.run_unit(unit)


def ratio(found):
    """Final over initial loss of a unit's result, [S, L]; infinite where a run diverged."""
    final = np.nan_to_num(np.array(found["final"], float), nan=np.inf)
    return final / np.array(found["initial"])[:, None]


def silence_passes(found):
    """Whether a neuron that never fires would count as one that has learnt, [S]."""
    return np.array(found["silent"]) < toy.SOLVED * np.array(found["initial"])


def per_seed(found):
    """Outcomes of each seed of a unit's result, arrays [S].

    ``width``: decades at which it learns. ``strict``: those at which its final loss is also below
    20 % of a silent neuron's. ``best``: least final over initial loss. ``area``: final
    over initial loss, integrated over log10 of the learning rate. ``van_rossum``, ``count_error``:
    at that seed's best rate, where kept. ``too_large``, ``too_small``: final over initial loss
    at ten times, and a tenth of, the rate that is best for the mean over seeds.
    """
    share = ratio(found)
    best = share.argmin(axis=1)
    common = int(share.mean(axis=0).argmin())
    at_best = {
        key: np.take_along_axis(np.array(found[key], float), best[:, None], axis=1)[:, 0]
        for key in SPIKES
        if key in found
    }
    least = np.minimum(found["initial"], found["silent"])
    final = share * np.array(found["initial"])[:, None]
    return {
        "width": toy.robust_width(found["initial"], final),
        "strict": toy.robust_width(least, final),
        "best": share.min(axis=1),
        "area": share.sum(axis=1) / toy.DECADE,
        **at_best,
        "too_large": share[:, min(common + toy.DECADE, share.shape[1] - 1)],
        "too_small": share[:, max(common - toy.DECADE, 0)],
    }


def success(found):
    """Share of seeds that learn at each learning rate [L], and its 95 % bootstrap interval."""
    learnt = ratio(found) < toy.SOLVED
    return learnt.mean(axis=0), *bootstrap_interval(learnt)


def difference(found, other, outcome="width", among=slice(None)):
    """Mean paired difference over seeds of two units' results, and its 95 % bootstrap interval.

    ``among``: a mask of seeds [S].
    """
    paired = (per_seed(found)[outcome] - per_seed(other)[outcome])[among]
    return float(paired.mean()), *map(float, bootstrap_interval(paired))


def effects(found, outcome="width"):
    """The map's differences of an outcome, rho = 1 minus rho = 0.

    Returns
    -------
    dict
        By (factor, label, optimizer): mean, low, high. The intervals (Student's t) are
        simultaneous: all hold at once with 95 % confidence (Bonferroni over the map).
    """
    pairs = {}
    for name in found:
        condition, optimizer, method = name.split("/")
        if method == "rho=1":
            factor, label = condition.split("=")
            other = found[f"{condition}/{optimizer}/rho=0"]
            pairs[factor, label, optimizer] = found[name], other
    level = 1 - 0.05 / len(pairs)
    gains = {
        key: np.subtract(*(per_seed(one)[outcome] for one in pair)) for key, pair in pairs.items()
    }
    return {key: (gain.mean(), *t_interval(gain, level)) for key, gain in gains.items()}


def explorer_data(seed=0):
    """What chapter 5's explorer draws: one seed's training, at every second learning rate."""
    rates = RATES[::SHOWN_RATES]
    data = {
        "seed": seed,
        "rates": digits(rates, 3),
        "updates": SHOWN_UPDATES,
        "loss_updates": list(range(0, toy.Settings().updates, 6)),
        "targets": {},
        "runs": {},
    }
    for unit in units_main(seeds=1):
        if unit.lif.reset_gradient == 0.5:
            continue
        task = toy.make_task([seed], unit.settings, unit.lif)
        kept = []

        def watch(update, run, g, kept=kept):
            if update in SHOWN_UPDATES:
                kept.append((run.spikes[:, 0], run.membrane[:, 0]))

        losses = toy.train(
            task, unit.lif, rates, optimizer=unit.optimizer, settings=unit.settings, watch=watch
        ).losses[:, 0]
        spikes, membrane = (np.stack(arrays) for arrays in zip(*kept, strict=True))
        levels = np.clip(membrane * LEVELS, -LEVELS, 2.5 * LEVELS).round().astype(int)
        data["targets"][unit.settings.target] = _times(task.target[:, 0])
        data["runs"][unit.name] = {
            "losses": [digits(column) for column in losses[data["loss_updates"]].T],
            "final": digits(losses[-toy.LAST :].mean(axis=0)),
            "spikes": [[_times(s[:, i]) for s in spikes] for i in range(len(rates))],
            "membrane": [[u[:, i].tolist() for u in levels] for i in range(len(rates))],
        }
    return data


def _times(spikes):
    return (np.flatnonzero(spikes) + 1).tolist()


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.toy.study", description=__doc__
    )
    parser.add_argument("study", choices=[*STUDIES, "explorer"])
    parser.add_argument("--seeds", type=int, help="number of paired seeds (100; map: 50)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, -1 for one a core (1)")
    parser.add_argument("--scheduler", help="address of a Dask scheduler to run on")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    if args.study == "explorer":
        path = results.save(
            "toy-explorer",
            command="make toy-explorer",
            settings={"task": asdict(toy.Settings()), "neuron": repr(toy.NEURON)},
            results=explorer_data(),
            wall_time_s=time.perf_counter() - start,
        )
        print(f"wrote {path}")
        return
    units_of, name, command, seeds = STUDIES[args.study]
    seeds = seeds if args.seeds is None else args.seeds
    if seeds < 2:
        parser.error("needs at least 2 seeds")
    units = units_of(seeds)
    folder = results.PROJECT / "data" / "checkpoints" / name
    found = run_study(units, folder, args.jobs, args.scheduler)
    if args.study != "main":
        for outcomes in found.values():
            for key in SPIKES:
                del outcomes[key]
    path = results.save(
        name,
        command=command,
        settings={
            "task": asdict(toy.Settings()),
            "neuron": repr(toy.NEURON),
            "learning_rates": units[0].rates.tolist(),
            "seeds": seeds,
            "jobs": args.jobs,
            "conditions": {unit.name: _condition(unit) for unit in units},
        },
        results=found,
        wall_time_s=time.perf_counter() - start,
    )
    print(f"wrote {path}")


def _condition(unit):
    changed = {
        key: value
        for key, value in asdict(unit.settings).items()
        if value != getattr(toy.Settings(), key)
    }
    return {
        "neuron": repr(unit.lif),
        "length_of": repr(unit.length_of) if unit.length_of else None,
        "optimizer": unit.optimizer,
        "task": changed,
    }


if __name__ == "__main__":
    main()
