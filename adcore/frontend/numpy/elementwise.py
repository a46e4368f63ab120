"""Array expressions: operators and NumPy's functions of numbers, element by element, with broadcasting.

An expression stays lazy, a shape and a function from subscripts to an element, until something needs it in memory.
Which types NumPy computes with is asked of NumPy itself; an element is then made by the rules for numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

import numpy as np

from adcore.frontend.numpy.broadcasting import Extents, broadcast, position, stretches
from adcore.frontend.numpy.compression import compressed
from adcore.frontend.numpy.elements import dims, load
from adcore.frontend.numpy.types import chosen_type, converted, element_of, joint_type, loop_types, strong_element
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Constant,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Num,
    Poison,
    Read,
    Reshaped,
    Steps,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.lists import in_memory as list_in_memory
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.narrow import narrow_product, numpy_element
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import binary, compare, inverted, negative
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64, NUMPY_NAMES, U32, Scalar

ElementRule = Callable[[list[Abstract]], Abstract]
"""Makes one element of the result from one of each operand."""

UFUNCS: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide, ast.Mod: np.remainder, ast.Pow: np.power, ast.BitAnd: np.bitwise_and,
    ast.BitOr: np.bitwise_or, ast.BitXor: np.bitwise_xor, ast.LShift: np.left_shift, ast.RShift: np.right_shift,
}  # fmt: skip

COMPARISONS: dict[type[ast.cmpop], np.ufunc] = {
    ast.Eq: np.equal, ast.NotEq: np.not_equal, ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}  # fmt: skip

OF_BOOLS: dict[np.ufunc, str] = {
    np.add: "or", np.multiply: "and", np.maximum: "or", np.minimum: "and", np.logical_and: "and",
    np.logical_or: "or", np.bitwise_and: "and", np.bitwise_or: "or",
}  # fmt: skip
"""Functions that mean a logical operation on two bools."""


# Operands -------------------------------------------------------------------------------------------------------------


def operand(scope: FunctionScope, value: Abstract) -> Lazy | None:
    """An array or number as the operand of an array expression; None for anything else."""
    if isinstance(value, Lazy):
        return value
    if isinstance(value, BooleanIndexed):
        value = compressed(scope, scope.node, value)
    if isinstance(value, ArrayRef):
        array = value
        read = Read(array, True)
        return Lazy(dims(scope, array), array.element, lambda k: strong_element(load(scope, array, k)), (read,))
    if isinstance(value, (Expanded, Reshaped)):
        view = value
        read = Read(view.base, isinstance(view, Expanded) and view.axes == tuple(range(view.base.rank)))
        at = lambda k: strong_element(load(scope, view.base, inside(view, k)))  # noqa: E731
        return Lazy(view.shape, view.element, at, (read,))
    if is_scalar(value):
        return Lazy((), numpy_element(value), lambda index: value, ())
    if isinstance(value, (Items, ListRef)):
        items = static_items(scope, value)
        if items and all(map(is_scalar, items)):
            return operand(scope, list_in_memory(scope, items, joint_type(scope, items), None))
    return None


def inside(view: Expanded | Reshaped, index: Sequence[Value]) -> list[Value]:
    """The subscripts of a view's base."""
    if isinstance(view, Reshaped):
        return view.through(index)
    found: dict[int, Value] = {axis: k for axis, k in zip(view.axes, index, strict=True) if axis is not None}
    return [found[axis] for axis in range(view.base.rank)]


# Types ----------------------------------------------------------------------------------------------------------------


def mapped(
    scope: FunctionScope,
    values: Sequence[Abstract],
    parts: Sequence[Lazy],
    inputs: Sequence[Scalar],
    output: Scalar,
    rule: ElementRule,
    out: Sequence[Extents] = (),
) -> Lazy:
    """The array of what `rule` makes of corresponding elements; `out`: the shape of where it is put, if known."""
    shape = broadcast(scope, [p.shape for p in parts], out)
    # Numbers are converted here, once.
    ready = [converted(scope, v, t) if is_scalar(v) else None for v, t in zip(values, inputs, strict=True)]

    def steps(index: Sequence[Value]) -> Steps:
        elements = []
        for part, type_, own in zip(parts, inputs, ready, strict=True):
            if own is None:
                own = converted(scope, (yield part, position(scope, index, part.shape)), type_)
            elements.append(own)
        return element_of(scope, rule(elements), output)

    reads: dict[tuple[ArrayRef, bool], None] = {}
    for part in parts:
        stretched = stretches(scope, part.shape, shape) if part.reads else False
        reads.update(((read.array, read.aligned and not stretched), None) for read in part.reads)
    return stepwise(shape, output, steps, tuple(Read(*read) for read in reads))


def stepwise(
    shape: tuple[Abstract, ...], element: Scalar, steps: Callable[[Sequence[Value]], Steps], reads: tuple[Read, ...]
) -> Lazy:
    """An expression that is made of elements of others."""
    return Lazy(shape, element, lambda index: _finished(steps(index)), reads, steps)


def _finished(steps: Steps) -> Abstract:
    """The element, with those that it is made of."""
    stack: list[Steps] = [steps]
    element: Abstract | None = None
    while True:
        try:
            part, index = stack[-1].send(element)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as stop:
            stack.pop()
            made: Abstract = stop.value
            if not stack:
                return made
            element = made
        else:
            element = None if part.steps is not None else part.at(index)
            if part.steps is not None:
                stack.append(part.steps(index))


def apply(
    scope: FunctionScope,
    node: ast.AST,
    function: np.ufunc,
    values: Sequence[Abstract],
    rule: ElementRule,
    out: Sequence[Extents] = (),
) -> Abstract:
    """A universal function of arrays and numbers, at least one of them an array."""
    if any(isinstance(v, Poison) for v in values):
        return POISON
    if any(isinstance(v, BooleanIndexed) for v in values):
        if _one_mask(values):
            return _boolean_indexed(scope, node, function, values, rule)
        values = [compressed(scope, node, v) if isinstance(v, BooleanIndexed) else v for v in values]
    parts = operands(scope, node, f"np.{function.__name__}", values)
    types = None if parts is None else loop_types(scope, node, function, values, parts)
    if parts is None or types is None:
        return POISON
    *inputs, output = types
    if not _constants_fit(scope, node, values, inputs):
        return POISON
    return mapped(scope, values, parts, inputs, output, _exact(scope, node, function, inputs, rule), out)


def operands(scope: FunctionScope, node: ast.AST, name: str, values: Sequence[Abstract]) -> list[Lazy] | None:
    """All values as operands; reports what is none."""
    parts = [operand(scope, v) for v in values]
    for value, part in zip(values, parts, strict=True):
        if part is None:
            if not isinstance(value, Poison):
                scope.error(node, f"{name} does not take {describe(value)} here", "make it an array: np.array(...)")
            return None
    return [p for p in parts if p is not None]


def _one_mask(values: Sequence[Abstract]) -> bool:
    """Whether all arrays among `values` are selected by the same mask."""
    arrays = [v for v in values if is_array(v)]
    masks = {id(v.selects.value) for v in arrays if isinstance(v, BooleanIndexed)}
    return len(masks) == 1 and all(isinstance(v, BooleanIndexed) for v in arrays)


def _boolean_indexed(
    scope: FunctionScope, node: ast.AST, function: np.ufunc, values: Sequence[Abstract], rule: ElementRule
) -> Abstract:
    """Elements that one array of bools selects: computed everywhere, used where it holds."""
    inner = apply(scope, node, function, [v.source if isinstance(v, BooleanIndexed) else v for v in values], rule)
    selects = next(v.selects for v in values if isinstance(v, BooleanIndexed))
    return BooleanIndexed(inner, selects) if isinstance(inner, Lazy) else POISON


def _constants_fit(scope: FunctionScope, node: ast.AST, values: Sequence[Abstract], inputs: Sequence[Scalar]) -> bool:
    """Whether integer constants fit in the type of the array that they meet."""
    for value, wanted in zip(values, inputs, strict=True):
        if isinstance(value, Constant) and wanted.kind in "iu":
            limits = np.iinfo(NUMPY_NAMES[wanted.name])
            if not limits.min <= int(value.value) <= limits.max:
                text = f"Python integer {value.value} out of bounds for {NUMPY_NAMES[wanted.name]}"
                scope.error(node, text, "convert the array with .astype(np.int64)")
                return False
        elif is_scalar(value) and wanted.kind in "iu" and wanted.bytes < 8 and not weak_type_of(value).never:
            scope.error(node, f"a number that is not known while compiling meets an array of {wanted.name}",
                        "convert the array with .astype(np.int64)")  # fmt: skip
            return False
    return True


def _exact(
    scope: FunctionScope, node: ast.AST, function: np.ufunc, inputs: Sequence[Scalar], rule: ElementRule
) -> ElementRule:
    """The rule for one element; NumPy's own meaning where that of its numbers is another."""
    first = inputs[0]
    if first == BOOL and function in OF_BOOLS:
        op = OF_BOOLS[function]
        return lambda v: Num(scope.emit(op, *(materialise(scope, x, BOOL) for x in v)), STRONG)
    if function in (np.floor_divide, np.remainder) and first.kind in "iu":
        return lambda v: _integer_division(scope, function, *v)
    if function is np.multiply and first == U32:
        # Two of them have a product that 64 bits with a sign do not hold.
        return lambda v: Num(
            narrow_product(scope, materialise(scope, v[0], I64), materialise(scope, v[1], I64), U32), STRONG
        )
    if function is np.power and first.kind == "f":
        return lambda v: _power(scope, node, v, rule)
    if function is np.power:
        return lambda v: _integer_power(scope, v, rule)
    return rule


def _integer_division(scope: FunctionScope, function: np.ufunc, a: Abstract, b: Abstract) -> Abstract:
    """`//` and `%` of integer arrays: by zero they give zero."""
    op = "floordiv" if function is np.floor_divide else "mod"
    x, y, zero = materialise(scope, a, I64), materialise(scope, b, I64), scope.const(0)
    if isinstance(b, Constant) and b.value:
        return Num(scope.emit(op, x, y), STRONG)
    none = scope.emit("eq", y, zero)
    quotient = scope.emit(op, x, scope.emit("select", none, scope.const(1), y))
    return Num(scope.emit("select", none, zero, quotient), STRONG)


def _power(scope: FunctionScope, node: ast.AST, v: list[Abstract], rule: ElementRule) -> Abstract:
    """`x ** y` of floats: NumPy has shorter ways for some exponents, which differ from `pow` at the edges."""
    known = v[1].value if isinstance(v[1], Constant) else None
    if known == 0.5:
        return Num(scope.emit("sqrt", materialise(scope, v[0])), STRONG)
    if known == -1:
        x = materialise(scope, v[0])
        assert isinstance(x.type, Scalar)
        return Num(scope.emit("div", scope.const(1.0, x.type), x), STRONG)
    return rule(v)


def _integer_power(scope: FunctionScope, v: list[Abstract], rule: ElementRule) -> Abstract:
    if not isinstance(v[1], Constant) or v[1].value < 0:
        y = materialise(scope, v[1], I64)
        text = "Integers to negative integer powers are not allowed."
        scope.check(scope.emit("ge", y, scope.const(0)), "ValueError", text)
        if isinstance(v[1], Constant):
            return Constant(0)
    return rule(v)


def operation(
    scope: FunctionScope, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract, out: Sequence[Extents] = ()
) -> Abstract:
    """`a OP b`, at least one of them an array."""
    if kind in (ast.LShift, ast.RShift) and not (isinstance(b, Constant) and 0 <= (as_static_int(b) or 0) < 64):
        return scope.error(node, "arrays are shifted by constants only", "multiply by a power of two")
    return apply(scope, node, UFUNCS[kind], [a, b], lambda v: binary(scope, node, kind, v[0], v[1]), out)


def comparison(scope: FunctionScope, node: ast.AST, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    return apply(scope, node, COMPARISONS[kind], [a, b], lambda v: compare(scope, node, kind, v[0], v[1]))


def unary(scope: FunctionScope, node: ast.AST, kind: type[ast.unaryop], value: Abstract) -> Abstract:
    """`-x`, `+x`, `~x` of an array."""
    if kind is ast.USub:
        return apply(scope, node, np.negative, [value], lambda v: negative(scope, node, v[0]))
    if kind is ast.UAdd:
        return apply(scope, node, np.positive, [value], lambda v: v[0])
    return apply(scope, node, np.invert, [value], lambda v: inverted(scope, node, v[0]))


def absolute(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    def rule(v: list[Abstract]) -> Abstract:
        x = materialise(scope, v[0])
        return Num(x if x.type == BOOL else scope.emit("abs", x), STRONG)

    return apply(scope, node, np.absolute, [value], rule)


def where(scope: FunctionScope, node: ast.AST, values: Sequence[Abstract]) -> Abstract:
    """np.where(condition, x, y): both choices are computed, as NumPy does."""
    parts = operands(scope, node, "np.where", values)
    type_ = None if parts is None else chosen_type(scope, node, values[1:], parts[1:])
    if parts is None or type_ is None:
        return POISON

    def rule(v: list[Abstract]) -> Abstract:
        condition = materialise(scope, v[0])
        if condition.type != BOOL:
            condition = scope.emit("cast", condition, type="bool")
        computed = type_ if type_.kind in "fb" else I64
        return Num(scope.emit("select", condition, *(materialise(scope, x, computed) for x in v[1:])), STRONG)

    return mapped(scope, values, parts, [parts[0].element, type_, type_], type_, rule)


def cast(scope: FunctionScope, value: Abstract, element: Scalar) -> Lazy | None:
    """`.astype(...)`."""
    part = operand(scope, value)
    if part is None:
        return None
    source = part

    def steps(index: Sequence[Value]) -> Steps:
        found = yield source, index
        if element.kind in "iu" and scalar_type(found).kind == "f":
            found = Num(scope.emit("cast", materialise(scope, found), type="i64"), STRONG)
        return element_of(scope, found, element)

    return stepwise(source.shape, element, steps, source.reads)
