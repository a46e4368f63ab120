"""Three ops that no pass has heard of, each in one definition: a fill, an axpy, a gather."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcore.ir import F64, I64, ArrayType, Builder, Type, Value
from adcore.ir.core import Attributes
from adcore.ir.loops import emit_loop_nest
from adcore.ops import TABLE, Effects, Op, OpTypeError, Table
from adcore.ops.effects import adds, reads, writes
from tests.transform.random_programs import Generator


def takes(*kinds: Type | str) -> Any:
    """A type rule: scalars as they are, arrays of one dimension by their element."""

    def rule(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
        found = tuple(str(t.element) if isinstance(t, ArrayType) and t.rank == 1 else t for t in types)
        if found != kinds:
            raise OpTypeError(f"({', '.join(map(str, types))})")
        return ()

    return rule


def evaluate_fill(value: float, array: Any) -> None:
    array[...] = value


def expand_fill(b: Builder, operands: Sequence[Value]) -> Sequence[Value]:
    value, array = operands
    emit_loop_nest(b, array, lambda b, index: b.emit_many("store", (value, array, *index), {}))
    return ()


def evaluate_axpy(a: float, x: Any, y: Any) -> None:
    for k in range(min(len(x), len(y))):  # in this order, as the two may share memory
        y[k] += a * x[k]


def expand_axpy(b: Builder, operands: Sequence[Value]) -> Sequence[Value]:
    a, x, y = operands
    count = b.emit("minimum", *(b.emit("dim", v, axis=0) for v in (x, y)))
    k = Value(I64, "k")
    with b.region((k,)) as opened:
        b.emit_many("accumulate", (b.emit("mul", a, b.emit("load", x, k)), y, k), {})
    b.emit_many("for", (b.const(0), count), {"step": 1}, (opened.region,), ())
    return ()


def evaluate_gather(x: Any, where: Any, y: Any) -> None:
    for k in range(len(where)):
        y[k] = x[where[k]]


def expand_gather(b: Builder, operands: Sequence[Value]) -> Sequence[Value]:
    x, where, y = operands

    def element(b: Builder, index: Sequence[Value]) -> None:
        b.emit_many("store", (b.emit("load", x, b.emit("load", where, *index)), y, *index), {})

    emit_loop_nest(b, where, element)
    return ()


OPS = (
    Op("fill", takes(F64, "f64"), evaluate_fill, effects=Effects((writes(1, value=0, every=True),)),
       expand=expand_fill),
    Op("axpy", takes(F64, "f64", "f64"), evaluate_axpy, effects=Effects((reads(1), adds(2))), expand=expand_axpy),
    Op("gather", takes("f64", "i64", "f64"), evaluate_gather, effects=Effects((reads(0), reads(1), writes(2))),
       expand=expand_gather),
)  # fmt: skip

FOREIGN = Table({**TABLE, **{op.name: op for op in OPS}})


def bulk(g: Generator, number: Value, arrays: list[tuple[Value, int]]) -> None:
    """Append one of the three, so that values stay bounded and subscripts in range."""
    b, r = g.b, g.random
    (x, m), (y, n) = r.choice(arrays), r.choice(arrays)
    kind = r.choice(["fill", "axpy", "gather"])
    if kind == "fill":
        b.emit_many("fill", (b.emit("sin", number), y), {})
    elif kind == "axpy":
        b.emit_many("axpy", (b.emit("mul", b.const(0.1), b.emit("sin", number)), x, y), {})
    else:
        count = min(n, 3)
        where = b.emit("alloc", b.const(count), element="i64", zero=True, hint="where")
        for k in range(count):
            b.emit_many("store", (b.const(r.randrange(min(m, 3))), where, b.const(k)), {})
        b.emit_many("gather", (x, where, y), {})
