"""Does the reset's term help a recurrent network that reads sequences?

The plan of the recurrent networks, written before the first run
----------------------------------------------------------------
Tasks: ``data.TASKS``. "rows" are handwritten digits, a row of pixels at a time; "vowels" utterances
of nine speakers; "xor" asks for two bits long after they were shown. "pixels" and "shuffled" are
the digits a pixel at a time, in order and not. What is tested is held out as ``data`` says.

Network: one recurrent layer of 64 neurons with synaptic currents, ``recurrent``. Surrogates are
logistic curves: "low" has slope 10 and peak 1, "tall" slope 25 and area 1, so peak 6.25. Chapter
10's bound for a neuron by itself is 2.11 (soft reset) and 1.11 (hard). ``UPDATES`` of 64 sequences,
at a constant rate, with Adam or with gradient descent with momentum 0.9.

Unit: a cell is a task, a surrogate, a reset and an optimiser: 20 cells a surrogate. In a cell each
seed gives one pair of networks, rho = 1 and rho = 0, equal in first weights, validation fold,
batches and number of updates.

Learning rates: the sweep trains both methods at all of RATES, about a factor of 3 apart, with seeds
0 to 4. A method's best rate is where the mean accuracy on the validation part after the last update
is highest. A best rate at an edge of the grid is marked. Then seeds 10 to 44 are trained at these
two rates; they alone decide what follows. The test part chooses nothing.

Primary outcome, "ends": test accuracy after the last update, in points, rho = 1 minus rho = 0,
paired over the 35 seeds. Student's t interval, Bonferroni over the 20 cells of a surrogate. With a
margin of 2 points the cell is "equal" if the interval lies within -2 to +2, "help" if it lies above
0 (and not within), "harm" if it lies below 0 (and not within), and "open" in all else. A network
whose logits are not finite is right nowhere. Where neither method's mean is a quarter of the way
from chance to all right, the cell is "not learnt", whatever the difference. A cell is flat if for
both methods the training loss of the last stretch between looks (median over networks) is less than
0.02, or less than 5 %, below that of the stretch before; where it is not, the cell is said to be
unfinished.

Secondary, "speed": updates until the validation accuracy is first nine tenths of the way from
chance to the lower of the two methods' mean last ones, by straight lines between looks; log2 of the
ratio, rho = 1 over rho = 0, at the rates and seeds of "ends", interval as above. A network that no
look finds there counts with the last update. faster: below 0; slower: above 0; equal: within a
factor of 1.25 both ways; else open.
Without verdicts: the sweep's accuracies rate by rate.

What would refute what the book says, read off all cells of a surrogate:

1. "Spike times matter, so keep the term" is about "low". It stands for what is learnt in the end if
   at least half of the 20 cells help and none harms; it is refuted if at least half are equal or
   harmed; else undecided. It stands for speed by the same count of faster and slower.
2. "Tall: drop it" is about "tall". It stands if at least half are harmed and none is helped; it is
   refuted if at least half are equal or helped; else undecided.
3. Chapter 10's bound is about a neuron's own step. A recurrent step has the term h V / tau_s too,
   with the term as without. Carried back through the same network, a credit should grow faster with
   the term than without where h is above the bound, and not where it is below. ``compare`` measures
   both, before and after training. The bound tells if the median over the final networks of the
   difference (``outcomes.added_growth``) has the expected sign in every group, before training and
   after; the groups where it has not are named.

The length and direction of the two gradients, of the same weights, are described without verdicts.

Number of looks: 20 cells for each surrogate. What is run first is decided by the order of
``groups`` and the time there is, not by results; a rule whose cells are not all run has no verdict.

The pilot: seed 100 on the validation part, low surrogate and soft reset where nothing else is said.
Best rates of Adam were 0.01 to 0.03 ("rows", 400 updates, 89 % with the term and 85 without),
0.003 to 0.03 ("vowels", 200, 96 both) and 0.001 to 0.03 ("xor", 800, 99.7 and 98); of momentum
with and without the term 0.3 and 0.03 ("rows", 86 and 80), 0.03 to 0.1 ("vowels"), and 0.003 with
it ("xor", 95), where nothing was learnt without. "rows" with the hard reset, 200 updates: 77 and 78
(Adam), 77 and 73. "xor" with the hard reset, 300 updates: 97.5 and 98 (Adam), chance (momentum).
"rows" with the tall surrogate, 100 updates: 29 and 53 (Adam), chance and 20. "pixels" was at 66 %
after 800 updates, at 75 after 3,000 in an earlier scaling of the weights, and is kept as a task
that networks of this size learn slowly; channels that tell the row did not help. The currents'
1/tau_s, first weights scaled neuron by neuron and the size of the recurrent ones were chosen for
faster learning on "pixels" with the term. In the untrained networks a credit's mean logarithm a
step was with and without the term -0.04 and 0.02 (low, "vowels") and 0.22 and 0.24 (tall, "rows"),
so the second of rule 3's signs was seen to be in doubt.
"""

import argparse
import hashlib
import itertools
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.sequences import data, recurrent
from tsbp_core.chapters.sequences.recurrent import Net
from tsbp_core.chapters.sequences.training import Method, Settings, Trainer
from tsbp_core.lab import results

DECAY, THRESHOLD, TAU_S = 0.9, 1.0, 5.0
PEAKS = {"low": surrogates.Sigmoid(0.1), "tall": surrogates.Sigmoid(0.04, unit="area")}
"""Logistic of slope 10 with peak 1, and of slope 25 with area 1, so with peak 6.25."""
RESETS = "zero", "subtract"
OPTIMIZERS = "adam", "sgd"
RHOS = 1.0, 0.0
RATES = {
    "adam": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
}
SWEEP_SEEDS = tuple(range(5))
FINAL_SEEDS = tuple(range(10, 45))
"""As many networks in both parts, 140, so that one recording of the steps' kernels serves both."""
UPDATES = {"rows": 1500, "vowels": 600, "xor": 1500, "pixels": 3000, "shuffled": 3000}
HARD = "pixels", "shuffled"
"""Tasks that the pilot's networks had not learnt well when they were stopped."""
LOOKS = 20
SKIP, BACK = 4, 10
"""Steps before the end where a credit's growth begins to be followed, and for how many."""
CODE = 1
"""Version of the code that decides a part's numbers (neuron, surrogates, data, networks, training).

Raise it with a change there after which the same settings could give another number; the parts
that there are will then be computed anew. A change of words, names or speed is none.
"""


@dataclass(frozen=True)
class Group:
    """Networks that share task, reset and surrogate."""

    task: str
    reset: str
    peak: str

    @property
    def name(self):
        """As in a results file's keys."""
        return f"{self.peak}/{self.reset}"

    @property
    def net(self):
        """The networks' neuron."""
        return Net(LIF(DECAY, THRESHOLD, self.reset, PEAKS[self.peak]), TAU_S)


def groups(tasks=tuple(data.TASKS)):
    """In the order in which they run: what networks learn well first, then the low surrogate."""
    blocks = [[task for task in tasks if (task in HARD) == hard] for hard in (False, True)]
    return [
        Group(task, reset, peak)
        for block in blocks
        for peak in PEAKS
        for task in block
        for reset in RESETS
    ]


def sweep_methods(seeds=None):
    """All rates with few seeds."""
    return [
        Method(optimizer, rate, rho, seed)
        for optimizer in OPTIMIZERS
        for rate, rho, seed in itertools.product(RATES[optimizer], RHOS, seeds or SWEEP_SEEDS)
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


def rows(part, optimizer, rho, rate=None):
    """Where a part's networks of this method are, by seed."""
    chosen = [
        (m[3], n)
        for n, m in enumerate(part["methods"])
        if (m[0], m[2]) == (optimizer, rho) and rate in (None, m[1])
    ]
    return [n for _, n in sorted(chosen)]


def looks(updates):
    """After how many updates the networks are looked at: ever further apart."""
    return sorted({round(k) for k in np.geomspace(min(10, updates), updates, LOOKS)})


def compare(trainer):
    """How the two gradients of the same weights differ, and how credit grows, of each network.

    On the seed's first batch. ``ratio`` is the length of the complete gradient in W and V over that
    of the detached, ``cosine`` their cosine. ``growth`` is ``recurrent.credit_rate`` by rho, with
    the recurrence and of the neurons alone, ``beyond`` the share of steps at which a neuron's own
    Jacobian is beyond 1 in size.
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
    found = {
        "ratio": lengths[0] / lengths[1],
        "cosine": (a * b).sum(dim=1) / (lengths[0] * lengths[1]),
        "spikes": torch.stack(run.s).mean(dim=(0, 2, 3)),
    }
    for rho, value in zip(RHOS, rhos, strict=True):
        for name, V in (("net", trainer.weights.V), ("own", 0 * trainer.weights.V)):
            found[f"growth/{name}/rho={rho:g}"] = recurrent.credit_rate(
                run, V, value.double(), trainer.net, SKIP, BACK, torch.Generator().manual_seed(5)
            )
    return {key: rounded(value) for key, value in found.items()}


def rounded(values, digits=4):
    """A list of numbers of few digits."""
    return [float(f"{v:.{digits}g}") for v in np.asarray(torch.as_tensor(values).cpu(), float)]


def train(group, task, methods, settings, device, fuse=None):
    """Train the networks of a part on ``task``, its Data.

    Returns plain data: lists over networks, or lists of them over looks.
    """
    start = time.perf_counter()
    trainer = Trainer(task, group.net, settings, methods, device, fuse)
    part = {"methods": [list(m) for m in methods], "updates": looks(settings.updates)}
    seeds = [m.seed for m in methods]
    one = [seeds.index(seed) for seed in trainer.seeds]  # networks of a seed start alike
    part["first"] = {key: [values[n] for n in one] for key, values in compare(trainer).items()}
    part["loss"], part["validation"] = [], []
    for done in part["updates"]:
        part["loss"].append(rounded(trainer.advance(done - trainer.done), 3))
        part["validation"].append(rounded(trainer.right(trainer.validation), 3))
    part["test"] = rounded(trainer.right(trainer.test.expand(len(trainer.seeds), -1)))
    part["last"] = compare(trainer)
    part["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    part["seconds"] = round(time.perf_counter() - start, 1)
    return part


def key(group, methods, settings):
    """Fingerprint of all that decides a part's numbers."""
    described = repr((CODE, group, group.net, methods, settings, LOOKS, SKIP, BACK))
    return hashlib.sha256(described.encode()).hexdigest()[:16]


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", default=results.RESULTS / "sequences", type=Path)
    parser.add_argument("--seconds", default=float("inf"), type=float, help="begin nothing later")
    parser.add_argument("--tasks", nargs="+", default=tuple(data.TASKS), choices=tuple(data.TASKS))
    arguments = parser.parse_args()
    complete = run(arguments.out, arguments.device, arguments.seconds, arguments.tasks)
    print(f"{len(complete)} of {len(groups(arguments.tasks))} groups are complete")


if __name__ == "__main__":
    main()
