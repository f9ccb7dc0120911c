import numpy as np
import pytest
import torch

from tsbp_core.chapters.cost import peers
from tsbp_core.chapters.cost import study as overhead
from tsbp_core.lab import results
from tsbp_core.lab.statistics import bootstrap_interval


def test_our_formulations_are_one_neuron():
    x = torch.rand(6, 3, 4, dtype=torch.float64)
    gradients = {}
    for name in ("fused", "eager", "plain autograd"):
        for suffix in ("", ", rho = 0"):
            current = x.clone().requires_grad_()
            overhead.OURS[name + suffix](current).sum().backward()
            gradients[name + suffix] = current.grad
    for suffix in ("", ", rho = 0"):
        for name in ("fused", "plain autograd"):
            torch.testing.assert_close(gradients[name + suffix], gradients["eager" + suffix])
    assert not torch.allclose(gradients["eager"], gradients["eager, rho = 0"])


def test_times_takes_turns_and_leaves_out_the_first_rounds():
    calls = []

    def note(name):
        def function(x):
            calls.append(name)
            return 2 * x

        return function

    taken = overhead.times({"a": note("a"), "b": note("b")}, torch.rand(3, 4), rounds=2)
    assert calls == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert len(calls) == 2 * (overhead.WARM + 2)
    assert taken["a"].shape == taken["b"].shape == (2, 2)
    assert (taken["a"] > 0).all()


def test_saved_bytes_counts_what_backward_needs():
    lif = overhead.NEURON
    assert overhead.saved_bytes(overhead.FORMULATIONS["ours"], 5, lif) == 4 * (5 + 1) * 1000
    assert overhead.saved_bytes(overhead.FORMULATIONS["plain autograd"], 5, lif) > 2 * 4 * 5 * 1000


def test_peak_memory_grows_with_what_is_kept():
    peak = {
        name: overhead.in_a_process("peak", 1, "default", steps=20, shape=(64, 20_000), name=name)
        for name in ("eager", "plain autograd")
    }
    assert 12 <= peak["eager"] < peak["plain autograd"]


def test_a_failing_process_says_why():
    with pytest.raises(RuntimeError, match="library must be one of .* got 'nothing'"):
        overhead.in_a_process("peak", 1, "default", steps=2, shape=(2,), name="nothing")


def test_training_step_uses_the_layer_that_it_names():
    taken = overhead.measure_training(["fused", "plain autograd"], rounds=1, batch=4)
    assert list(taken) == ["fused", "plain autograd"]
    assert all(len(seconds) == 1 for seconds in taken.values())


def test_make_sets_the_allocator_that_was_measured():
    makefile = (results.PROJECT / "Makefile").read_text()
    for name, value in overhead.ALLOCATORS["kept"].items():
        assert f"export {name} ?= {value}\n" in makefile


def test_ratio_is_paired():
    base = np.array([1.0, 10.0, 100.0])
    assert overhead.ratio(1.02 * base, base) == pytest.approx((1.02, 1.02, 1.02))


def test_prices_take_each_size_from_its_own_record():
    def record(steps, price):
        layers = {name: [[1.0, 1.0]] * 3 for name in ("eager, rho = 0", "plain autograd, rho = 0")}
        layers |= {name: [[price, price]] * 3 for name in ("eager", "plain autograd")}
        return {"steps": steps, "threads": 1, "allocator": "kept", "value": {"layers": layers}}

    fused = {"fused": [1.01, 2.02], "fused, rho = 0": [1.0, 2.0]}
    found = {
        "times": [record(100, 1.2), record(5, 1.5)],
        "term": [{"steps": steps, "value": fused} for steps in (100, 5)],
        "training": [{"threads": 2, "value": {name: [1.0, 2.0] for name in overhead.OURS}}],
        "training_term": [{"value": {"fused": [1.03, 2.06], "fused, rho = 0": [1.0, 2.0]}}],
    }
    medians = {what: price[0] for what, price in overhead.prices(found).items()}
    assert medians == pytest.approx(
        {"fused, dense": 1, "eager, dense": 20, "plain autograd, dense": 20}
        | {"fused, CIFARNet": 1, "eager, CIFARNet": 50, "plain autograd, CIFARNet": 50}
        | {"fused, training step": 3, "eager, training step": 0, "plain autograd, training step": 0}
    )


def test_bootstrap_of_the_median():
    low, high = bootstrap_interval(np.r_[np.zeros(60), 100.0], statistic=np.median)
    assert low == high == 0.0
    assert bootstrap_interval(np.r_[np.zeros(60), 100.0])[1] > 0


def test_committed_results_are_complete():
    study = results.load("overhead")
    assert set(study["settings"]["libraries"]) == set(peers.LIBRARIES)
    found = study["results"]
    names = {*overhead.OURS, *peers.LIBRARIES}
    assert len(found["times"]) == 6
    assert all(set(record["value"]["layers"]) == names for record in found["times"])
    assert {record["name"] for record in found["peak"]} == names
    assert [record["steps"] for record in found["long"]] == list(overhead.SWEEP)
