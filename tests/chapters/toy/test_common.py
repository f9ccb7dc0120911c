from dataclasses import replace

import numpy as np
import pytest

from tsbp_core.chapters.toy import common
from tsbp_core.chapters.toy import experiment as toy


def test_a_common_direction_is_taken_out_of_both():
    """Along (1, 0) both are 3 long; what is left has cosine 0, and cosine -1."""
    complete = np.array([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
    detached = np.array([[3.0, 0.0, 1.0], [3.0, -2.0, 0.0]])
    found = common.compare(complete, detached, np.array([[2.0, 0.0, 0.0]] * 2))
    assert found["share"] == pytest.approx([0.9, 0.9])
    assert found["cosine"] == pytest.approx([0.9, 7 / np.sqrt(10 * 13)])
    assert found["rest"] == pytest.approx([0.0, -1.0], abs=1e-12)


@pytest.mark.parametrize(("reset", "rest"), [("zero", 0.915), ("subtract", 0.839)])
def test_what_chapter_5_says_of_the_start(reset, rest):
    task = toy.make_task(range(100))
    lifs = [replace(toy.NEURON, reset=reset, reset_gradient=rho) for rho in (1.0, 0.0)]
    found = common.at_weights(task, task.weights, lifs)
    assert np.median(found["share"]) > 0.95 and np.median(found["cosine"]) > 0.99
    assert np.median(found["rest"]) == pytest.approx(rest, abs=1e-3)
    assert found["sign"] > 0.8 and found["factor"][0] < 0.5 * found["factor"][1]
