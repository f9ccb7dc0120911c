"""The GPU's benchmark at toy size, and how its results are read."""

import json

import numpy as np
import pytest

from tsbp_core import LIF, numpy_lif
from tsbp_core.chapters.cost import gpu_results, interpreted


def layers(**ns):
    """Rounds of forward and backward that take ``ns`` together, one of them an outlier."""
    return {name: [[value / 4, 3 * value / 4]] * 4 + [[99.0, 99.0]] for name, value in ns.items()}


@pytest.fixture
def document():
    record = {"size": "dense", "dtype": "float32", "T": 16, "elements": 2_000_000}
    timed = layers(kernel=0.042, eager=0.42)
    term = {"kernel": [[1.0, 2.06]] * 9, "kernel, rho = 0": [[1.0, 2.0]] * 9}
    return {
        "settings": {"steps": 8},
        "results": {
            "copy": [9e11, 1e12, 1e12],
            "layers": [{**record, "layers": timed}],
            "term": [{**record, "layers": term}],
            "small": [{"neurons": 10, "microseconds": {"kernel": [1.0, 2.0, 9.0]}}],
        },
    }


def test_bytes_an_element():
    assert gpu_results.bytes_an_element("float32", 64, 8) == 21.0
    assert gpu_results.bytes_an_element("bfloat16", 64, 8) == 11.0
    assert gpu_results.bytes_an_element("float32", 9, 8) == 20.0 + 16.0 / 9.0


def test_share_and_rows(document):
    record = document["results"]["layers"][0]
    assert gpu_results.medians(record) == pytest.approx({"kernel": 0.042, "eager": 0.42})
    assert gpu_results.share(record, document) == pytest.approx(21 / 0.042e-9 / 1e12)
    assert gpu_results.rows(document, "CIFARNet") == []
    (row,) = gpu_results.rows(document, "dense")
    assert row == ["float32", 16, "0.08", "50%", "", "", "10.0"]
    assert len(row) == len(gpu_results.HEADS)


def test_price_is_that_of_the_term(document):
    price = gpu_results.price(document, size="dense", dtype="float32", T=16)
    assert price == pytest.approx((2.0, 2.0, 2.0))
    assert gpu_results.small(document) == {10: {"kernel": 2.0}}


def test_what_the_tests_on_a_card_said_is_read_by_dtype():
    line = "Triton (cuda) against NumPy, {}, worst: {}\n"
    said = line.format("float32", "2.8e-07") + line.format("torch.float32", "2.0e-07")
    said += line.format("torch.float64", "2.2e-16")
    worst = interpreted.on_the_card({"results": {"tests": {"output": said}}})
    assert worst == {"float32": 2.8e-7, "float64": 2.2e-16}


def test_kernels_on_a_page_are_numpys_neurons():
    if interpreted.triton_lif is None:
        pytest.skip("Triton is made for Linux on x86-64 and arm64")
    rng = np.random.default_rng(0)
    x, g = rng.normal(0.4, 0.8, (9, 5)), rng.normal(size=(9, 5))
    run = numpy_lif.forward(x, LIF())
    same, error = interpreted.difference(
        interpreted.run(x, g, LIF()), (run.spikes, numpy_lif.backward(g, run, LIF()))
    )
    assert same
    assert error < 1e-15
    wrong = run.spikes, -numpy_lif.backward(g, run, LIF())
    assert interpreted.difference(interpreted.run(x, g, LIF()), wrong)[1] > 1
    assert "credit(gs[k], eps, h" in interpreted.lines("for k in tl.static_range(STEPS - 1")


def test_the_script_runs_at_toy_size_and_keeps_each_part(tmp_path, capsys):
    pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 and arm64")
    from tsbp_core.chapters.cost import gpu

    gpu.main(["--toy", "--parts", "tests", "copy", "fusion", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found["results"]) == ["tests", "copy", "fusion"]
    assert found["settings"]["card"] == "none"
    assert found["results"]["fusion"]["spikes_that_differ"] == 0.0
    assert capsys.readouterr().out.startswith("tests: 0 s\nwrote ")
    assert not (tmp_path / "gpu-recipe.json").exists()


@pytest.mark.parametrize("part", ["fusion", "shapes"])
def test_what_fails_leaves_the_kernels_as_they_were(part, tmp_path, monkeypatch):
    pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 and arm64")
    from tsbp_core import torch_lif, triton_lif
    from tsbp_core.chapters.cost import gpu

    def state():
        names = ("STEPS", "WIDTH", "WARPS", "FUSED")
        return torch_lif.path_name, *(getattr(triton_lif, name) for name in names)

    before = state()

    def fail(x):
        if state()[1:] == before[1:]:
            return x + 0
        raise RuntimeError("the card fell off")

    monkeypatch.setitem(gpu.LAYERS, "kernel", fail)
    with pytest.raises(RuntimeError, match="fell off"):
        gpu.main(["--toy", "--parts", part, "--out", str(tmp_path)])
    assert state() == before


def test_device_tests_that_take_too_long_keep_what_they_said(tmp_path, monkeypatch):
    pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 and arm64")
    from tsbp_core.chapters.cost import gpu

    python = tmp_path / "python"
    monkeypatch.setattr(gpu.sys, "executable", str(python))
    for said, kept in (("printf 'worst: \\316\\273 \\377\\n'", "worst: λ \ufffd\n"), ("", "")):
        python.write_text(f"#!/bin/sh\n{said}\nexec sleep 20\n")
        python.chmod(0o755)
        assert gpu.run_tests("cuda", False, timeout=0.5) == {"status": None, "output": kept}
    python.write_text("#!/bin/sh\necho passed\nexit 3\n")
    assert gpu.run_tests("cuda", False) == {"status": 3, "output": "passed\n"}


def test_the_script_wants_a_gpu(capsys):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 and arm64")
    from tsbp_core.chapters.cost import gpu

    with pytest.raises(SystemExit):
        gpu.main([])
    assert "no GPU here" in capsys.readouterr().err
