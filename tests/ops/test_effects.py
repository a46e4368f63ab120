"""Effects are declared with every op, and the verifier refuses an op without."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore
from adcore.ir import F64, I64, ArrayType, Builder, IRError, Value, interpret, parse_function, verify, walk
from adcore.ops import TABLE, Effects, Op, Table, UndeclaredEffects
from adcore.ops.effects import reads, writes
from tests.ops.foreign import FOREIGN

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
    assert TABLE.writers == {"store", "accumulate", "pack", "unpack", "copy", "product"}
    assert TABLE.readers == {"load", "pack", "unpack", "copy", "product"}
    assert set(TABLE.views) == {"view", "transpose", "item"}
    assert TABLE.allocs == {"alloc"}


# Passes ask effects, not names.

NAMED = {"analysis/planning/sizes.py": {"item"}}
"""Where the name of such an op may stand, see docs/dev/decisions/effects.md."""


def compared_with_op(path: Path) -> set[str]:
    """The strings that a module compares with the `op` of something."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "op":
            parts = [part for right in node.comparators for part in ast.walk(right)]
            found.update(p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str))
    return found


def test_passes_know_no_op_by_name_that_touches_memory_or_gives_an_array() -> None:
    names = TABLE.touching | set(TABLE.views) | TABLE.allocs
    root = Path(adcore.__file__).parent
    paths = [path for room in ("analysis", "transform") for path in sorted((root / room).rglob("*.py"))]
    found = {str(path.relative_to(root)): compared_with_op(path) for path in paths}
    assert any("for" in compared for compared in found.values()), "comparisons are seen"
    assert {path: compared & names for path, compared in found.items() if compared & names} == NAMED


# What is declared, against what evaluation does. Array operands are drawn anew for each trial.

X, Y = np.arange(6.0).reshape(2, 3) + 1, np.arange(6.0).reshape(2, 3) - 9
ROW, BITS = np.array([True, False, True, True, False]), np.array([False] * 8)

ELSEWHERE = ("load", "pack", "unpack")
"""Ops whose sample reads elements that do not change."""

PRODUCT = {"subscripts": ("i,j", "i,k", "k,j"), "factors": ((2.0,), ()), "start": None, "free": False}

SAMPLES: dict[str, tuple[Table, list[Any], dict[str, Any]]] = {
    "load": (TABLE, [X, 1, 2], {}),
    "store": (TABLE, [7.5, X, 1, 2], {}),
    "accumulate": (TABLE, [7.5, X, 1, 2], {}),
    "pack": (TABLE, [BITS, 0, ROW, 0], {}),
    "unpack": (TABLE, [BITS, 0, ROW, 0], {}),
    "copy": (TABLE, [X, Y], {}),
    "product": (TABLE, [X[:, :2].copy(), X, Y.T.copy(), 0, 2, 0, 2, 0, 3], PRODUCT),
    "fill": (FOREIGN, [7.5, X[0]], {}),
    "axpy": (FOREIGN, [0.5, X[0], Y[0]], {}),
    "gather": (FOREIGN, [X[0], np.array([2, 0]), Y[0]], {}),
}


def arrays_of(operands: list[Any]) -> list[int]:
    return [k for k, operand in enumerate(operands) if isinstance(operand, np.ndarray)]


def evaluated(name: str, operands: list[Any]) -> tuple[Any, list[Any]]:
    """The result, and the operands afterwards."""
    table, _, attrs = SAMPLES[name]
    operands = [o.copy() if isinstance(o, np.ndarray) else o for o in operands]
    evaluate = table[name].evaluate
    assert evaluate is not None
    return evaluate(*operands, **attrs), operands


def other_contents(array: Any) -> Any:
    """Other elements that the op takes as well."""
    return ~array if array.dtype == bool else array[::-1].copy() if array.dtype == np.int64 else array * 2 + 0.25


def test_every_op_that_touches_memory_has_a_sample() -> None:
    assert set(SAMPLES) >= FOREIGN.touching


@pytest.mark.parametrize("name", SAMPLES)
def test_only_what_is_declared_changes(name: str) -> None:
    table, operands, _ = SAMPLES[name]
    effects = table.effects[name]
    _, after = evaluated(name, operands)
    for k in arrays_of(operands):
        changed = ~np.equal(after[k], operands[k])
        accesses = [a for a in effects.accesses if a.array == k and a.kind != "read"]
        assert accesses or not changed.any()
        if accesses and accesses[0].at is not None:
            changed[tuple(operands[accesses[0].at :])] = False
            assert not changed.any()
        if accesses and accesses[0].every and accesses[0].kind == "write":
            again = list(operands)
            again[k] = other_contents(operands[k])
            np.testing.assert_array_equal(evaluated(name, again)[1][k], after[k])  # nothing is left of what was there
    assert any(not np.array_equal(after[k], operands[k]) for k in effects.written) or not effects.written


@pytest.mark.parametrize("name", SAMPLES)
def test_only_what_is_declared_is_read(name: str) -> None:
    """Other contents of memory that an op doesn't read change neither its results nor what it writes elsewhere."""
    table, operands, _ = SAMPLES[name]
    effects = table.effects[name]
    result, after = evaluated(name, operands)
    for k in arrays_of(operands):
        again = list(operands)
        again[k] = other_contents(operands[k])
        other, changed = evaluated(name, again)
        rest = [j for j in arrays_of(operands) if j != k]
        same = other == result and all(np.array_equal(changed[j], after[j]) for j in rest)
        assert same or k in effects.read
        assert not same or k not in effects.read or k in effects.written or name in ELSEWHERE


@pytest.mark.parametrize("name", sorted(FOREIGN.expandable))
def test_an_expansion_touches_no_more_than_is_declared(name: str) -> None:
    """What its loads, stores and sums do to an operand is one of the effects on it."""
    table, operands, attrs = SAMPLES[name]
    kinds = {np.dtype(np.float64): F64, np.dtype(np.int64): I64}
    numbers = {int: I64, float: F64}
    types = [ArrayType(kinds[o.dtype], o.ndim) if isinstance(o, np.ndarray) else numbers[type(o)] for o in operands]
    values = [Value(type_) for type_ in types]
    b, expand = Builder(table), table[name].expand
    assert expand is not None
    expand(b, values, **attrs)
    declared = {(a.kind, values[a.array]) for a in table.effects[name].accesses}
    done = {(table.elements[i.op].kind, table.array(i)) for i in walk(b.finish((), ())) if i.op in table.elements}
    assert done == declared
