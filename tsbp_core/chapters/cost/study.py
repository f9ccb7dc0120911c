"""What a spiking layer costs: time, memory and first call, ours against other libraries.

Every figure is taken in a process of its own, with the settings it names. Within a process the
formulations take turns, every other round in reverse order, so that whatever else the machine does
hits all alike. Times are nanoseconds an element (a neuron at one step), with the gradient of the
input. Run it with ``make bench``; the libraries come from ``requirements-peers.txt``.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib import metadata

import numpy as np
import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from tqdm import tqdm

from tsbp_core import LIF, block_lif, surrogates, torch_lif
from tsbp_core.chapters.cifar10.network import SpikingNet
from tsbp_core.chapters.cost import peers
from tsbp_core.lab import results
from tsbp_core.lab.statistics import bootstrap_interval

NEURON = LIF(decay=0.8, threshold=1.0, reset="zero", surrogate=surrogates.Arctan(1 / math.pi))
"""The surrogate is the ATan of SpikingJelly and snnTorch: width 1/pi, peak 1."""
DETACHED = replace(NEURON, reset_gradient=0.0)
OURS = {
    "fused": lambda x: torch_lif.lif(x, NEURON, "compiled"),
    "fused, rho = 0": lambda x: torch_lif.lif(x, DETACHED, "compiled"),
    "eager": lambda x: torch_lif.lif(x, NEURON, "eager"),
    "eager, rho = 0": lambda x: torch_lif.lif(x, DETACHED, "eager"),
    "plain autograd": lambda x: torch_lif.autograd_lif(x, NEURON),
    "plain autograd, rho = 0": lambda x: torch_lif.autograd_lif(x, DETACHED),
}
PAIR = ("fused", "fused, rho = 0")
NETWORK = "24C3-P2-48C3-P2-96C3-P2"
"""Of which a whole training step is timed."""
SIZES = {"dense": (100, (64, 512)), "CIFARNet": (5, (50, 98304))}
"""A dense layer over 100 steps, and the first layer of the paper's CIFARNet with its batch."""
SWEEP = (4, 8, 16, 64, 256)
ELEMENTS = 1 << 25
"""Neurons times steps where the steps vary alone: 134 MB in float32, larger than any cache."""
BLOCKS = (1, 2, 3, 4, 5, 8, 16)
KEEP = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:"
ALLOCATORS = {
    "kept": {
        "GLIBC_TUNABLES": KEEP + "glibc.malloc.trim_threshold=8589934592",
        "THP_MEM_ALLOC_ENABLE": "1",
    },
    "default": {},
}
"""Environment of the process: freed memory kept and huge pages asked for, or neither."""
FORMULATIONS = {
    "ours": lambda x, lif: torch_lif.lif(x, lif, "eager"),
    "plain autograd": torch_lif.autograd_lif,
}


def saved_bytes(function, steps, lif, neurons=1000):
    """Bytes of the distinct tensors that autograd keeps for the backward pass."""
    x = torch.rand(steps, neurons, requires_grad=True)
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = function(x, lif)  # keeps the storages alive, so that no address is used twice
    del spikes
    return sum(kept.values())


class _Traffic(TorchDispatchMode):
    """Adds up the bytes that torch operations read and write; views move none."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        if not operation.is_view and operation.overloadpacket not in ALLOCATIONS:
            for tensor in pytree.tree_leaves((args, kwargs, out)):
                if isinstance(tensor, torch.Tensor):
                    self.bytes += tensor.numel() * tensor.element_size()
        return out


ALLOCATIONS = (torch.ops.aten.empty, torch.ops.aten.empty_like, torch.ops.aten.detach)


def traffic(function, steps=100, neurons=1000):
    """Bytes an element that a formulation reads and writes, counted operation by operation.

    Forward and backward, for float32. Each operation is taken to read its inputs and write its
    outputs once, as it does where arrays are larger than the cache.
    """
    x = torch.rand(steps, neurons, requires_grad=True)
    g = torch.ones(steps, neurons)
    with _Traffic() as counter:
        function(x).backward(g)
    return counter.bytes / x.numel()


WARM = 2
"""Rounds before those that count: they compile, and the heap grows to what all layers need."""


def times(functions, x, rounds=5, each_round=None):
    """Seconds of forward and of backward of each function, in turns, after ``WARM`` rounds.

    Parameters
    ----------
    functions : dict of callables
        Each maps the tensor ``x`` to spikes.
    x : Tensor [T, ...]
    rounds : int, default 5
    each_round : callable, optional
        Called once a round, after all functions.

    Returns
    -------
    dict
        By name, an array [rounds, 2] of seconds: forward, backward.
    """
    taken = {name: [] for name in functions}
    g = torch.ones_like(x)
    for i in range(WARM + rounds):
        for name, function in _in_turn(functions, i):
            current = x.detach().requires_grad_()
            start = _now(x)
            spikes = function(current)
            middle = _now(x)
            spikes.backward(g)
            taken[name].append((middle - start, _now(x) - middle))
            del spikes, current
        if each_round:
            each_round()
    return {name: np.array(seconds[WARM:]) for name, seconds in taken.items()}


def _in_turn(items, i):
    """Items by name, every other round backward, so that no one always follows the same other."""
    return list(items.items())[:: 1 if i % 2 == 0 else -1]


def _now(x):
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def layers(names):
    """Our formulations, and those of other libraries, by name."""
    return {name: OURS.get(name) or peers.spiking_layer(name) for name in names}


def measure_times(steps, shape, names, rounds, device="cpu"):
    """Nanoseconds an element: forward and backward of the named layers, and of a copy."""
    x = torch.rand(steps, *shape, device=device)
    out = torch.empty_like(x)
    copies = []

    def copy():
        start = _now(x)
        out.copy_(x)
        copies.append(_now(x) - start)

    seconds = times(layers(names), x, rounds, each_round=copy)
    scale = 1e9 / x.numel()
    ns = {name: (scale * taken).round(4).tolist() for name, taken in seconds.items()}
    return {"copy": (scale * np.array(copies[WARM:])).round(4).tolist(), "layers": ns}


def measure_term(steps, shape, rounds):
    """Nanoseconds an element of the fused layer with and without the term, nothing else running."""
    pair = layers(PAIR)
    x = torch.rand(steps, *shape)
    scale = 1e9 / x.numel()
    return {
        name: (scale * taken.sum(axis=1)).round(4).tolist()
        for name, taken in times(pair, x, rounds).items()
    }


def measure_blocks(steps, shape, blocks, rounds):
    """Nanoseconds an element, by the number of steps a kernel fuses, with and without the term."""

    def layer(block, name):
        def run(x):
            block_lif.BLOCK = block
            return OURS[name](x)

        return run

    x = torch.rand(steps, *shape)
    functions = {(name, block): layer(block, name) for block in blocks for name in PAIR}
    found = {name: {} for name in PAIR}
    for (name, block), taken in times(functions, x, rounds).items():
        found[name][block] = (1e9 / x.numel() * taken.sum(axis=1)).round(4).tolist()
    return found


def measure_peak(steps, shape, name):
    """Bytes an element at the peak of one forward and backward, beyond input and credit."""
    function = layers([name])[name]
    times({name: function}, torch.rand(steps, 16), 1)  # whatever is loaded or compiled once
    x, g = torch.rand(steps, *shape), torch.ones(steps, *shape)
    x.requires_grad_()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the highest use of memory so far
    before = _status("VmRSS")
    function(x).backward(g)
    return (_status("VmHWM") - before) / x.numel()


def _status(field):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(field))


def measure_first(steps, shape):
    """Seconds of the first forward and backward of the fused layer in a process."""
    x = torch.rand(steps, *shape, requires_grad=True)
    start = time.perf_counter()
    OURS["fused"](x).sum().backward()
    return time.perf_counter() - start


def measure_training(names, rounds, batch=128):
    """Seconds of a whole training step of the CIFAR-10 network, by the neuron put into it."""
    images, labels = torch.rand(batch, 3, 32, 32), torch.randint(10, (batch,))
    images = images.contiguous(memory_format=torch.channels_last)
    taken = {}
    steps = {}
    for name, layer in layers(names).items():
        torch.manual_seed(0)
        net = SpikingNet(NETWORK, 4, NEURON).to(memory_format=torch.channels_last)
        net.lif.forward = layer
        net.first.forward = lambda x, layer=layer: layer(x.expand(4, *x.shape))
        optimizer = torch.optim.AdamW(net.parameters())
        steps[name] = net, optimizer
    for i in range(WARM + rounds):
        for name, (net, optimizer) in _in_turn(steps, i):
            start = time.perf_counter()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images)[0], labels).backward()
            optimizer.step()
            taken.setdefault(name, []).append(round(time.perf_counter() - start, 5))
    return {name: seconds[WARM:] for name, seconds in taken.items()}


MEASURES = {
    "times": measure_times,
    "term": measure_term,
    "blocks": measure_blocks,
    "peak": measure_peak,
    "first": measure_first,
    "training": measure_training,
}


def in_a_process(measure, threads, allocator, cache=None, **arguments):
    """Run one of ``MEASURES`` in a fresh process and return what it returns."""
    inherited = {k: v for k, v in os.environ.items() if k not in ALLOCATORS["kept"]}
    environment = {**inherited, **ALLOCATORS[allocator], "OMP_NUM_THREADS": str(threads)}
    if cache:
        environment["TORCHINDUCTOR_CACHE_DIR"] = cache
    job = json.dumps({"measure": measure, "threads": threads, **arguments})
    done = subprocess.run(
        [sys.executable, "-m", "tsbp_core.chapters.cost.study", "--job", job],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{job} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def bench(libraries=peers.LIBRARIES, rounds=7, quiet=False):
    """Take all measurements; see the source for the list.

    Returns
    -------
    dict
        ``times``, ``sweep``, ``long``, ``term``, ``blocks``, ``training``, ``training_term``,
        ``peak``, ``first``: lists of records, each with its settings and what the measure returned.
    """
    names = [*OURS, *libraries]
    plan = [
        ("times", "times", {"steps": T, "shape": shape, "names": names}, threads, allocator)
        for T, shape in SIZES.values()
        for threads, allocator in ((1, "kept"), (2, "kept"), (1, "default"))
    ]
    plan += [
        ("sweep", "times", {"steps": T, "shape": (64, 512), "names": names}, n, "kept")
        for T in SWEEP
        for n in (1, 2)
    ]
    plan += [
        ("long", "times", {"steps": T, "shape": (ELEMENTS // T,), "names": ["fused"]}, 1, "kept")
        for T in SWEEP
    ]
    plan += [
        ("term", "term", {"steps": T, "shape": shape}, 1, "kept") for T, shape in SIZES.values()
    ]
    T, shape = SIZES["dense"]
    plan += [("blocks", "blocks", {"steps": T, "shape": shape, "blocks": BLOCKS}, 1, "kept")]
    plan += [("training", "training", {"names": names}, n, "kept") for n in (1, 2)]
    plan += [("training_term", "training", {"names": PAIR}, 2, "kept")]
    plan += [
        ("peak", "peak", {"steps": T, "shape": shape, "name": name}, 1, "default")
        for T, shape in SIZES.values()
        for name in names
    ]
    found = {}
    for kind, measure, settings, threads, allocator in tqdm(plan, disable=quiet):
        more = {"term": 30, "blocks": 3, "training_term": 20}.get(kind, 1)
        extra = {} if kind == "peak" else {"rounds": more * rounds}
        value = in_a_process(measure, threads, allocator, **settings, **extra)
        record = {**settings, "threads": threads, "allocator": allocator, "value": value}
        found.setdefault(kind, []).append(record)
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            value = in_a_process("first", 2, "kept", cache, steps=T, shape=shape)
            found.setdefault("first", []).append({"cache": state, "value": value})
    return found


def pick(records, **settings):
    """The one record with these settings."""
    (record,) = (r for r in records if all(r[k] == v for k, v in settings.items()))
    return record


def medians(record):
    """Median ns an element, forward and backward together, by layer."""
    layers = record["value"]["layers"]
    return {name: float(np.median(np.sum(pairs, axis=1))) for name, pairs in layers.items()}


def floor(record):
    """ns an element of three copies, 24 bytes: what code that keeps u has to move."""
    return 3.0 * float(np.median(record["value"]["copy"]))


def ratio(samples, others):
    """Median of the paired ratios of two series of times, and its 95 % bootstrap interval."""
    ratios = np.asarray(samples, float) / np.asarray(others, float)
    low, high = bootstrap_interval(ratios, statistic=np.median)
    return float(np.median(ratios)), float(low), float(high)


def prices(found):
    """What the term adds to each layer and to a training step, from ``bench``'s results.

    Returns
    -------
    dict
        By what is timed, the median of the paired differences in percent, and its 95 % interval.
    """
    pairs = {}
    for size, (steps, _) in SIZES.items():
        record = pick(found["times"], steps=steps, threads=1, allocator="kept")
        pairs[f"fused, {size}"] = pick(found["term"], steps=steps)["value"].values()
        for name in ("eager", "plain autograd"):
            layers = record["value"]["layers"]
            pairs[f"{name}, {size}"] = [
                np.sum(layers[key], axis=1) for key in (name, name + ", rho = 0")
            ]
    training = pick(found["training"], threads=2)["value"] | found["training_term"][0]["value"]
    for name in ("fused", "eager", "plain autograd"):
        pairs[f"{name}, training step"] = training[name], training[name + ", rho = 0"]
    return {what: tuple(100 * (r - 1) for r in ratio(*pair)) for what, pair in pairs.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cost.study", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each measurement (7)")
    parser.add_argument("--ours", action="store_true", help="leave the other libraries out")
    parser.add_argument("--name", default="overhead", help="results file (overhead)")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.job:
        job = json.loads(args.job)
        torch.set_num_threads(job.pop("threads"))
        print(json.dumps(MEASURES[job.pop("measure")](**job)))
        return
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
