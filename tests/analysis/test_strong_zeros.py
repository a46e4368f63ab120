"""Which products of derivatives are strong: no more than have to be."""

from __future__ import annotations

import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.strong_zeros import singular_of, strong_products_of
from adcore.ops import TABLE
from tests.transform.derivative_texts import kinds_of
from tests.transform.texts import parse


def strong(body: str, parameters: str = "%x: f64, %k: f64, %c: bool") -> set[str]:
    """The names of the results of strong products in a program."""
    ending = body.rsplit("return", 1)[1].split(",")
    function = parse(f"func @f({parameters}) -> ({', '.join('f64' for _ in ending)}) {{\n{body}\n}}")
    seeds = (True,) * len(function.results)
    found = strong_products_of(function, TABLE, AliasClasses(), kinds_of(function), seeds)
    assert singular_of(function, TABLE) <= found
    return {i.result.hint for i in found}


def test_a_slope_that_may_be_infinite() -> None:
    assert strong("%s: f64 = sqrt %x\n%y: f64 = mul %s, %k\nreturn %y") == {"s"}


@pytest.mark.parametrize(
    ("op", "singular"),
    [
        ("div %x, %k", True),
        ("div %x, 2.0", False),
        ("div %x, 0.0", True),
        ("pow %x, 3.0", False),
        ("pow %x, 0.5", True),
    ],
)
def test_what_constants_say(op: str, singular: bool) -> None:
    assert strong(f"%y: f64 = {op}\nreturn %y") == ({"y"} if singular else set())


def test_what_is_computed_from_it_and_discarded() -> None:
    chosen = "%s: f64 = sqrt %x\n%y: f64 = mul %s, %k\n%r: f64 = select %c, %y, %x\n"
    assert strong(f"{chosen}return %r") == {"s", "y"}
    assert strong(f"{chosen}%z: f64 = mul %r, %k\nreturn %z") == {"s", "y"}
    # What is discarded, but finite, and what is used stays plain.
    assert strong("%y: f64 = mul %x, %k\n%r: f64 = select %c, %y, %x\nreturn %r") == set()


def test_one_of_several_results() -> None:
    assert strong("%s: f64 = log %x\n%y: f64 = mul %s, %k\nreturn %y, %k") == {"s", "y"}


def test_a_program_that_asks_for_nan_expects_it() -> None:
    assert strong("%q: bool = ne %x, %x\n%y: f64 = mul %x, %x\n%r: f64 = select %q, 0.0, %y\nreturn %r") == {"y"}


LOOP = """
    %r: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %t: f64):
      %v: f64 = load %x, %i
      %d: f64 = div %v, %k
      %e: f64 = mul %d, %k
      store %e, %x, %i
      yield %t
    }
    %y: f64 = load %x, 0
    return %y
"""


def test_memory_that_is_overwritten() -> None:
    """By a constant; an update of what was there (as in LU) discards nothing."""
    parameters = "%x: array<f64,1,C>, %k: f64, %n: i64"
    assert strong(LOOP, parameters) == {"d"}
    overwritten = LOOP.replace("%y: f64 = load", "store 0.0, %x, 1\n%y: f64 = load")
    assert strong(overwritten, parameters) == {"d", "e"}
    other = LOOP.replace("%y: f64 = load", "store %k, %x, 1\n%y: f64 = load")
    assert strong(other, parameters) == {"d", "e"}
