"""Runs the studies of ``plan``, and makes what chapter 7's explorer draws."""

import argparse
import base64
import errno
import functools
import io
import os
from dataclasses import asdict

import joblib
import numpy as np
import torch
from matplotlib import image
from tqdm import tqdm

from tsbp_core.chapters.cifar10.network import SpikingNet, normalised
from tsbp_core.chapters.cifar10.outcomes import final, path
from tsbp_core.chapters.cifar10.plan import STUDIES, grid
from tsbp_core.chapters.cifar10.training import train
from tsbp_core.lab import checkpoints, datasets, results

SHOWN_CLASSES = ("airplane", "cat", "ship")
"""The explorer shows the spikes that the first test image of each causes."""
SHOWN_CHANNELS = (2, 8, 32, 72)
"""How many channels of each layer it shows."""
SOURCE = "CIFAR-10 (Krizhevsky, 2009, Learning Multiple Layers of Features from Tiny Images)"


def run_study(study, runs, root=None, jobs=1, quiet=False, device="cpu"):
    """Compute the runs that have no results file yet.

    Parameters
    ----------
    study : str
        Names the folders of results files and checkpoints.
    runs : list of TrainingRun
    root : path, optional
        Where CIFAR-10 is, as in ``datasets.cifar10``.
    jobs : int, default 1
        Processes, -1 for one a core; the cores are shared out evenly. Floating-point sums, and so
        the last bits of a run, depend on the number of threads.
    quiet : bool, default False
        Show no progress bar.
    device : str, default "cpu"
        Where to train; on a GPU processes share it.

    Returns
    -------
    int
        Runs still missing, as other processes are at work on them.
    """
    missing = [run for run in runs if not path(study, run).exists()]
    jobs = min(joblib.effective_n_jobs(jobs), max(1, len(missing)))
    threads = max(1, os.cpu_count() // jobs)
    with tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run", disable=quiet) as bar:
        parallel = joblib.Parallel(jobs, return_as="generator_unordered")
        for line in parallel(
            joblib.delayed(_run_one)(study, run, root, threads, device) for run in missing
        ):
            bar.update()
            if line and not quiet:
                tqdm.write(line)
    return sum(not path(study, run).exists() for run in runs)


def _run_one(study, run, root, threads, device):
    """Train and write the results file; returns a line about it, or None if it is not ours."""
    torch.set_num_threads(threads)
    checkpoint = _checkpoint(study, run)
    with checkpoints.claimed(checkpoint) as ours:
        if not ours or path(study, run).exists():
            return None
        data = datasets.cifar10(root)
        outcome = train(run.settings, run.seed, data, checkpoint, device=device)
        results.save(
            run.record(study),
            command=f"make cifar10 STUDY={study}",
            settings={
                **asdict(run.settings),
                "seed": run.seed,
                "threads": threads,
                "device": torch.cuda.get_device_name() if device == "cuda" else device,
            },
            wall_time_s=outcome.pop("seconds"),
            results=outcome,
        )
    ended = final(outcome)
    words = f"{ended['accuracy']:.2%}" if ended else "diverged"
    return f"{run.name}, seed {run.seed}: {words}"


def _checkpoint(study, run):
    return results.checkpoint(f"{run.record(study)}.pt")


def _shown(data):
    """Places in the test set of the images that chapter 7's explorer shows."""
    labels = map(datasets.CLASSES.index, SHOWN_CLASSES)
    return [int(np.flatnonzero(data.test_labels == label)[0]) for label in labels]


def thumbnails(root=None):
    """The images that chapter 7's explorer shows.

    Returns
    -------
    dict
        ``images``: their places in the test set; ``png``: each as a PNG file in base64.
    """
    data = datasets.cifar10(root)
    picked = _shown(data)
    files = []
    for pixels in data.test_images[picked].transpose(0, 2, 3, 1):
        file = io.BytesIO()
        image.imsave(file, pixels, format="png", metadata={"Software": None})
        files.append(base64.b64encode(file.getvalue()).decode())
    return {"images": picked, "png": files}


def explorer_spikes(root=None):
    """What chapter 7's explorer draws: spikes of trained networks shown some test images.

    The networks are the grid's of seed 0 with AdamW at 0.01. They are trained first if their
    checkpoints are not here.

    Returns
    -------
    dict
        ``images``: their places in the test set; by rho, ``spikes`` [image][layer][step], a list
        of the places in [channels, H, W] that fire, and ``evidence`` [image][step], the logits
        [10] of the mean spikes so far; ``sides``: H = W of each layer.
    """
    data = datasets.cifar10(root)
    picked = _shown(data)
    images = normalised(torch.from_numpy(data.test_images[picked]))
    drawn = {"images": picked}
    for run in grid(1):
        settings = run.settings
        if (settings.optimizer, settings.lr) != ("adamw", 0.01):
            continue
        checkpoint = _checkpoint("grid", run)
        train(settings, run.seed, data, checkpoint)
        net = SpikingNet(settings.network, settings.steps, settings.neuron()).eval()
        net.load_state_dict(checkpoints.load(checkpoint)["net"])
        with torch.no_grad():
            layers = net(images)[1]
            steps = torch.arange(1, settings.steps + 1)[:, None, None]
            so_far = layers[-1].flatten(2).cumsum(0) / steps
            evidence = net.readout(so_far).transpose(0, 1)
        drawn["sides"] = [s.shape[-1] for s in layers]
        drawn[f"{settings.reset_gradient:g}"] = {
            "spikes": [
                [
                    [s[:count].flatten().nonzero().flatten().tolist() for s in layer[:, i]]
                    for layer, count in zip(layers, SHOWN_CHANNELS, strict=True)
                ]
                for i in range(len(picked))
            ],
            "evidence": [[[round(v, 3) for v in row] for row in e.tolist()] for e in evidence],
        }
    return drawn


def make_shown(study, root=None):
    """Write the results files that chapter 7's explorer reads: ``images``, or all (``spikes``)."""
    shown = {"classes": SHOWN_CLASSES}
    results.make(
        "cifar10-images",
        functools.partial(thumbnails, root),
        command="make cifar10 STUDY=images",
        settings={**shown, "source": SOURCE},
    )
    if study == "spikes":
        results.make(
            "cifar10-spikes",
            functools.partial(explorer_spikes, root),
            command="make cifar10 STUDY=spikes",
            settings={**shown, "channels": SHOWN_CHANNELS},
        )


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.cifar10.study",
        description="Train paired networks on CIFAR-10; the same command goes on where it stopped.",
    )
    parser.add_argument("study", choices=[*STUDIES, "spikes", "images"])
    parser.add_argument("--root", help="folder with the data set (TSBP_DATA, or data/)")
    parser.add_argument("--jobs", type=int, default=-1, help="processes (-1: one a core)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args(argv)
    try:
        datasets.cifar10(args.root)  # downloaded once, before the processes start
        if args.study in ("images", "spikes"):
            make_shown(args.study, args.root)
            return
        runs = STUDIES[args.study]()
        missing = run_study(args.study, runs, args.root, args.jobs, device=args.device)
    except datasets.DatasetError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from the last whole epoch") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise SystemExit(
            f"stopped, as {results.PROJECT / 'data'} has no room left ({error.strerror}). What was "
            "computed is kept: make room, and the same command goes on from the last whole epoch"
        ) from None
    if missing:
        raise SystemExit(f"{missing} runs are being computed by other processes")
    print(f"all {len(runs)} runs are in {results.RESULTS / f'cifar10-{args.study}'}")


if __name__ == "__main__":
    main()
