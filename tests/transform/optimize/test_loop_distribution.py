"""What one copy of a nest does, and in which order the copies run."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ops import TABLE
from adcore.transform.optimize.loop_distribution import Distribution
from tests.transform.texts import parse


def groups(body: str) -> list[set[str]] | None:
    """The arrays that each group writes, by name, for a loop with this body; None where nothing can be told apart."""
    function = parse(f"for 0, %n [step=1] {{\n(%i: i64):\n{body}\nyield\n}}")
    plan = Distribution(function, TABLE, AliasClasses()).plan(function.region.body[-1])
    return plan and [{i.operands[1].hint for i in group.effects} for group in plan.groups]


def test_stores_that_have_nothing_to_do_with_each_other_stand_alone() -> None:
    assert groups("store %s, %x, %i\nstore %s, %y, %i") == [{"x"}, {"y"}]


def test_an_array_that_is_read_backwards_stays_with_its_reader() -> None:
    body = """
    store %s, %y, %i
    %back: i64 = sub %n, %i [exact=True]
    %v: f64 = load %y, %back
    store %v, %x, %i
    store %s, %d, %i
    """
    assert groups(body) == [{"x", "y"}, {"d"}]


def test_a_value_of_an_earlier_iteration_orders_the_groups() -> None:
    body = """
    %next: i64 = add %i, 1 [exact=True]
    store %s, %x, %next
    %v: f64 = load %x, %i
    store %v, %y, %i
    """
    assert groups(body) == [{"x"}, {"y"}]


def test_a_cycle_of_dependences_stays_together() -> None:
    body = """
    %next: i64 = add %i, 1 [exact=True]
    %u: f64 = load %y, %i
    store %u, %x, %next
    %v: f64 = load %x, %i
    store %v, %y, %next
    store %s, %d, %i
    """
    assert groups(body) == [{"x", "y"}, {"d"}]


def test_what_may_raise_is_left_alone() -> None:
    assert groups("check %p [error='ValueError', message='no']\nstore %s, %x, %i") is None
