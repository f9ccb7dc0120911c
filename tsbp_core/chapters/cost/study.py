"""What a spiking layer costs: time, memory and first call, ours against other libraries.

Every figure is taken in a process of its own, with the settings it names. Times are nanoseconds an
element (a neuron at one step), with the gradient of the input. Run it with ``make bench``; the
libraries come from ``requirements-peers.txt``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata

from tqdm import tqdm

from tsbp_core.chapters.cost import peers
from tsbp_core.chapters.cost.measures import NEURON, OURS
from tsbp_core.chapters.cost.plan import ALLOCATORS, SIZES, measurements
from tsbp_core.lab import results


def in_a_process(measure, threads, allocator, cache=None, **arguments):
    """Run one of ``MEASURES`` in a fresh process and return what it returns."""
    inherited = {k: v for k, v in os.environ.items() if k not in ALLOCATORS["kept"]}
    environment = {**inherited, **ALLOCATORS[allocator], "OMP_NUM_THREADS": str(threads)}
    if cache:
        environment["TORCHINDUCTOR_CACHE_DIR"] = cache
    job = json.dumps({"measure": measure, "threads": threads, **arguments})
    done = subprocess.run(
        [sys.executable, "-m", "tsbp_core.chapters.cost.measures", job],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{job} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def bench(libraries=peers.LIBRARIES, rounds=7, quiet=False):
    """Take all measurements of ``plan``.

    Returns
    -------
    dict
        ``times``, ``sweep``, ``long``, ``term``, ``blocks``, ``training``, ``training_term``,
        ``peak``, ``first``: lists of records, each with its settings and what the measure returned.
    """
    records = {}
    plan = measurements([*OURS, *libraries])
    for kind, measure, settings, threads, allocator in tqdm(plan, disable=quiet):
        more = {"term": 30, "blocks": 3, "training_term": 20}.get(kind, 1)
        extra = {} if kind == "peak" else {"rounds": more * rounds}
        value = in_a_process(measure, threads, allocator, **settings, **extra)
        record = {**settings, "threads": threads, "allocator": allocator, "value": value}
        records.setdefault(kind, []).append(record)
    T, shape = SIZES["dense"]
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            value = in_a_process("first", 2, "kept", cache, steps=T, shape=shape)
            records.setdefault("first", []).append({"cache": state, "value": value})
    return records


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cost.study", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each measurement (7)")
    parser.add_argument("--ours", action="store_true", help="leave the other libraries out")
    parser.add_argument("--name", default="overhead", help="results file (overhead)")
    args = parser.parse_args(argv)
    libraries = () if args.ours else peers.LIBRARIES
    results.make(
        args.name,
        lambda: bench(libraries, args.rounds),
        command="make bench",
        settings={
            "neuron": repr(NEURON),
            "rounds": args.rounds,
            "libraries": {name: metadata.version(name) for name in libraries},
            "allocators": ALLOCATORS,
        },
    )


if __name__ == "__main__":
    main()
