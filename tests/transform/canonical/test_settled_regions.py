"""Regions that `simplify` takes as they are: what comes out must be what comes out where it looks at everything."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from adcore.ir import F64, Function, Instr, Region, Value, parse_function, print_function
from adcore.ir.core import substitute, walk
from adcore.ops import TABLE
from adcore.transform.canonical.settled_regions import inputs_of, settled_in
from adcore.transform.canonical.simplify import Simplifier, simplify
from tests.samples import sample
from tests.transform.random_programs import random_program
from tests.transform.texts import check_unchanged


def copied(function: Function) -> Function:
    """The same with other objects, of which nothing is known."""
    names = {param: param for param in function.params}
    return Function(function.name, substitute(function.region, names), function.span)


def regions(function: Function) -> list[Region]:
    return [region for instr in walk(function.region) for region in instr.regions]


def changed(function: Function, draw: random.Random) -> Function:
    """Something that an inner region might use is computed before it, or another value has the place of one that it
    does use, or one of the regions has another instruction."""
    body = list(function.region.body)
    opened = [i for r in regions(function) for i in inputs_of(r, TABLE).open if _is_outside(function, i.operands)]
    for instr in draw.sample(opened, min(2, len(opened))):
        last = max((k for k, i in enumerate(body) if set(i.results) & set(instr.operands)), default=-1)
        body.insert(last + 1, replace(instr, results=(Value(instr.result.type),)))
    numbers = [k for k, i in enumerate(body) if not i.regions and i.results and i.result.type == F64]
    for k in draw.sample(numbers, min(2, len(numbers))):
        attrs = {"value": draw.choice([0.0, 1.0, 2.5]), "type": "f64"}
        body[k] = Instr("const", (), body[k].results, attrs)
    loops = [k for k, i in enumerate(body) if i.regions]
    for k in draw.sample(loops, min(1, len(loops))):
        inner = body[k].regions[-1]
        extra = Instr("const", (), (Value(F64),), {"value": 7.0, "type": "f64"})
        body[k] = replace(body[k], regions=(*body[k].regions[:-1], replace(inner, body=(extra, *inner.body))))
    return function.with_region(function.region.with_body(body))


def _is_outside(function: Function, values: tuple[Value, ...]) -> bool:
    top = {*function.params, *(r for i in function.region.body for r in i.results)}
    return top.issuperset(values)


@pytest.mark.parametrize("seed", sample(range(300), 60))
def test_nothing_is_missed_in_a_changed_program(seed: int) -> None:
    draw = random.Random(seed)
    function = simplify(random_program(seed, temporaries=seed % 2 == 0), TABLE)
    for _ in range(3):
        function = changed(function, draw)
        found = simplify(function, TABLE)
        assert print_function(found) == print_function(simplify(copied(function), TABLE))
        function = found


LOOP = """
func @f(%x: array<f64,1,C>, %n: i64, %a: f64) -> (f64) {
  %lo: i64 = const [type='i64', value=0]
  %zero: f64 = const [type='f64', value=0.0]
  %c: f64 = BEFORE
  %s: f64 = for %lo, %n, %zero [step=1] {
  (%i: i64, %u: f64):
    %v: f64 = load %x, %i
    %w: f64 = mul %v, %c
    %t: f64 = add %u, %w
    yield %t
  }
  return %s
}
"""


def test_an_unchanged_loop_is_not_looked_at() -> None:
    function = simplify(parse_function(LOOP.replace("BEFORE", "sin %a")), TABLE)
    again = Simplifier(TABLE)
    assert again.run(function) is function
    assert again.settled == set(regions(function))


def test_a_loop_is_looked_at_where_what_it_uses_is_defined_otherwise() -> None:
    function = simplify(parse_function(LOOP.replace("BEFORE", "sin %a")), TABLE)
    one = {"value": 1.0, "type": "f64"}
    body = [Instr("const", (), i.results, one) if i.op == "sin" else i for i in function.region.body]
    again = Simplifier(TABLE)
    made = again.run(function.with_region(function.region.with_body(body)))
    assert not again.settled
    assert not any(i.op == "mul" for i in walk(made.region)), "times one"


def test_what_is_known_of_a_region_is_known_by_its_table() -> None:
    function = simplify(parse_function(LOOP.replace("BEFORE", "sin %a")), TABLE)
    assert all(list(settled_in(region)) == [TABLE] for region in regions(function))


def test_a_simple_loop_stays_as_it_is_when_asked_twice() -> None:
    def run(function: Function) -> Function:
        once = simplify(function, TABLE)
        again = simplify(once, TABLE)
        assert again is once
        return again

    check_unchanged(
        run,
        """
        %b: f64 = sin %s
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %c: f64 = mul %b, %v
          store %c, %y, %i
          yield
        }
        return %b
        """,
    )
