"""Manifolds to convergence: trains what ``plan`` says, in pairs; resumable. ``verdicts`` judges."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from tsbp_core import block_lif, function_lif, inductor_lif, neuron, surrogates, torch_lif
from tsbp_core.chapters.growth import manifolds, plan, side_by_side
from tsbp_core.lab import results

SECONDS_OF_WORK = {"cuda": 0.05, "cpu": 100.0}
"""A guess, before anything was timed, of the seconds that a million of ``work`` takes."""
EVERY = 20.0
"""Seconds of training after which results are saved."""
_CODE = (
    *(neuron, surrogates, block_lif, function_lif, inductor_lif, torch_lif),
    *(manifolds, side_by_side),
    Path(torch_lif.__file__).with_name("triton_lif.py"),  # files: importing them needs Triton
    Path(__file__).with_name("kernels.py"),
)
"""What decides the numbers."""


def units(blocks, done, together):
    """What is to be trained at once: lists of (block, cells, seeds) not yet in ``done``.

    Parameters
    ----------
    blocks : sequence of str
    done : dict
        By cell's name, a dict by seed as text.
    together : bool
        All seeds and all cells that can be side by side; else one cell and one seed at a time.
    """
    work = []
    for block in blocks:
        all_cells, seeds = plan.BLOCKS[block]
        missing = {
            cell: [seed for seed in seeds if str(seed) not in done.get(cell.name, {})]
            for cell in all_cells
        }
        if not together:
            work += [(block, [cell], [seed]) for cell, left in missing.items() for seed in left]
            continue
        groups = {}
        for cell, left in missing.items():
            if left:
                groups.setdefault((cell.beside, tuple(left)), []).append(cell)
        work += [(block, group, list(left)) for (_, left), group in groups.items()]
    return work


def task(cell):
    """The task of a cell."""
    return manifolds.Task(steps=cell.steps, depth=cell.depth, **plan.TRAIN)


def work(group, seeds):
    """Millions of steps of a layer that training a unit takes; time goes by it."""
    cell = group[0]
    networks = len(group) * len(plan.RHOS) * len(cell.rates) * len(seeds)
    return networks * cell.steps * cell.depth * plan.UPDATES / 1e6


def train(group, seeds, device):
    """Train all networks of a unit: by cell's name and seed, what is kept of them.

    Thousandths of ``validation`` and ``test`` accuracy [rho, rate, point], and mean ``loss`` over
    stretches of plan.STRETCH updates [rho, rate, stretch].
    """
    cell = group[0]
    lifs = [each.lif(rho) for rho in plan.RHOS for each in group]
    curves = side_by_side.train(
        task(cell), lifs, cell.rates, seeds, plan.POINTS, cell.optimizer, device=device
    )
    shape = len(plan.RHOS), len(group)
    loss = curves["loss"].reshape(-1, plan.STRETCH, *curves["loss"].shape[1:]).mean(axis=1)
    kept = {"loss": np.moveaxis(loss, 0, -1).astype(float).round(3)}
    for part in ("validation", "test"):
        kept[part] = np.rint(1000 * curves[part]).astype(int)
    kept = {key: values.reshape(*shape, *values.shape[1:]) for key, values in kept.items()}
    return {
        each.name: {
            str(seed): {key: values[:, c, :, k].tolist() for key, values in kept.items()}
            for k, seed in enumerate(seeds)
        }
        for c, each in enumerate(group)
    }


def settings():
    """What the numbers depend on, as JSON has it."""
    return {
        "rates": {
            f"depth={depth}/{name}": list(rates) for (depth, name), rates in plan.RATES.items()
        },
        "rhos": list(plan.RHOS),
        "points": list(plan.POINTS),
        "stretch": plan.STRETCH,
        "task": plan.TRAIN,
    }


def open_results(folder):
    """Results so far: {"cells": by name and seed, "runs": how they were made}.

    Raises
    ------
    ValueError
        If they were made with other settings.
    """
    path = Path(folder) / f"{plan.NAME}.json"
    if not path.exists():
        return {"cells": {}, "runs": []}
    document = json.loads(path.read_text())
    if document["settings"] != settings():
        raise ValueError(f"{path} was made with other settings; move it away to begin anew")
    return document["results"]


def run(folder, device="cpu", blocks=tuple(plan.BLOCKS), seconds=None, report=print):
    """Train what ``folder`` lacks, unit after unit; save every EVERY seconds and at the end.

    With ``seconds``, a unit that would by the pace so far take longer than is left is passed over.
    Returns what there is then.
    """
    start = saved = time.perf_counter()
    document = open_results(folder)
    device = torch.device(device)
    pace, passed_over = SECONDS_OF_WORK[device.type], 0
    made = {**results.provenance(), **machine(device), "units": []}

    def save():
        results.save(
            plan.NAME,
            command="make converged",
            settings=settings(),
            results={**document, "runs": [*document["runs"], made]},
            wall_time_s=sum(unit[-1] for run in [*document["runs"], made] for unit in run["units"]),
            folder=folder,
        )

    try:
        for block, group, seeds in units(blocks, document["cells"], together=device.type == "cuda"):
            begun = time.perf_counter()
            size = work(group, seeds)
            name = f"{block}: {group[0].name} and {len(group) - 1} more, seeds {seeds}"
            if seconds is not None and begun - start + pace * size > seconds:
                passed_over += 1
                continue
            for cell, by_seed in train(group, seeds, device).items():
                document["cells"].setdefault(cell, {}).update(by_seed)
            now = time.perf_counter()
            took = now - begun
            pace = took / size
            made["units"].append([block, group[0].name, len(group), seeds, round(took, 2)])
            if now - saved > EVERY:
                save()
                saved = time.perf_counter()
            report(f"{now - start:6.1f} s, of which {took:.1f} s for {name}")
    finally:
        if made["units"]:
            save()
    if passed_over:
        report(f"passed over {passed_over} units, each longer than the time that was left")
    return document


def machine(device):
    """The device's name and a digest of the code that the numbers come from."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "code": results.code_digest(_CODE)}


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.growth.converged",
        description="Train pairs of networks on manifolds to convergence; resumable.",
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--out", default=results.RESULTS, type=Path, help="folder of the results")
    parser.add_argument("--seconds", type=float, help="begin nothing that would take longer")
    parser.add_argument("--blocks", nargs="+", choices=plan.BLOCKS, default=list(plan.BLOCKS))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        document = run(args.out, args.device, args.blocks, args.seconds)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from the last unit saved") from None
    trained = sum(len(by_seed) for by_seed in document["cells"].values())
    planned = sum(len(group) * len(seeds) for group, seeds in plan.BLOCKS.values())
    print(f"{trained} of {planned} pairs of cell and seed are in {args.out / plan.NAME}.json")


if __name__ == "__main__":
    main()
