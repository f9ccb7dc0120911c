"""The paper's network at a quarter of its width: what its runs are said to show."""

import re

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import outcomes, paper, plan, quarter
from tsbp_core.lab import results
from tsbp_core.lab.statistics import interval_text, t_interval

SPREAD = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])


def record(accuracy, losses=(0.7, 0.6)):
    """A results file as far as it is read; one that diverged, if ``accuracy`` is None."""
    settings = {"steps": 3, "tau_s": 2.0}
    found = {
        "test_accuracy": None if accuracy is None else accuracy / 100,
        "diverged": accuracy is None,
        "epochs": [{"train_loss": loss} for loss in losses],
    }
    return {"results": found, "settings": settings}


def made(gain=0.0, scatter=1.0, late=0.0):
    """Five pairs at each rate; the higher the rate, the higher accuracy and the gain.

    ``late``: what the term changes in the loss of the last epoch.
    """
    return {
        rate: {
            1.0: [record(50 + at + gain + at + scatter * x, (0.7 + x, 0.6 + late)) for x in SPREAD],
            0.0: [record(50 + at, (0.7, 0.6 + x / 100)) for x in SPREAD],
        }
        for at, rate in enumerate(quarter.RATES)
    }


def test_the_runs_are_the_presets_but_for_rate_method_and_seed():
    preset = paper.PRESETS["quarter"]
    assert preset.lr == quarter.PRESET == quarter.RATES[1]
    high = quarter.load((quarter.HIGH,), range(1))
    for rate, by_rho in (quarter.load() | high).items():
        for rho, records in by_rho.items():
            assert [r["settings"]["seed"] for r in records] == [*range(len(records))]
            for file in records:
                settings = file["settings"]
                assert (settings["lr"], settings["reset_gradient"]) == (rate, rho)
                usual = {name: settings[name] for name in vars(preset)}
                assert usual | {"lr": preset.lr, "reset_gradient": 1.0} == vars(preset)
                assert len(file["results"]["epochs"]) == preset.epochs


def test_the_neurons_are_those_of_the_other_networks_rows():
    """Chapter 14's figure says how high their surrogate is."""
    from tsbp_core.chapters.cifar10 import paper_network

    assert paper_network.NEURON.surrogate == plan.COMPACT.neuron().surrogate


def test_make_computes_what_is_read():
    (recipe,) = re.findall(
        r"^quarter:.*\n((?:\t.*\n)+)", (results.PROJECT / "Makefile").read_text(), re.M
    )
    rates = {float(rate) for rate in re.findall(r"\d(?:\.\d+)?e-\d", recipe)}
    assert rates == {*quarter.RATES, quarter.HIGH}
    assert "for seed in 0 1 2 3 4; do for rho in 1 0;" in recipe
    assert "--lr 5e-3 --seed 0 --rho" in recipe


def test_a_run_that_diverged_counts_with_chance():
    assert quarter.accuracy(record(None)) == outcomes.CHANCE
    assert quarter.accuracy(record(61.5)) == pytest.approx(61.5)


def test_a_sign_is_judged_at_95_and_equivalence_at_90_percent():
    usual, narrow = (np.subtract(*t_interval(SPREAD, q)[::-1]) / 2 for q in (0.95, 0.9))

    def judged(mean):
        return quarter.verdict({1.0: 60 + mean + SPREAD, 0.0: np.full(5, 60.0)})

    assert judged(1.01 * usual) == "help and equivalent"
    assert judged(-1.01 * usual) == "harm and equivalent"
    assert judged((usual + narrow) / 2) == "equivalent"
    assert judged(0.5 - 1.01 * narrow) == "help and equivalent"
    assert judged(0.5 - 0.99 * narrow) == "help"
    assert quarter.verdict({1.0: 60 + 10 * SPREAD, 0.0: np.full(5, 60.0)}) == "open"
    drawn = [interval(SPREAD) for interval in quarter.INTERVALS]
    assert drawn == [pytest.approx(t_interval(SPREAD, q)) for q in (0.9, 0.95)]


def test_words():
    high = {quarter.HIGH: {1.0: [record(75.04)], 0.0: [record(74.0)]}}
    said = quarter.phrases(made(late=-0.01), high)
    assert said["quarter-runs"] == "30"
    assert (said["quarter-high-1"], said["quarter-high-0"]) == ("75.0", "74.0")
    assert (said["quarter-first-1"], said["quarter-first-0"]) == ("53.8", "52.0")
    assert (said["quarter-0.0015-1"], said["quarter-0.0015-0"]) == ("54.0", "52.0")
    for rate, mean in zip(("0.00015", "0.0005", "0.0015"), (0, 1, 2), strict=True):
        assert said[f"quarter-{rate}"] == interval_text(mean, *t_interval(mean + SPREAD))
    assert said["quarter-verdict"] == "help"
    assert said["quarter-scatter"] == "0.2"
    silent = (0.5**2 + 0.75**2) / 2  # the target fires at steps 2 and 3
    share = f"{60 / silent:.0f}"
    assert said["quarter-silent"] == f"{share}, {share} and {share}"
    assert said["quarter-over-rates"] == interval_text(1, *t_interval(1 + SPREAD))
    change = -0.01 - SPREAD / 100
    loss = interval_text(-0.01, *t_interval(change), 4)
    assert said["quarter-0.0005-loss"] == loss
    assert said["quarter-0.0005-below"] == "1"


def test_epochs_count_where_the_whole_interval_is_below_zero():
    below = [quarter.epochs_below(made(late=late)[5e-4]) for late in (-0.01, -0.001, 0.01)]
    assert below == [1, 0, 0]


def test_the_table_has_a_row_a_rate():
    head, *rows = str(quarter.table(made(late=-0.01))).split("<tr>")[1:]
    order = ["rate", "with, %", "without, %", "[95 %]", "[90 %]", "by itself", "training loss"]
    places = [head.index(word) for word in order]
    assert places == sorted(places)
    assert len(rows) == 3
    gains = [interval_text(2, *t_interval(2 + SPREAD, q)) for q in (0.95, 0.9)]
    loss = interval_text(-0.01, *t_interval(-0.01 - SPREAD / 100), 4)
    assert "</td><td>".join(["<td>0.0015", "54.0", "52.0", *gains, "help", loss]) in rows[2]


def test_what_the_text_says_of_the_committed_runs():
    """All means lean to the term; one interval of three does, and none corrected for three."""
    apart = {
        rate: np.subtract(pair[1.0], pair[0.0])
        for rate, pair in quarter.pairs(quarter.load()).items()
    }
    assert all(0.5 < gains.mean() <= 1.05 for gains in apart.values())
    assert [t_interval(gains)[0] > 0 for gains in apart.values()] == [True, False, False]
    assert all(t_interval(gains, 1 - 0.05 / 3)[0] < 0 for gains in apart.values())
    assert all(high > 1.5 for _, high in map(t_interval, apart.values()))
    assert t_interval(np.mean([*apart.values()], axis=0))[0] < 0
    means = [
        [np.mean(pair[rho]) for pair in quarter.pairs(quarter.load()).values()] for rho in plan.RHOS
    ]
    assert means == [sorted(means[0]), sorted(means[1])]
    for by_rho in quarter.load().values():  # the training loss is never higher
        assert quarter.epochs_below({1.0: by_rho[0.0], 0.0: by_rho[1.0]}) == 0


def started(counts):
    """Results of ``start`` at one rate: spikes after the last look, (with, without) a seed."""
    return {
        str(seed): {"0.005": {"1": [1.0, float(one)], "0": [0.0, float(other)]}}
        for seed, (one, other) in enumerate(counts)
    }


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([(1, 0)] * 7 + [(0, 0), (2, 3)], ("help", 2 / 2**7)),
        ([(0, 1)] * 7 + [(0, 0), (2, 3)], ("harm", 2 / 2**7)),
        ([(1, 0)] * 6, ("open", 2 / 2**6)),
        ([(1, 0)] * 9 + [(0, 1)] * 2, ("open", 2 * (1 + 11 + 55) / 2**11)),
        ([(0, 0), (1, 1)], ("open", 1.0)),
    ],
)
def test_silence_is_judged_by_the_pairs_that_differ(counts, said):
    word, p = quarter.sign_test(quarter.silent(started(counts))[5e-3])
    assert (word, pytest.approx(p)) == said


def test_silence_is_counted_by_method_and_look():
    counts = started([(1, 0)] * 7 + [(0, 0), (2, 3)])
    early = quarter.silent(counts, 0)[5e-3]
    assert [early[rho].sum() for rho in plan.RHOS] == [0, 9]
    said = quarter.phrases_of_start(counts)
    assert said["start-seeds"] == "9"
    assert (said["start-0.005-1"], said["start-0.005-0"]) == ("1", "8")
    assert (said["start-0.005-verdict"], said["start-0.005-p"]) == ("help", "0.016")


def test_what_the_text_says_of_larger_rates():
    """Without the term seed 0 stays silent at 5e-3; over other seeds neither method is known to."""
    high = quarter.load((quarter.HIGH,), (0,))[quarter.HIGH]
    (alive,), (dead,) = high[1.0], high[0.0]
    losses = [epoch["train_loss"] for epoch in dead["results"]["epochs"]]
    assert losses == pytest.approx([quarter.silence(dead)] * 10, rel=1e-3)
    for (fast,), best in zip(high.values(), quarter.load()[1.5e-3].values(), strict=True):
        assert quarter.accuracy(fast) < quarter.accuracy(best[0]) - 5
    assert dead["results"]["test_accuracy"] == 0.1 < alive["results"]["test_accuracy"]
    started = results.load("quarter-start")["results"]
    assert [quarter.sign_test(pair)[0] for pair in quarter.silent(started).values()] == ["open"] * 2
    early, late = (quarter.silent(started, look)[5e-3][0.0] for look in (0, 1))
    assert (early & ~late).any()
