"""Which accumulations of a loop touch neighbouring elements."""

from __future__ import annotations

from adcore.analysis.affine.dependence import dependence_of
from adcore.ops import TABLE
from adcore.transform.optimize.accumulation_chains import find_chains
from tests.transform.texts import parse


def chains(program: str, shared: tuple[int, ...] = ()) -> list[list[str]]:
    """The names of the values that each chain of the first loop adds, in the order of the elements."""
    function = parse(program)
    loop = next(i for i in function.region.body if i.op == "for")
    found = find_chains(dependence_of(function, TABLE), frozenset(function.params[k] for k in shared), loop)
    return [[i.operands[0].hint for i in chain.sums] for chain in found]


LOOP = """
for 0, %n [step={step}] {{
(%i: i64):
  %i1: i64 = add %i, 1 [exact=True]
  %i2: i64 = add %i, 2 [exact=True]
  %here: f64 = load %x, %i
  %next: f64 = mul %here, 2.0
  %last: f64 = mul %here, 3.0
  accumulate %last, %d, %i2
  accumulate %here, %d, %i
  {third}
  yield
}}
"""
THIRD = "accumulate %next, %d, %i1"


def test_neighbours_are_sorted_by_the_element() -> None:
    assert chains(LOOP.format(step=1, third=THIRD)) == [["here", "next", "last"]]


def test_a_gap_is_no_chain() -> None:
    assert chains(LOOP.format(step=1, third="")) == []


def test_distances_count_in_iterations() -> None:
    assert chains(LOOP.format(step=2, third="")) == [["here", "last"]]


def test_an_array_that_the_loop_reads_has_none() -> None:
    assert chains(LOOP.format(step=1, third=f"{THIRD}\n  %old: f64 = load %d, %i")) == []


def test_arrays_that_may_be_one_have_none() -> None:
    assert chains(LOOP.format(step=1, third=THIRD), shared=(0, 2)) == []
