"""Sequences to classify: digits read pixel by pixel, spoken vowels, and a delayed XOR.

Each set has a test part, which no choice looks at, and a pool in five folds. Seed k trains on the
pool without fold k mod 5 and is validated on that fold, so that ten seeds validate on all of it.
"""

import hashlib
import zipfile
from dataclasses import dataclass

import numpy as np

from tsbp_core.lab import datasets, results

FOLDS = 5
TEST = -1
"""The fold's number of samples held out for the test."""
WHEEL = "sktime-*.whl"
VOWELS = {
    "TRAIN": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    "TEST": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
}
"""SHA-256 of the two published parts, the same in the wheels of sktime 1.2.0 and aeon 1.6.0."""


@dataclass(frozen=True)
class Data:
    """Sequences as input currents.

    Parameters
    ----------
    x : float32 array [samples, T, D]
        Currents. The last channel is constant while the sequence lasts.
    labels : int64 array [samples]
    window : float32 array [samples, T]
        How much the readout listens at each step; a row sums to 1.
    fold : int64 array [samples]
        0 to 4 in the pool, ``TEST`` in the test part.
    """

    x: np.ndarray
    labels: np.ndarray
    window: np.ndarray
    fold: np.ndarray

    @property
    def classes(self):
        """How many classes there are."""
        return int(self.labels.max()) + 1


def split_pool(labels, rng):
    """Folds [samples] of nearly equal size with nearly equal shares of each class."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % FOLDS
    return fold


def with_constant(x, present=None):
    """Currents [samples, T, D] with a channel of ones, or of ``present`` [samples, T], added."""
    ones = np.ones(x.shape[:2]) if present is None else present
    return np.concatenate([x, ones[:, :, None]], axis=2).astype(np.float32)


HOLD = 4
"""Steps that a row of a digit is shown."""


def digits(by="row", shuffled=False):
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels; a current is a pixel's darkness.

    The set is the test half of the original one, so there is no published split within it; ours
    tests on 397 images drawn once.

    Parameters
    ----------
    by : {"row", "pixel"}, default "row"
        Eight pixels a step, each row for ``HOLD`` steps; or one pixel a step.
    shuffled : bool, default False
        The pixels in one fixed random order.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels, labels = bunch.data / 16.0, bunch.target.astype(np.int64)
    if shuffled:
        pixels = pixels[:, np.random.default_rng(65).permutation(64)]
    x = pixels.reshape(-1, 8, 8).repeat(HOLD, axis=1) if by == "row" else pixels[:, :, None]
    rng = np.random.default_rng(64)
    fold = np.full(len(labels), TEST)
    pool = np.sort(rng.permutation(len(labels))[397:])
    fold[pool] = split_pool(labels[pool], rng)
    return Data(with_constant(x), labels, np.full(x.shape[:2], 1 / x.shape[1], np.float32), fold)


def read_vowels(part, folder=None):
    """The published ``part``, "TRAIN" or "TEST", as text, from sktime's wheel in ``folder``.

    By default it is sought where CIFAR-10 would be (``datasets.data_folder``), or else in ``data/``
    of this project, where ``make sequences`` puts it.

    Raises
    ------
    FileNotFoundError
        If there is no wheel; the message says how to get it.
    ValueError
        If the part in it is not the published one.
    """
    places = [folder] if folder else [results.PROJECT / "data", datasets.data_folder()]
    wheels = [wheel for place in places for wheel in sorted(place.glob(WHEEL))]
    if not wheels:
        raise FileNotFoundError(
            f"no {WHEEL} in {' or '.join(map(str, dict.fromkeys(places)))}: "
            f"pip download --no-deps -d {places[0]} sktime==1.2.0"
        )
    name = f"sktime/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts"
    text = zipfile.ZipFile(wheels[-1]).read(name)
    if hashlib.sha256(text).hexdigest() != VOWELS[part]:
        raise ValueError(f"{name} in {wheels[-1]} is not the published one")
    return text.decode()


def parse_ts(text):
    """Sequences, a list of [T, D] of different T, and labels [samples] of a file in ts format."""
    lines = text[text.index("@data") :].splitlines()[1:]
    sequences, labels = [], []
    for line in filter(str.strip, lines):
        *channels, label = line.split(":")
        sequences.append(np.array([[float(v) for v in c.split(",")] for c in channels]).T)
        labels.append(int(label) - 1)
    return sequences, np.array(labels)


def end_together(sequences, steps):
    """Sequences [samples, steps, D] that end at the last step, zeros before them; and where they
    last, [samples, steps]."""
    x = np.zeros((len(sequences), steps, sequences[0].shape[1]))
    present = np.zeros(x.shape[:2])
    for row, mask, sequence in zip(x, present, sequences, strict=True):
        row[-len(sequence) :] = sequence
        mask[-len(sequence) :] = 1.0
    return x, present


def vowels(folder=None):
    """Japanese Vowels (Kudo, Toyama & Shimbo, 1999): 9 speakers, 12 coefficients, 7 to 29 frames.

    Currents are the coefficients, standardised on the published training part, whose 270
    utterances are the pool; its 370 test utterances are the test. Utterances end together, and
    before them there is no current.
    """
    parts = [parse_ts(read_vowels(part, folder)) for part in VOWELS]
    frames = np.concatenate(parts[0][0])
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    sequences = [(s - mean) / deviation for part, _ in parts for s in part]
    labels = np.concatenate([labels for _, labels in parts])
    x, present = end_together(sequences, max(map(len, sequences)))
    fold = np.full(len(labels), TEST)
    pool = len(parts[0][1])
    fold[:pool] = split_pool(labels[:pool], np.random.default_rng(12))
    window = present / present.sum(axis=1, keepdims=True)
    return Data(with_constant(x, present), labels, window.astype(np.float32), fold)


CUE, GAP, ANSWER = 4, 26, 4
"""Steps that a bit of the delayed XOR is shown, that pass after it, and that the readout hears."""


def delayed_xor(samples=2000, noise=0.3, seed=3):
    """Two bits, one after the other, each followed by a gap; was it the same bit twice?

    A bit is a current of 1 in one of two channels for ``CUE`` steps. A third channel is 1 while the
    readout listens, in the last ``ANSWER`` steps. Every current has normal noise, so the net must
    hold the first bit for a cue and two gaps, and the second for a gap. A fifth of the samples are
    the test.
    """
    rng = np.random.default_rng(seed)
    steps = 2 * (CUE + GAP) + ANSWER
    bits = rng.integers(2, size=(samples, 2))
    x = np.zeros((samples, steps, 3))
    for k, start in enumerate((0, CUE + GAP)):
        x[:, start : start + CUE, :2] = np.eye(2)[bits[:, k], None]
    x[:, -ANSWER:, 2] = 1.0
    x += noise * rng.normal(size=x.shape)
    labels = (bits[:, 0] != bits[:, 1]).astype(np.int64)
    fold = np.full(samples, TEST)
    pool = samples * 4 // 5
    fold[:pool] = split_pool(labels[:pool], rng)
    window = np.zeros((samples, steps), np.float32)
    window[:, -ANSWER:] = 1 / ANSWER
    return Data(with_constant(x), labels, window, fold)


TASKS = {
    "rows": digits,
    "vowels": vowels,
    "xor": delayed_xor,
    "pixels": lambda: digits(by="pixel"),
    "shuffled": lambda: digits(by="pixel", shuffled=True),
}
"""In the order in which they run."""
