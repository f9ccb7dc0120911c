import numpy as np
import pytest

from tsbp_core import LIF, figures, neuron, numpy_lif, surrogates


def test_shown_figure_follows_the_page_and_has_alternative_text():
    html = figures.show(figures.unrolled("kept"), alt='a "graph"', caption="c").data
    assert 'role="img" aria-label="a &quot;graph&quot;"' in html
    assert "<figcaption>c</figcaption>" in html
    assert figures.INK not in html
    assert "currentColor" in html
    assert f"var(--tsbp-reset, {figures.RESET})" in html


def test_same_figure_same_bytes():
    a, b = (figures.show(figures.surrogate_families(), alt="").data for _ in range(2))
    assert a == b


@pytest.mark.parametrize("reset", neuron.RESETS)
def test_membrane_is_drawn_down_to_what_the_reset_leaves(reset):
    lif = LIF(reset=reset)
    x = np.full(12, 0.7)
    run = numpy_lif.forward(x, lif)
    figure = figures.neuron(x, lif)
    drawn = figure.axes[1].lines[0].get_ydata()
    np.testing.assert_array_equal(drawn[::2], run.membrane)
    np.testing.assert_array_equal(drawn[1::2], neuron.reset(run.membrane, run.spikes, lif))
    figures.plt.close(figure)


def test_excerpt_is_dedented_source():
    assert figures.excerpt(neuron.charge, "return") == "return lif.decay * v + x"
    lines = figures.excerpt(surrogates.Gaussian._h, "b", before="return")
    assert lines == "b = z / self.width"
    with pytest.raises(ValueError, match="no line of charge starts with 'v ='"):
        figures.excerpt(neuron.charge, "v =")


def test_effects_are_marked_by_what_their_intervals_say():
    effects = {
        ("T", "25", "adam"): (0.5, 0.2, 0.8),
        ("T", "50", "adam"): (-0.5, -0.8, -0.2),
        ("N", "20", "adam"): (0.1, -0.2, 0.4),
    }
    figure = figures.effects_map(effects)
    ax = figure.axes[0]
    markers = [line.get_marker() for line in ax.lines if line.get_marker() != "None"]
    assert markers == ["o", "s", "D"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["T 25", "T 50", "N 20"]
    figures.plt.close(figure)


def test_gradients_along_training_and_products_are_drawn():
    step = {"cosine": [0, 0.5, 0.9, 1, 1], "length_ratio": [1, 1.5, 2, 2.5, 3]}
    figure = figures.along_training({"a": {"0": step, "10": step}})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0.9, 0.9])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [0.5, 10])
    figures.plt.close(figure)
    lag = {"size": [0.1, 0.2, 0.3, 0.4, 0.5]}
    figure = figures.products({"zero": {"1": {"1": lag}}, "subtract": {"0": {"1": lag}}})
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [0.3])
    assert figure.axes[1].lines[0].get_linestyle() == "--"
    figures.plt.close(figure)


def test_learning_curve_shows_time_and_operations():
    curves = {1.0: ([50, 60], [1, 2], [0.1, 0.2]), 0.0: ([51, 61], [1, 2], [0.1, 0.2])}
    tests = {1.0: ([62], [2.5], [0.25]), 0.0: ([63], [2.4], [0.25])}
    figure = figures.learning_curve(curves, tests, (88.98, 100), 1)
    for ax, column in zip(figure.axes, (1, 2), strict=True):
        lines = [line for line in ax.lines if line.get_marker() == "."]
        assert [line.get_linestyle() for line in lines] == ["-", "--"]
        np.testing.assert_allclose(lines[0].get_xdata(), curves[1.0][column])
        np.testing.assert_allclose(lines[1].get_ydata(), curves[0.0][0])
    figures.plt.close(figure)


def test_ablation_shows_means_and_one_mark_a_seed():
    undone = {"a": ([-1.0, -2.0], [1.0, 1.2]), "b": ([0.5], [0.5])}
    figure = figures.ablation(undone, lambda values: (min(values), max(values)))
    for ax, means in zip(figure.axes, ([-1.5, 0.5], [1.1, 0.5]), strict=True):
        bars = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"]
        assert bars == pytest.approx(means)
        assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o") == 3
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]
    figures.plt.close(figure)


def test_layers_are_drawn_to_scale_with_their_operations():
    figure = figures.layers((3, 32), [(64, 16), (8, 8)], [27e6, 5e6])
    ax = figure.axes[0]
    squares = [patch for patch in ax.patches if isinstance(patch, figures.Rectangle)]
    sizes = [square.get_width() for square in squares]
    assert sizes == pytest.approx([1.2, *3 * [0.75], 0.525])
    words = [text.get_text() for text in ax.texts]
    assert {"image\n3 maps\n32 × 32", "layer 2\n8 maps\n8 × 8", "27", "5", "once"} <= set(words)
    figures.plt.close(figure)
