import pytest

from tsbp_core.chapters.cost import measures, peers, plan, study
from tsbp_core.lab import results


def test_peak_memory_grows_with_what_is_kept():
    peak = {
        name: study.in_a_process("peak", 1, "returned", steps=20, shape=(64, 20_000), name=name)
        for name in ("fused", "eager", "plain autograd")
    }
    assert 8 <= peak["fused"] < 10 < 12 <= peak["eager"] < peak["plain autograd"]


def test_a_failing_process_says_why():
    with pytest.raises(RuntimeError, match="library must be one of .* got 'nothing'"):
        study.in_a_process("peak", 1, "default", steps=2, shape=(2,), name="nothing")


def test_make_sets_the_allocator_that_was_measured():
    makefile = (results.PROJECT / "Makefile").read_text()
    for name, value in plan.ALLOCATORS["kept"].items():
        assert f"export {name} ?= {value}\n" in makefile


def test_committed_results_are_complete():
    made = results.load("overhead")
    assert set(made["settings"]["libraries"]) == set(peers.LIBRARIES)
    found = made["results"]
    names = {*measures.OURS, *peers.LIBRARIES}
    assert len(found["times"]) == 6
    assert all(set(record["value"]["layers"]) == names for record in found["times"])
    assert {record["name"] for record in found["peak"]} == names
    assert [record["steps"] for record in found["long"]] == list(plan.SWEEP)
