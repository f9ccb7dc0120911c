"""What the neurons and the missing term cost on a GPU: ``make gpu``, eight minutes at the most.

Runs the device tests, then the measurements below, then, where CIFAR-10 is there, the recipe of
chapter 13 with and without the term, one seed each. Results are written after each part, so that a
run that is cut off keeps what it has. Without a GPU, ``--toy`` goes through the measurements at toy
size on the CPU, kernels in Triton's interpreter, to try the script itself; its times mean nothing.

Times are of the device, between CUDA events, with ``x`` and ``g`` there already; layers take turns
in each round, in an order of its own. A share of the bandwidth is bytes by count (see
``triton_lif``) over time, relative to a copy of 1 GiB, read and written, in the same process.
"""

import argparse
import contextlib
import itertools
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tsbp_core import LIF, torch_lif, triton_lif
from tsbp_core.chapters.cifar10 import plan, training
from tsbp_core.chapters.cost import peers
from tsbp_core.chapters.cost.plan import KERNELS, SHAPES
from tsbp_core.lab import datasets, results

NEURON = LIF()
DETACHED = LIF(reset_gradient=0.0)
LAYERS = {
    "kernel": lambda x: torch_lif.lif(x, NEURON, "compiled"),
    "kernel, rho = 0": lambda x: torch_lif.lif(x, DETACHED, "compiled"),
    "eager": lambda x: torch_lif.lif(x, NEURON, "eager"),
    "plain autograd": lambda x: torch_lif.autograd_lif(x, NEURON),
}
LENGTHS = (4, 16, 64, 256)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LARGEST = {"eager": 1 << 30, "plain autograd": 1 << 27}
"""Elements up to which these are timed: they keep many arrays and launch many kernels."""
FEW = (1 << 10, 1 << 13, 1 << 16, 1 << 19)
"""Neurons of small layers over 16 steps."""
TRIED = ((8, 128, 4), (4, 128, 4), (16, 128, 4), (8, 64, 2), (8, 256, 4), (4, 512, 4))
"""``STEPS``, ``WIDTH`` and ``WARPS`` of the kernels."""


def device_times(functions, x, rounds):
    """Milliseconds on the device of forward and backward, in turns.

    Parameters
    ----------
    functions : dict of callables
        Each maps ``x`` [T, ...] to spikes.
    rounds : int
        After three that do not count.

    Returns
    -------
    dict
        By name, an array [rounds, 2].
    """
    g = torch.randn_like(x)
    taken = {name: [] for name in functions}
    for i in range(3 + rounds):
        for name, function in _shuffled(functions, i):
            current = x.detach().requires_grad_()
            marks = [_mark(x)]
            s = function(current)
            marks.append(_mark(x))
            (dx,) = torch.autograd.grad(s, current, g)
            marks.append(_mark(x))
            taken[name].append(_between(marks))
            del s, dx, current
    return {name: np.array(pairs[3:]) for name, pairs in taken.items()}


def _shuffled(functions, i):
    """In another order each round: what ran before leaves the processor's caches warm or cold."""
    items = list(functions.items())
    return [items[k] for k in np.random.default_rng(i).permutation(len(items))]


def _mark(x):
    if not x.is_cuda:
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _between(marks):
    """Milliseconds between marks that follow each other."""
    if isinstance(marks[0], float):
        return (1e3 * np.diff(marks)).tolist()
    marks[-1].synchronize()
    return [a.elapsed_time(b) for a, b in itertools.pairwise(marks)]


def _record(taken, x, **settings):
    """Nanoseconds an element, [rounds, 2] of forward and backward by layer, and the settings."""
    ns = {name: (1e6 / x.numel() * pairs).round(6).tolist() for name, pairs in taken.items()}
    return {**settings, "elements": x.numel(), "layers": ns}


def measure_copy(device, toy):
    """Bytes a second, read and written, of a copy of 1 GiB."""
    x = torch.randn(1 << (10 if toy else 28), device=device)
    out = torch.empty_like(x)
    seconds = []
    for _ in range(3 + 20):
        marks = [_mark(x)]
        out.copy_(x)
        marks.append(_mark(x))
        seconds += _between(marks)
    return [round(2 * x.numel() * 4 / (1e-3 * ms)) for ms in seconds[3:]]


def _sizes(toy):
    return {"dense": (3, 5)} if toy else SHAPES


def measure_layers(device, toy):
    """All layers at all sizes, lengths and dtypes."""
    layers, rounds = LAYERS | _others(), 1 if toy else 10
    records = []
    for dtype, (size, shape), T in itertools.product(DTYPES, _sizes(toy).items(), LENGTHS):
        if toy and T > 16:
            continue
        x = torch.rand(T, *shape, device=device).to(DTYPES[dtype])
        wanted = {n: f for n, f in layers.items() if x.numel() <= LARGEST.get(n, 1 << 31)}
        try:
            taken = device_times(wanted, x, rounds)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            wanted = {n: wanted[n] for n in KERNELS}
            taken = device_times(wanted, x, rounds)
        records.append(_record(taken, x, size=size, T=T, dtype=dtype))
    return records


def _others():
    """SpikingJelly's neuron, with the kernel it chooses by itself, where it is installed."""
    try:
        return {"SpikingJelly": peers.spiking_layer("SpikingJelly")}
    except ImportError:
        return {}


def measure_term(device, toy):
    """The kernels with and without the term, nothing else running."""
    records = []
    for dtype, (size, shape), T in itertools.product(DTYPES, _sizes(toy).items(), (16, 64)):
        x = torch.rand(T, *shape, device=device).to(DTYPES[dtype])
        pair = {name: LAYERS[name] for name in KERNELS}
        taken = device_times(pair, x, 1 if toy else 60)
        records.append(_record(taken, x, size=size, T=T, dtype=dtype))
    return records


def measure_fusion(device, toy):
    """The kernels with fused multiply-adds and without, as they are; spikes that then differ."""
    size = (16, 3, 5) if toy else (64, *SHAPES["CIFARNet"])
    x = torch.rand(size, device=device)

    def layer(x, fused):
        triton_lif.FUSED = fused  # for the backward pass too, which follows
        return LAYERS["kernel"](x)

    functions = {str(fused): partial(layer, fused=fused) for fused in (False, True)}
    with changed(triton_lif, FUSED=False):
        taken = device_times(functions, x, 1 if toy else 20)
        spikes = [function(x) for function in functions.values()]
    differing = (spikes[0] != spikes[1]).float().mean().item()
    return {**_record(taken, x, T=len(x)), "spikes_that_differ": differing}


def measure_shapes(device, toy):
    """The kernels by steps loaded at once, neurons a program and its warps."""
    records = []
    for dtype, n, tried in itertools.product(DTYPES, (15,) if toy else (1 << 15, 1 << 22), TRIED):
        x = torch.rand(64, n, device=device).to(DTYPES[dtype])
        steps, width, warps = tried
        with changed(triton_lif, STEPS=steps, WIDTH=width, WARPS=warps):
            taken = device_times({"kernel": LAYERS["kernel"]}, x, 1 if toy else 10)
        records.append(_record(taken, x, T=64, dtype=dtype, tried=tried))
    return records


@contextlib.contextmanager
def changed(module, **values):
    """Within this context, names of a module have other values."""
    kept = {name: getattr(module, name) for name in values}
    try:
        vars(module).update(values)
        yield
    finally:
        vars(module).update(kept)


def measure_small(device, toy):
    """Small layers, where launches rule: wall time of forward and backward, synchronised."""
    layers = LAYERS | _others()
    records = []
    for n in (15,) if toy else FEW:
        x = torch.rand(16, n, device=device)
        g = torch.randn_like(x)
        taken = {name: [] for name in layers}
        for i in range(3 + (1 if toy else 30)):
            for name, function in _shuffled(layers, i):
                current = x.detach().requires_grad_()
                _wait(device)
                start = time.perf_counter()
                torch.autograd.grad(function(current), current, g)
                _wait(device)
                taken[name].append(round(1e6 * (time.perf_counter() - start), 2))
        taken = {name: us[3:] for name, us in taken.items()}
        records.append({"T": 16, "neurons": n, "microseconds": taken})
    return records


def _wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def run_tests(device, toy, timeout=150):
    """The device tests, in a process of their own: exit status and pytest's last lines."""
    files = ["tests/test_triton_lif.py", "tests/test_gpu.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-n", "8", *files]
    if toy:
        return {"skipped": "toy"}
    try:
        done = subprocess.run(command, cwd=results.PROJECT, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        return {"status": None, "output": said.decode(errors="replace")[-2000:]}
    return {"status": done.returncode, "output": done.stdout.decode(errors="replace")[-6000:]}


def train_recipe(device, toy):
    """The recipe of chapter 13, with the term and without, one seed: seconds and accuracy."""
    runs = plan.smoke() if toy else plan.headline(1)
    try:
        data = datasets.cifar10()
    except datasets.DatasetError as error:
        return {"skipped": str(error).splitlines()[0]}
    by_run = {}
    for run in runs:
        brief = replace(run.settings, epochs=1, doublings=(), limit=2000)
        training.train(brief, 9, data, device=device)  # whatever is compiled or chosen once
        trained = training.train(run.settings, run.seed, data, device=device)
        by_run[run.name] = {
            "seconds": trained["seconds"],
            "epochs": [epoch["seconds"] for epoch in trained["epochs"]],
            "accuracy": trained["test"]["accuracy"] if trained["test"] else None,
            "gflop": sum(epoch["gflop"] for epoch in trained["epochs"]),
        }
    return by_run


PARTS = {
    "tests": run_tests,
    "copy": measure_copy,
    "shapes": measure_shapes,
    "layers": measure_layers,
    "term": measure_term,
    "fusion": measure_fusion,
    "small": measure_small,
    "recipe": train_recipe,
}


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cost.gpu", description=__doc__
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--toy", action="store_true", help="toy size, on the CPU")
    parser.add_argument("--out", default=results.RESULTS, type=Path, help="folder of the results")
    args = parser.parse_args(argv)
    device = "cpu" if args.toy else "cuda"
    if args.toy:
        with pretend_gpu(), triton_lif.interpreter():
            measure(args, device)
    elif not torch.cuda.is_available():
        parser.error("no GPU here; --toy tries the script on the CPU")
    else:
        measure(args, device)


def measure(args, device):
    """Go through the parts, and save the results after each; the recipe has a file of its own."""
    parts, start = {}, time.perf_counter()
    for part in args.parts:
        began = time.perf_counter()
        parts[part] = PARTS[part](device, args.toy)
        print(f"{part}: {time.perf_counter() - began:.0f} s", flush=True)
        recipe = part == "recipe"
        path = results.save(
            "gpu-recipe" if recipe else "gpu",
            folder=args.out,
            command="make gpu",
            settings=_settings(args),
            results=parts.pop(part) if recipe else parts,
            wall_time_s=time.perf_counter() - (began if recipe else start),
        )
        print(f"wrote {path}")


def _settings(args):
    return {
        "neuron": repr(NEURON),
        "steps": triton_lif.STEPS,
        "width": triton_lif.WIDTH,
        "card": "none" if args.toy else torch.cuda.get_device_name(),
        "driver": None if args.toy else driver(),
        "triton": triton_lif.triton.__version__,
    }


def pretend_gpu():
    """Within this context, the GPU's kernels run tensors of the CPU, in Triton's interpreter."""
    return changed(
        torch_lif, path_name=lambda backend, *_: "eager" if backend == "eager" else "triton"
    )


def driver():
    """Version of the GPU's driver."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
