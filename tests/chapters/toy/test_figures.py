import matplotlib.pyplot as plt
import numpy as np

from tsbp_core.chapters.toy import figures


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
    plt.close(figure)


def test_gradients_along_training_and_products_are_drawn():
    step = {"cosine": [0, 0.5, 0.9, 1, 1], "length_ratio": [1, 1.5, 2, 2.5, 3]}
    figure = figures.along_training({"a": {"0": step, "10": step}})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0.9, 0.9])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [0.5, 10])
    plt.close(figure)
    lag = {"size": [0.1, 0.2, 0.3, 0.4, 0.5]}
    figure = figures.products({"zero": {"1": {"1": lag}}, "subtract": {"0": {"1": lag}}})
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [0.3])
    assert figure.axes[1].lines[0].get_linestyle() == "--"
    plt.close(figure)
