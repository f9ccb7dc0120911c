import numpy as np
import pytest

from tsbp_core.chapters.cost import measures, outcomes


def test_ratio_is_paired():
    base = np.array([1.0, 10.0, 100.0])
    assert outcomes.ratio(1.02 * base, base) == pytest.approx((1.02, 1.02, 1.02))


def test_prices_take_each_size_from_its_own_record():
    def record(steps, price):
        layers = {name: [[1.0, 1.0]] * 3 for name in ("eager, rho = 0", "plain autograd, rho = 0")}
        layers |= {name: [[price, price]] * 3 for name in ("eager", "plain autograd")}
        return {"steps": steps, "threads": 1, "allocator": "kept", "value": {"layers": layers}}

    fused = {"fused": [1.01, 2.02], "fused, rho = 0": [1.0, 2.0]}
    found = {
        "times": [record(100, 1.2), record(5, 1.5)],
        "term": [{"steps": steps, "value": fused} for steps in (100, 5)],
        "training": [{"threads": 2, "value": {name: [1.0, 2.0] for name in measures.OURS}}],
        "training_term": [{"value": {"fused": [1.03, 2.06], "fused, rho = 0": [1.0, 2.0]}}],
    }
    medians = {what: price[0] for what, price in outcomes.prices(found).items()}
    assert medians == pytest.approx(
        {"fused, dense": 1, "eager, dense": 20, "plain autograd, dense": 20}
        | {"fused, CIFARNet": 1, "eager, CIFARNet": 50, "plain autograd, CIFARNet": 50}
        | {"fused, training step": 3, "eager, training step": 0, "plain autograd, training step": 0}
    )
