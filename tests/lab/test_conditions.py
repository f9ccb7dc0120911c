from typing import NamedTuple

import pytest

from tsbp_core.lab import conditions


class Case(NamedTuple):
    reset: str
    T: int
    rho: float


def test_names_are_read_back():
    case = Case("zero", 50, 0.5)
    assert conditions.name(case) == "zero/T=50/rho=0.5"
    assert conditions.read(Case, "zero/T=50/rho=0.5") == case
    assert conditions.by_condition(Case, {"a=b/T=1/rho=1": 3}) == {Case("a=b", 1, 1.0): 3}


@pytest.mark.parametrize(
    "text", ["zero/T=50", "zero/N=50/rho=1", "zero/50/rho=1", "zero/T=1/rho=x"]
)
def test_names_of_another_kind_are_refused(text):
    with pytest.raises(ValueError):
        conditions.read(Case, text)


def test_a_pair_has_the_term_first():
    with_term, without = Case("zero", 1, 1.0), Case("zero", 1, 0.0)
    values = {without: "without", with_term: "with"}
    assert conditions.pair(values, without) == conditions.pair(values, with_term)
    assert conditions.pair(values, with_term) == ["with", "without"]
