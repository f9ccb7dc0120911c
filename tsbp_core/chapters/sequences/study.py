"""Trains the recurrent networks that ``plan`` asks for; resumable. ``outcomes`` judges."""

import argparse
import functools
import hashlib
import itertools
import time
from dataclasses import asdict
from pathlib import Path

import joblib
import numpy as np
import torch

from tsbp_core.chapters.sequences import data, recurrent
from tsbp_core.chapters.sequences.plan import (
    BACK,
    DECAY,
    FINAL_SEEDS,
    LOOKS,
    OPTIMIZERS,
    PEAKS,
    RATES,
    RHOS,
    SKIP,
    SWEEP_SEEDS,
    TAU_S,
    THRESHOLD,
    UPDATES,
    groups,
    rows,
)
from tsbp_core.chapters.sequences.recurrent import Net
from tsbp_core.chapters.sequences.training import Method, Settings, Trainer, initial_weights
from tsbp_core.lab import results

CODE = 1
"""Version of the code that decides a part's numbers (neuron, surrogates, data, networks, training).

Raise it with a change there after which the same settings could give another number; the parts
that there are will then be computed anew. A change of words, names or speed is none.
"""


ABREAST = 14
"""Networks that a core trains at a time, at most, on a CPU; at 140 each takes a third longer."""


def net(group):
    """What the networks of a ``plan.Group`` have in common."""
    return Net(group.lif, TAU_S)


def sweep_methods(rates=None, seeds=None):
    """Both methods at all ``rates``, by optimiser, with few seeds; the plan's where None."""
    return [
        Method(optimizer, *chosen)
        for optimizer, own in (rates or RATES).items()
        for chosen in itertools.product(own, RHOS, seeds or SWEEP_SEEDS)
    ]


def final_methods(sweep, seeds=None):
    """Each method at its own best rate of ``sweep``, with other seeds."""
    best = best_rates(sweep)
    return [
        Method(optimizer, best[optimizer, rho], rho, seed)
        for optimizer, rho, seed in itertools.product(OPTIMIZERS, RHOS, seeds or FINAL_SEEDS)
    ]


def best_rates(sweep):
    """Rate with the highest final validation accuracy, by (optimizer, rho); the lower of equals.

    The test part has no say.
    """
    final = np.array(sweep["validation"][-1])
    best = {}
    for optimizer, rho in itertools.product(OPTIMIZERS, RHOS):
        means = {
            rate: final[rows(sweep, optimizer, rho, rate)].mean()
            for rate in sorted({m[1] for m in sweep["methods"] if m[0] == optimizer})
        }
        best[optimizer, rho] = max(means, key=means.get)
    return best


def looks(updates):
    """After how many updates the networks are looked at: ever further apart."""
    return sorted({round(k) for k in np.geomspace(min(10, updates), updates, LOOKS)})


def compare(trainer):
    """How the two gradients of the same weights differ, and how credit grows, of each network.

    On the seed's first batch. ``ratio`` is the length of the complete gradient in W and V over that
    of the detached, ``cosine`` their cosine, ``spikes`` the mean share of neurons that fire.
    ``growth`` is ``recurrent.credit_rate`` by rho, with the recurrence and of the neurons alone.
    """
    picked = trainer.plan[0]
    rhos = [torch.full_like(trainer.rho, rho) for rho in RHOS]
    _, (complete, detached) = trainer.gradients(picked, rhos)
    a, b = (
        torch.cat([g.W.flatten(1), g.V.flatten(1)], dim=1).double() for g in (complete, detached)
    )
    lengths = a.norm(dim=1), b.norm(dim=1)
    x, window, _ = trainer.batch(picked)
    run = recurrent.forward(x, window, trainer.weights, trainer.net)
    measured = {
        "ratio": lengths[0] / lengths[1],
        "cosine": (a * b).sum(dim=1) / (lengths[0] * lengths[1]),
        "spikes": torch.stack(run.s).mean(dim=(0, 2, 3)),
    }
    for rho, value in zip(RHOS, rhos, strict=True):
        for name, V in (("net", trainer.weights.V), ("own", 0 * trainer.weights.V)):
            measured[f"growth/{name}/rho={rho:g}"] = recurrent.credit_rate(
                run, V, value.double(), trainer.net, SKIP, BACK, torch.Generator().manual_seed(5)
            )
    return {key: rounded(value) for key, value in measured.items()}


def rounded(values, digits=4):
    """A list of numbers of few digits."""
    return [float(f"{v:.{digits}g}") for v in np.asarray(torch.as_tensor(values).cpu(), float)]


def train(group, task, methods, settings, device="cpu"):
    """Train the networks of a part on ``task``, its Data.

    On a CPU each core trains a few networks at a time, whose arrays its caches hold; on a GPU all
    are trained at once. Returns plain data: lists over networks, or lists of them over looks.
    """
    start = time.perf_counter()
    count = -(-len(methods) // ABREAST) if device == "cpu" else 1
    size = -(-len(methods) // count)
    some = [methods[at : at + size] for at in range(0, len(methods), size)]
    parallel = joblib.Parallel(-1 if len(some) > 1 else 1)
    trained = parallel(
        joblib.delayed(_train_some)(group, task, part, settings, device) for part in some
    )
    part = {"methods": [list(m) for m in methods], "updates": looks(settings.updates)}
    part |= functools.reduce(_side_by_side, trained)
    seeds = [m.seed for m in methods]
    one = [seeds.index(seed) for seed in sorted(set(seeds))]  # networks of a seed start alike
    part["first"] = {key: [values[n] for n in one] for key, values in part["first"].items()}
    part["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    part["seconds"] = round(time.perf_counter() - start, 1)
    return part


def _train_some(group, task, methods, settings, device):
    """Networks that are trained at once; "first" is of all of them."""
    trainer = Trainer(task, net(group), settings, methods, device)
    part = {"first": compare(trainer), "loss": [], "validation": []}
    for done in looks(settings.updates):
        part["loss"].append(rounded(trainer.advance(done - trainer.done), 3))
        part["validation"].append(rounded(trainer.right(trainer.validation), 3))
    part["test"] = rounded(trainer.right(trainer.test.expand(len(trainer.seeds), -1)))
    part["last"] = compare(trainer)
    return part


def _side_by_side(some, others):
    """What two trainings found, as of one: networks are the last axis."""
    if isinstance(some, dict):
        return {key: _side_by_side(value, others[key]) for key, value in some.items()}
    if isinstance(some[0], list):
        return [_side_by_side(*both) for both in zip(some, others, strict=True)]
    return some + others


def key(group, methods, settings):
    """Fingerprint of all that decides a part's numbers."""
    described = repr((CODE, group, net(group), methods, settings, LOOKS, SKIP, BACK))
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def starting_norm(group, seeds=SWEEP_SEEDS):
    """Spectral norm of the first recurrent weights of a group, the mean over seeds."""
    task = data.TASKS[group.task]()
    first = initial_weights(task, net(group), Settings(), list(seeds))
    return float(np.linalg.norm(first.V.numpy(), 2, axis=(1, 2)).mean())


class Store:
    """The parts of each task, in a file a task, written anew after each part."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.parts = {}

    def task(self, name):
        """The parts of a task by name, as far as they are there."""
        if name not in self.parts:
            path = self.folder / f"{name}.json"
            self.parts[name] = (
                dict(results.load(path.with_suffix(""))["results"]) if path.exists() else {}
            )
        return self.parts[name]

    def find(self, group, kind, methods, settings):
        """The part, or None where it has not been computed with these settings and code."""
        part = self.task(group.task).get(f"{group.name}/{kind}")
        return part if part and part["key"] == key(group, methods, settings) else None

    def add(self, group, kind, part, settings):
        """Keep a part."""
        parts = self.task(group.task)
        parts[f"{group.name}/{kind}"] = part
        results.save(
            group.task,
            folder=self.folder,
            command="make sequences",
            settings={
                "decay": DECAY,
                "threshold": THRESHOLD,
                "tau_s": TAU_S,
                "surrogates": {name: repr(s) for name, s in PEAKS.items()},
                "training": asdict(settings),
                "growth": {"skip": SKIP, "steps": BACK},
            },
            results=parts,
            wall_time_s=sum(part["seconds"] for part in parts.values()),
        )


def keep(file, wanted, device="cpu", **head):
    """Compute what a results file lacks of ``wanted``, and write it anew after each part.

    ``wanted``: {part: (group, methods, settings)}; ``head``: its command and settings.
    """
    start, done = time.perf_counter(), results.RESULTS / f"{file}.json"
    parts = dict(results.load(file)["results"]) if done.exists() else {}
    for name, (group, methods, settings) in wanted.items():
        if name not in parts:
            parts[name] = train(group, data.TASKS[group.task](), methods, settings, device)
            spent = sum(part["seconds"] for part in parts.values())
            results.save(file, results=parts, wall_time_s=spent, **head)
            print(f"{time.perf_counter() - start:6.0f} s: {name}", flush=True)


def run(folder, device="cpu", seconds=float("inf"), tasks=tuple(data.TASKS), settings=None):
    """Compute what ``folder`` lacks, while there is time; return the groups that are complete.

    A group is passed over if by the slowest pace so far it would end after ``seconds``.
    """
    start, pace, complete = time.perf_counter(), 0.0, []
    store = Store(folder)
    loaded = {task: data.TASKS[task]() for task in tasks}  # what is missing is missed at once
    for group in groups(tasks):
        task, begun = loaded[group.task], time.perf_counter()
        chosen = settings or Settings(updates=UPDATES[group.task])
        size = chosen.updates * task.x.shape[1]
        if begun - start + pace * size > seconds:
            print(f"no time left for {group.task} {group.name}", flush=True)
            continue
        methods = sweep_methods()
        for kind in ("sweep", "final"):
            part = store.find(group, kind, methods, chosen)
            if part is None:
                part = {"key": key(group, methods, chosen)}
                part |= train(group, task, methods, chosen, device)
                store.add(group, kind, part, chosen)
                now = time.perf_counter() - start
                print(f"{now:6.1f} s: {group.task} {group.name} {kind}", flush=True)
            if kind == "sweep":
                methods = final_methods(part)
        complete.append(group)
        pace = max(pace, (time.perf_counter() - begun) / size)
    return complete


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--out", default=results.RESULTS / "sequences", type=Path)
    parser.add_argument("--seconds", default=float("inf"), type=float, help="begin nothing later")
    parser.add_argument("--tasks", nargs="+", default=tuple(data.TASKS), choices=tuple(data.TASKS))
    arguments = parser.parse_args(argv)
    complete = run(arguments.out, arguments.device, arguments.seconds, arguments.tasks)
    print(f"{len(complete)} of {len(groups(arguments.tasks))} groups are complete")


if __name__ == "__main__":
    main()
