import matplotlib.pyplot as plt
import numpy as np
import pytest

from tsbp_core import LIF, neuron, numpy_lif
from tsbp_core.chapters.gradient import figures


@pytest.mark.parametrize("reset", neuron.RESETS)
def test_membrane_is_drawn_down_to_what_the_reset_leaves(reset):
    lif = LIF(reset=reset)
    x = np.full(12, 0.7)
    run = numpy_lif.forward(x, lif)
    figure = figures.neuron(x, lif)
    drawn = figure.axes[1].lines[0].get_ydata()
    np.testing.assert_array_equal(drawn[::2], run.membrane)
    np.testing.assert_array_equal(drawn[1::2], neuron.reset(run.membrane, run.spikes, lif))
    plt.close(figure)
