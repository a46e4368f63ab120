"""Effects are declared with every op, and the verifier refuses an op without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcore.ir import IRError, interpret, parse_function, verify
from adcore.ops import TABLE, Effects, Op, Table, UndeclaredEffects
from adcore.ops.effects import reads, writes

FILLED = """
func @f(%x: array<f64,1,C>, %v: f64) -> (f64) {
  %z: i64 = const [type='i64', value=0]
  %a: f64 = load %x, %z
  fill %v, %x
  %b: f64 = load %x, %z
  %s: f64 = add %a, %b
  return %s
}
"""


def fill(value: float, array: Any) -> None:
    array[...] = value


def with_fill(effects: Effects | None) -> Table:
    return Table({**TABLE, "fill": Op("fill", lambda types, attrs: (), fill, effects=effects)})


def test_the_verifier_refuses_an_op_that_does_not_say_what_it_does() -> None:
    with pytest.raises(IRError, match="the op fill does not declare its effects"):
        verify(parse_function(FILLED), with_fill(None))


def test_a_pass_that_meets_one_stops() -> None:
    with pytest.raises(UndeclaredEffects, match="fill"):
        with_fill(None).effects["fill"]


@pytest.mark.parametrize(
    ("effects", "problem"),
    [
        (Effects((writes(0, value=1),)), "fill declares that operand 0 is an array, and it is f64"),
        (Effects((writes(2),)), "fill declares that operand 2 is an array, and it is None"),
        (Effects((reads(1, at=2),)), "fill declares an element of array<f64,1,C> at 0 subscripts"),
    ],
)
def test_the_verifier_refuses_effects_that_do_not_fit_the_operands(effects: Effects, problem: str) -> None:
    with pytest.raises(IRError, match=problem):
        verify(parse_function(FILLED), with_fill(effects))


def test_a_declared_op_is_taken() -> None:
    table = with_fill(Effects((writes(1, value=0, every=True),)))
    function = verify(parse_function(FILLED), table)
    assert interpret(function, table, (np.array([1.0, 2.0]), 5.0)) == (6.0,)


def test_every_op_of_the_table_declares_its_effects() -> None:
    assert not [op.name for op in TABLE._ops.values() if op.effects is None]


def test_sets_of_ops_that_passes_ask_for() -> None:
    assert set(TABLE.elements) == {"load", "store", "accumulate"}
    assert (TABLE.loads, TABLE.stores, TABLE.sums) == ({"load"}, {"store"}, {"accumulate"})
    assert TABLE.writers == {"store", "accumulate", "pack", "unpack"}
    assert TABLE.readers == {"load", "pack", "unpack"}
    assert set(TABLE.views) == {"view", "transpose", "item"}
    assert TABLE.allocs == {"alloc"}
