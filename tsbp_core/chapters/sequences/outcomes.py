"""What the recurrent networks' study found, judged as its plan says: pure functions of its results.

``parts`` are the results of a task by name, as ``study.Store`` keeps them: "low/zero/sweep" and so
on.
"""

import numpy as np

from tsbp_core.chapters.growth.verdicts import judge
from tsbp_core.chapters.sequences.data import TASKS
from tsbp_core.chapters.sequences.plan import OPTIMIZERS, RATES, RESETS, RHOS, rows
from tsbp_core.lab.statistics import t_interval

MARGIN, FACTOR, SHARE = 2.0, 1.25, 0.9
"""Points of accuracy and ratio of updates that matter; how far up the target of speed lies."""
LEARNT = 0.25
"""How far from chance to all right the better method must end (for speed, both)."""
COMPARISONS = len(TASKS) * len(RESETS) * len(OPTIMIZERS)
"""Of a surrogate. Intervals are corrected for them."""


def gains(final, optimizer):
    """Test accuracy with the term minus without, in points, of each seed; each at its own rate."""
    test = 100.0 * np.array(final["test"])
    return test[rows(final, optimizer, 1.0)] - test[rows(final, optimizer, 0.0)]


def judged(values, margin, names=("help", "harm"), comparisons=COMPARISONS):
    """Mean of paired ``values``, its interval corrected for ``comparisons``, and the verdict."""
    low, high = t_interval(values, 1.0 - 0.05 / comparisons)
    verdict = judge(low, high, margin, names)
    return {"mean": float(np.mean(values)), "low": low, "high": high, "verdict": verdict}


def updates_to(part, networks, target, chance):
    """Updates until each of ``networks`` first has the share ``target`` of the validation right.

    By straight lines between looks, from ``chance`` at 0. Infinite where no look finds it there.
    """
    points = np.array([0, *part["updates"]], float)
    seen = np.array(part["validation"])[:, networks].T
    updates = np.full(len(networks), np.inf)
    for n, curve in enumerate(np.insert(seen, 0, chance, axis=1)):
        reached = np.flatnonzero(curve >= target)
        if len(reached):
            k = reached[0]
            pair = slice(max(k - 1, 0), k + 1)
            updates[n] = max(1.0, np.interp(target, curve[pair], points[pair]))
    return updates


def updates_by_method(final, optimizer, classes):
    """Updates to the target of each seed, [rho, seed], and the target.

    It lies ``SHARE`` of the way from chance to the lower of the two methods' mean last validation
    accuracies.
    """
    pair = [rows(final, optimizer, rho) for rho in RHOS]
    last = np.array(final["validation"][-1])
    chance = 1.0 / classes
    target = chance + SHARE * (min(last[networks].mean() for networks in pair) - chance)
    return np.array([updates_to(final, networks, target, chance) for networks in pair]), target


def flat(final, optimizer):
    """Whether the training loss has stopped falling for both methods.

    From the last stretch but one to the last, on average over networks, by less than 0.02 or 5 %.
    """
    loss = np.array(final["loss"], float)[-2:]  # a loss that was not finite is null in the file
    means = np.array([np.nanmedian(loss[:, rows(final, optimizer, rho)], axis=1) for rho in RHOS])
    before, last = means.T
    return bool((before - last < np.maximum(0.02, 0.05 * before)).all())


def bar(classes):
    """Accuracy in percent from which on a task of so many classes counts as learnt."""
    return 100 * (LEARNT + (1 - LEARNT) / classes)


def cell(parts, name, optimizer, classes):
    """All outcomes of a cell; ``name`` is that of its group, as in "low/zero"."""
    final = parts[f"{name}/final"]
    rates = [final["methods"][rows(final, optimizer, rho)[0]][1] for rho in RHOS]
    each, target = updates_by_method(final, optimizer, classes)
    updates = np.minimum(each, final["updates"][-1])
    edges = RATES[optimizer][0], RATES[optimizer][-1]
    summary = end(final, optimizer, COMPARISONS) | {
        "speed": judged(np.log2(updates[0] / updates[1]), np.log2(FACTOR), ("slower", "faster")),
        "target": target,
        "updates": 2 ** np.log2(updates).mean(axis=1),
        "never": np.isinf(each).sum(axis=1),
        "rates": rates,
        "edge": [rate in edges for rate in rates],
    }
    ends = summary["ends"]
    if max(ends) < bar(classes):
        summary["gain"]["verdict"] = "not learnt"
    # a target at chance says nothing of speed; seen in the results, not in the plan
    if min(ends) < bar(classes):
        summary["speed"] |= {"verdict": "not learnt", "timed": summary["speed"]["verdict"]}
    return summary


def end(part, optimizer, comparisons):
    """Means of both ends, and their paired gain with its verdict, corrected so; and flatness."""
    ends = [100 * np.mean(np.array(part["test"])[rows(part, optimizer, rho)]) for rho in RHOS]
    gain = judged(gains(part, optimizer), MARGIN, comparisons=comparisons)
    return {"ends": ends, "gain": gain, "flat": flat(part, optimizer)}


def rule(verdicts, good, bad):
    """The plan's word on a rule that half of all cells must bear out and none may contradict.

    "stands", "refuted" or "undecided".
    """
    if verdicts.count(good) >= COMPARISONS / 2 and bad not in verdicts:
        return "stands"
    against = verdicts.count("equal") + verdicts.count(bad)
    return "refuted" if against >= COMPARISONS / 2 else "undecided"


def added_growth(part, when):
    """How much faster a credit grows a step with the term than without, in the same network.

    The mean logarithm of each network [N] of a part; ``when`` is "first" or "last".
    """
    pair = [np.array(part[when][f"growth/net/rho={rho:g}"], float) for rho in RHOS]
    return pair[0] - pair[1]
