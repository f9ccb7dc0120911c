import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from tsbp_core.chapters.cifar10 import figures


def test_learning_curve_shows_time_and_operations():
    curves = {1.0: ([50, 60], [1, 2], [0.1, 0.2]), 0.0: ([51, 61], [1, 2], [0.1, 0.2])}
    tests = {1.0: ([62], [2.5], [0.25]), 0.0: ([63], [2.4], [0.25])}
    figure = figures.learning_curve(curves, tests, (88.98, 100), 1)
    for ax, column in zip(figure.axes, (1, 2), strict=True):
        lines = [line for line in ax.lines if line.get_marker() == "."]
        assert [line.get_linestyle() for line in lines] == ["-", "--"]
        np.testing.assert_allclose(lines[0].get_xdata(), curves[1.0][column])
        np.testing.assert_allclose(lines[1].get_ydata(), curves[0.0][0])
    plt.close(figure)


def test_ablation_shows_means_and_one_mark_a_seed():
    undone = {"a": ([-1.0, -2.0], [1.0, 1.2]), "b": ([0.5], [0.5])}
    figure = figures.ablation(undone, lambda values: (min(values), max(values)))
    for ax, means in zip(figure.axes, ([-1.5, 0.5], [1.1, 0.5]), strict=True):
        bars = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"]
        assert bars == pytest.approx(means)
        assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o") == 3
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]
    plt.close(figure)


def test_layers_are_drawn_to_scale_with_their_operations():
    figure = figures.layers((3, 32), [(64, 16), (8, 8)], [27e6, 5e6])
    ax = figure.axes[0]
    squares = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    sizes = [square.get_width() for square in squares]
    assert sizes == pytest.approx([1.2, *3 * [0.75], 0.525])
    words = [text.get_text() for text in ax.texts]
    assert {"image\n3 maps\n32 × 32", "layer 2\n8 maps\n8 × 8", "27", "5", "once"} <= set(words)
    plt.close(figure)
