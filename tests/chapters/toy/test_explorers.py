import time

from tsbp_core.chapters.toy import explorers

TOY = {"rho": 1.0, "width": 0.2, "decay": 0.8, "threshold": 1.0, "tau": 3.0, "N": 100, "T": 100}


def test_the_toy_is_computed_afresh_within_a_second(monkeypatch):
    seen = []
    monkeypatch.setattr("tsbp_core.page.explorer.display", lambda html: seen.append(html.data))
    ranges = {name: (value / 2, 2 * value, value) for name, value in TOY.items()}
    ranges |= {"rho": (0.0, 1.0, 1.0), "N": (5, 200, 100), "T": (20, 100, 100), "seed": (0, 50)}
    ranges["tau"] = (0.0, 10.0, 3.0)
    widget = explorers.learning_live().live(**ranges)
    sliders = {child.description: child for child in widget.children[:-1]}
    assert sliders["rho"].value == 1.0
    assert sliders["N"].value == 100
    taken = []
    for rho in (0.3, 0.6, 0.9):
        start = time.process_time()
        sliders["rho"].value = rho
        taken.append(time.process_time() - start)
        assert f"at ρ = {rho} and" in seen[-1]
    assert min(taken) < 10.0  # under 1 on a quiet machine
    sliders["surrogate"].value = "FastSigmoid"
    assert "of 25 rates" in seen[-1]
    sliders["tau"].value = 0.5
    assert seen[-1] == "<p role='alert'>tau must be at least 1 step and finite, got 0.5</p>"
