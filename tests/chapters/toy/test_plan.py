from dataclasses import replace

import numpy as np
import pytest

from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import plan


def test_the_units_are_those_that_were_announced():
    main = plan.units_main()
    assert len({u.name for u in main}) == 3 * 2 * 3 + 2 * 3 * 2
    assert sum(u.stop - u.start for u in main) == 100 * len({u.name for u in main})
    mapped = plan.units_map()
    assert len({replace(u, name="") for u in mapped}) == len(mapped), "a condition is there twice"
    assert plan.units_map()[0].lif == toy.NEURON
    labels = {u.name.split("/")[0] for u in mapped}
    assert {"default=", "T=25", "T=400", "N=20", "N=400", "unit=peak", "reset=subtract"} <= labels
    areas = {
        label: change["surrogate"].peak_area
        for label, (change, _) in plan.changes()["surrogate"].items()
    }
    assert all(area == pytest.approx(0.8) for area in areas.values())
    why = plan.units_why(6)
    assert all((u.start, u.stop) == (0, 6) for u in why)
    assert sum(u.length_of is None for u in why) == sum(u.probe for u in why) == len(why) / 2


def test_the_wide_grid_holds_the_announced_one():
    unit = plan.units_main()[0]
    np.testing.assert_array_equal(unit.rates, toy.LEARNING_RATES)
    np.testing.assert_allclose(plan.units_wide()[0].rates[16:], toy.LEARNING_RATES)
    assert all(u.decades == plan.WIDE for u in plan.units_map() + plan.units_why())
