"""Runs the toy neuron's studies.

Units are independent, so they run in any order, on several cores or machines, with the same
numbers; each is kept on disk when done, and a study that was cut off goes on where it stopped.
"""

import argparse
import contextlib
import functools
import json
from dataclasses import asdict

import joblib
from tqdm import tqdm

from tsbp_core import neuron, numpy_lif, surrogates
from tsbp_core.chapters.gradient import steps
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import unit as toy_unit
from tsbp_core.chapters.toy.outcomes import SPIKES
from tsbp_core.chapters.toy.plan import STUDIES
from tsbp_core.lab import results

_CODE = (neuron, numpy_lif, surrogates, steps, toy, toy_unit)
"""Modules that decide the numbers. Units computed by other versions of them are not used again."""


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
        for unit, result in _run_missing(missing, jobs, scheduler):
            with results.atomic_file(paths[unit]) as file:
                file.write(json.dumps(result).encode())
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
    return results.code_digest(_CODE, repr(unit))


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


def run_and_trim(units, name, jobs, scheduler):
    """``run_study`` in the folder of checkpoints of this name, without what only "toy" keeps."""
    by_unit = run_study(units, results.checkpoint(name), jobs, scheduler)
    if name != "toy":
        for result in by_unit.values():
            for key in SPIKES:
                del result[key]
    return by_unit


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.toy.study", description=__doc__
    )
    parser.add_argument("study", choices=list(STUDIES))
    parser.add_argument("--seeds", type=int, help="number of paired seeds (100; map: 50)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, -1 for one a core (1)")
    parser.add_argument("--scheduler", help="address of a Dask scheduler to run on")
    args = parser.parse_args(argv)
    settings = {"task": asdict(toy.Settings()), "neuron": repr(toy.NEURON)}
    study = STUDIES[args.study]
    seeds = study.seeds if args.seeds is None else args.seeds
    if seeds < 2:
        parser.error("needs at least 2 seeds")
    units = study.units(seeds)
    results.make(
        study.file,
        functools.partial(run_and_trim, units, study.file, args.jobs, args.scheduler),
        command=study.command,
        settings={
            **settings,
            "learning_rates": units[0].rates.tolist(),
            "seeds": seeds,
            "jobs": args.jobs,
            "conditions": {unit.name: _condition(unit) for unit in units},
        },
    )


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
