import pytest
import torch

from tsbp_core.chapters.cost import measures


@pytest.mark.needs_compiler
def test_our_formulations_are_one_neuron():
    x = torch.rand(6, 3, 4, dtype=torch.float64)
    gradients = {}
    for name in ("fused", "eager", "plain autograd"):
        for suffix in ("", ", rho = 0"):
            current = x.clone().requires_grad_()
            measures.OURS[name + suffix](current).sum().backward()
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

    taken = measures.times({"a": note("a"), "b": note("b")}, torch.rand(3, 4), rounds=2)
    assert calls == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert len(calls) == 2 * (measures.WARM + 2)
    assert taken["a"].shape == taken["b"].shape == (2, 2)
    assert (taken["a"] > 0).all()


def test_saved_bytes_counts_what_backward_needs():
    lif = measures.NEURON
    assert measures.saved_bytes(measures.FORMULATIONS["ours"], 5, lif) == 4 * (5 + 1) * 1000
    assert measures.saved_bytes(measures.FORMULATIONS["plain autograd"], 5, lif) > 2 * 4 * 5 * 1000


@pytest.mark.needs_compiler
def test_training_step_uses_the_layer_that_it_names():
    taken = measures.measure_training(["fused", "plain autograd"], rounds=1, batch=4)
    assert list(taken) == ["fused", "plain autograd"]
    assert all(len(seconds) == 1 for seconds in taken.values())
