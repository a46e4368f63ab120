"""Products that undo a root have the derivative of what stands under it.

    %s: f64 = sqrt %u
    %a: f64 = mul %k, %s
    %y: f64 = mul %a, %s
    return %y
->
    %s: f64 = sqrt %u
    %a: f64 = mul %k, %s
    %1: f64 = mul %a, %s
    %2: f64 = mul %u, %k
    %y: f64 = attach %1, %2
    return %y

At u = 0 the chain rule multiplies the zero that s is by an infinite slope, and the strong zero (see
`adcore.analysis.strong_zeros`) makes 0 of that, where k is right: the Hessian of exp(-norm^2) at 0 would be a wrong 0.
The square of hypot(x, y) has the derivative of x x + y y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adcore.analysis.structure import Structure, structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Value, edited
from adcore.ir.types import is_float
from adcore.machine_model import MODEL
from adcore.ops import Table

RootFactors = tuple[tuple[Value, ...], bool]
"""What is multiplied, and whether the product is negative."""


def _square_of_sqrt(b: Builder, operands: Sequence[Value]) -> Value:
    return operands[0]


def _square_of_hypot(b: Builder, operands: Sequence[Value]) -> Value:
    x, y = operands
    return b.emit("add", b.emit("mul", x, x), b.emit("mul", y, y))


ROOTS: dict[str, Callable[[Builder, Sequence[Value]], Value]] = {"sqrt": _square_of_sqrt, "hypot": _square_of_hypot}
"""The ops that are a root, and what their squares are."""


def differentiate_squared_roots(function: Function, ops: Table) -> Function:
    """The function with an `attach` for each product of a root with itself (and other factors)."""
    structure = structure_of(function, ops)
    if not any(i.op in ROOTS for i in structure.instructions()):
        return function

    def replaced(instr: Instr) -> Sequence[Instr]:
        if instr.op != "mul" or not is_float(instr.result.type):
            return (instr,)
        (left, negative), (right, opposite) = (_factors(structure, v) for v in instr.operands)
        root = next((v for v in left if v in right and _is_root(structure, v)), None)
        if root is None:
            return (instr,)
        made = structure.definition[root]
        b = Builder(ops)
        b.span = instr.span
        product = Value(instr.result.type, instr.result.hint)
        b.append(Instr(instr.op, instr.operands, (product,), instr.attrs, (), instr.span))
        source = ROOTS[made.op](b, made.operands)
        for factor in (*_without(left, root), *_without(right, root)):
            source = b.emit("mul", source, factor)
        if negative != opposite:
            source = b.emit("neg", source)
        b.append(Instr("attach", (product, source), instr.results, {}, (), instr.span))
        return b.finish((), ()).body

    return function.with_region(edited(function.region, replaced))


def _is_root(structure: Structure, value: Value) -> bool:
    made = structure.definition.get(value)
    return made is not None and made.op in ROOTS


def _factors(structure: Structure, value: Value) -> RootFactors:
    """The factors of `value`; itself, where they are too many."""
    found: list[Value] = []
    todo, negative = [value], False
    while todo:
        current = todo.pop()
        made = structure.definition.get(current)
        same = None if made is None else structure.ops[made.op].value_of
        if made is not None and same is not None:
            todo.append(made.operands[same])
        elif made is not None and made.op in ("mul", "neg"):
            negative ^= made.op == "neg"
            todo += reversed(made.operands)
        else:
            found.append(current)
        if len(found) + len(todo) > MODEL.most_root_factors:
            return (value,), False
    return tuple(found), negative


def _without(factors: Sequence[Value], root: Value) -> list[Value]:
    left = list(factors)
    left.remove(root)
    return left
