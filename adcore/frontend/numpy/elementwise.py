"""Array expressions: operators and NumPy's functions of numbers, element by element, with broadcasting.

An expression stays lazy, a shape and a function from subscripts to an element, until something needs it in memory.
Which types NumPy computes with is asked of NumPy itself; an element is then made by the rules for numbers.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.frontend.numpy.broadcasting import Shape, broadcast, position, stretches
from adcore.frontend.numpy.elements import dims, load, loaded
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    NUMPY,
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Masked,
    Num,
    Poison,
    Read,
    Reshaped,
    Steps,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.lists import in_memory as list_in_memory
from adcore.frontend.values.numbers import kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import binary, compare, inverted, negative, one_type
from adcore.frontend.values.sequences import static_items
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64, NUMPY_NAMES, SCALARS, Scalar

Rule = Callable[[list[Abstract]], Abstract]
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


def operand(frame: Frame, value: Abstract) -> Lazy | None:
    """An array or number as the operand of an array expression; None for anything else."""
    if isinstance(value, Lazy):
        return value
    if isinstance(value, Array):
        array = value
        return Lazy(dims(frame, array), array.element, lambda index: _strong(load(frame, array, index)),
                    (Read(array, True),))  # fmt: skip
    if isinstance(value, Expanded):
        view = value
        plain = view.axes == tuple(range(view.base.rank))
        return Lazy(view.shape, view.element, lambda index: _strong(load(frame, view.base, inside(view, index))),
                    (Read(view.base, plain),))  # fmt: skip
    if isinstance(value, Reshaped):
        other = value
        return Lazy(other.shape, other.element, lambda index: _strong(load(frame, other.base, other.through(index))),
                    (Read(other.base, False),))  # fmt: skip
    if is_scalar(value):
        return Lazy((), scalar_type(value), lambda index: value, ())
    if isinstance(value, (Items, ListRef)):
        items = static_items(frame, value)
        if items and all(map(is_scalar, items)):
            return operand(frame, list_in_memory(frame, items, joint_type(frame, items), None))
    return None


def inside(view: Expanded | Reshaped, index: Sequence[Value]) -> list[Value]:
    """The subscripts of a view's base."""
    if isinstance(view, Reshaped):
        return view.through(index)
    found: dict[int, Value] = {axis: k for axis, k in zip(view.axes, index, strict=True) if axis is not None}
    return [found[axis] for axis in range(view.base.rank)]


def joint_type(frame: Frame, items: Sequence[Abstract]) -> Scalar:
    """The element type of an array that NumPy makes of numbers: Python's floats are float64, whatever stands by."""
    for item in items:
        one_type(frame, item)
    types = {scalar_type(item) for item in items}
    if types <= {F32, BOOL} and F32 in types:
        return F32
    return F64 if not types or types & {F32, F64} else I64 if I64 in types else BOOL


def _strong(value: Abstract) -> Abstract:
    return Num(value.value, NUMPY) if isinstance(value, Num) else value


# Types ----------------------------------------------------------------------------------------------------------------


def numpy_types(value: Abstract, element: Scalar) -> list[Any]:
    """What NumPy may look at to choose a type: a dtype, or Python's own type of a number, which adapts."""
    dtype = np.dtype(NUMPY_NAMES[element.name])
    if not is_scalar(value) or element == BOOL or kind_of(value).numpy:
        return [dtype]
    own = float if element.kind == "f" else int
    return [own] if kind_of(value).python else [own, dtype]


def ir_type(dtype: Any) -> Scalar | None:
    """The IR's type for a dtype (or for `int` and `float`, which stand for numbers that adapt)."""
    name = np.dtype(dtype).name
    return next((SCALARS[ours] for ours, theirs in NUMPY_NAMES.items() if theirs == name), None)


def loop_types(
    frame: Frame, node: ast.AST, function: np.ufunc, values: Sequence[Abstract], parts: Sequence[Lazy]
) -> list[Scalar] | None:
    """The types that NumPy's inner loop takes and gives; reports what has none."""
    try:
        found = agreed(frame, node, values, parts, lambda given: _resolved(function, given))
    except TypeError as error:
        frame.error(node, f"NumPy does not do this: {str(error).splitlines()[0]}")
        return None
    if found is None:
        return None
    types = [ir_type(t) for t in found]
    if None in types:
        name = next(str(np.dtype(t)) for t in found if ir_type(t) is None)
        frame.error(node, f"NumPy computes this in {name}, which is not supported", "convert with .astype(np.float64)")
        return None
    return [t for t in types if t is not None]


def agreed(
    frame: Frame,
    node: ast.AST,
    values: Sequence[Abstract],
    parts: Sequence[Lazy],
    choose: Callable[[Sequence[Any]], tuple[Any, ...]],
) -> tuple[Any, ...] | None:
    """What `choose` makes of the operands' types; reports where that depends on whose a number turns out to be."""
    every = itertools.product(*(numpy_types(v, p.element) for v, p in zip(values, parts, strict=True)))
    found, *others = (choose(given) for given in every)
    if any(other != found for other in others):
        frame.error(
            node,
            "a number that is Python's on one path and NumPy's on another decides the type of this array",
            "convert it with float(...) or np.float64(...) before",
        )
        return None
    return found


def _resolved(function: np.ufunc, given: Sequence[Any]) -> tuple[Any, ...]:
    if all(isinstance(t, type) for t in given):
        # Something that is an array but holds Python's numbers: a list.
        given = [np.dtype(given[0]), *given[1:]]
    return function.resolve_dtypes((*given, *[None] * function.nout))


def converted(frame: Frame, value: Abstract, wanted: Scalar) -> Abstract:
    """An element as NumPy's inner loop takes it. Constants stay as they are: they adapt by the rules for numbers."""
    if isinstance(value, Const) or (wanted.kind in "iu" and scalar_type(value) == I64):
        return _strong(value)
    return Num(materialise(frame, value, I64 if wanted.kind in "iu" else wanted), NUMPY)


def element_of(frame: Frame, value: Abstract, wanted: Scalar) -> Abstract:
    """The result of a rule as an element of type `wanted`, in the form in which the frontend computes."""
    if isinstance(value, Poison):
        value = Const(0)
    if wanted.kind in "iu" and wanted != I64:
        # Narrow integers wrap around.
        return loaded(frame, materialise(frame, Num(materialise(frame, value, I64)), wanted), NUMPY)
    return Num(materialise(frame, value, wanted), NUMPY)


# Expressions ----------------------------------------------------------------------------------------------------------


def mapped(
    frame: Frame,
    values: Sequence[Abstract],
    parts: Sequence[Lazy],
    inputs: Sequence[Scalar],
    output: Scalar,
    rule: Rule,
    out: Sequence[Shape] = (),
) -> Lazy:
    """The array of what `rule` makes of corresponding elements; `out`: the shape of where it is put, if known."""
    shape = broadcast(frame, [p.shape for p in parts], out)
    # Numbers are converted here, once.
    ready = [converted(frame, v, t) if is_scalar(v) else None for v, t in zip(values, inputs, strict=True)]

    def steps(index: Sequence[Value]) -> Steps:
        elements = []
        for part, type_, own in zip(parts, inputs, ready, strict=True):
            if own is None:
                own = converted(frame, (yield part, position(frame, index, part.shape)), type_)
            elements.append(own)
        return element_of(frame, rule(elements), output)

    reads: dict[tuple[Array, bool], None] = {}
    for part in parts:
        stretched = stretches(frame, part.shape, shape) if part.reads else False
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
    frame: Frame,
    node: ast.AST,
    function: np.ufunc,
    values: Sequence[Abstract],
    rule: Rule,
    out: Sequence[Shape] = (),
) -> Abstract:
    """A universal function of arrays and numbers, at least one of them an array."""
    if any(isinstance(v, Poison) for v in values):
        return POISON
    if any(isinstance(v, Masked) for v in values):
        return _masked(frame, node, function, values, rule)
    parts = operands(frame, node, f"np.{function.__name__}", values)
    types = None if parts is None else loop_types(frame, node, function, values, parts)
    if parts is None or types is None:
        return POISON
    *inputs, output = types
    if not _constants_fit(frame, node, values, inputs):
        return POISON
    return mapped(frame, values, parts, inputs, output, _exact(frame, node, function, inputs, rule), out)


def operands(frame: Frame, node: ast.AST, name: str, values: Sequence[Abstract]) -> list[Lazy] | None:
    """All values as operands; reports what is none."""
    parts = [operand(frame, v) for v in values]
    for value, part in zip(values, parts, strict=True):
        if part is None:
            if not isinstance(value, Poison):
                frame.error(node, f"{name} does not take {describe(value)} here")
            return None
    return [p for p in parts if p is not None]


def _masked(frame: Frame, node: ast.AST, function: np.ufunc, values: Sequence[Abstract], rule: Rule) -> Abstract:
    """Elements under one mask: computed everywhere, used where the mask holds."""
    masks = {id(v.mask.value): v.mask for v in values if isinstance(v, Masked)}
    if len(masks) > 1 or any(is_array(v) and not isinstance(v, Masked) for v in values):
        return frame.error(
            node,
            "elements under a mask are combined with other arrays",
            "use one mask, under one name, on both sides: `x[m] = y[m] * z[m]`, or np.where(m, ..., ...)",
        )
    inner = apply(frame, node, function, [v.source if isinstance(v, Masked) else v for v in values], rule)
    (mask,) = masks.values()
    return Masked(inner, mask) if isinstance(inner, Lazy) else POISON


def _constants_fit(frame: Frame, node: ast.AST, values: Sequence[Abstract], inputs: Sequence[Scalar]) -> bool:
    """Whether integer constants fit in the type of the array that they meet."""
    for value, wanted in zip(values, inputs, strict=True):
        if isinstance(value, Const) and wanted.kind in "iu":
            limits = np.iinfo(NUMPY_NAMES[wanted.name])
            if not limits.min <= int(value.value) <= limits.max:
                text = f"Python integer {value.value} out of bounds for {NUMPY_NAMES[wanted.name]}"
                frame.error(node, text, "convert the array with .astype(np.int64)")
                return False
        elif is_scalar(value) and wanted.kind in "iu" and wanted.bytes < 8 and not kind_of(value).numpy:
            frame.error(node, f"a number that is not known while compiling meets an array of {wanted.name}",
                        "convert the array with .astype(np.int64)")  # fmt: skip
            return False
    return True


def _exact(frame: Frame, node: ast.AST, function: np.ufunc, inputs: Sequence[Scalar], rule: Rule) -> Rule:
    """The rule for one element; NumPy's own meaning where that of its numbers is another."""
    first = inputs[0]
    if first == BOOL and function in OF_BOOLS:
        op = OF_BOOLS[function]
        return lambda v: Num(frame.emit(op, *(materialise(frame, x, BOOL) for x in v)), NUMPY)
    if function in (np.floor_divide, np.remainder) and first.kind in "iu":
        return lambda v: _integer_division(frame, function, *v)
    if function is np.power and first.kind == "f":
        return lambda v: _power(frame, node, v, rule)
    if function is np.power:
        return lambda v: _integer_power(frame, v, rule)
    return rule


def _integer_division(frame: Frame, function: np.ufunc, a: Abstract, b: Abstract) -> Abstract:
    """`//` and `%` of integer arrays: by zero they give zero."""
    op = "floordiv" if function is np.floor_divide else "mod"
    x, y, zero = materialise(frame, a, I64), materialise(frame, b, I64), frame.const(0)
    if isinstance(b, Const) and b.value:
        return Num(frame.emit(op, x, y), NUMPY)
    none = frame.emit("eq", y, zero)
    quotient = frame.emit(op, x, frame.emit("select", none, frame.const(1), y))
    return Num(frame.emit("select", none, zero, quotient), NUMPY)


def _power(frame: Frame, node: ast.AST, v: list[Abstract], rule: Rule) -> Abstract:
    """`x ** y` of floats: NumPy has shorter ways for some exponents, which differ from `pow` at the edges."""
    known = v[1].value if isinstance(v[1], Const) else None
    if known == 0.5:
        return Num(frame.emit("sqrt", materialise(frame, v[0])), NUMPY)
    if known == -1:
        x = materialise(frame, v[0])
        assert isinstance(x.type, Scalar)
        return Num(frame.emit("div", frame.const(1.0, x.type), x), NUMPY)
    return rule(v)


def _integer_power(frame: Frame, v: list[Abstract], rule: Rule) -> Abstract:
    if not isinstance(v[1], Const) or v[1].value < 0:
        y = materialise(frame, v[1], I64)
        text = "Integers to negative integer powers are not allowed."
        frame.check(frame.emit("ge", y, frame.const(0)), "ValueError", text)
        if isinstance(v[1], Const):
            return Const(0)
    return rule(v)


def operation(
    frame: Frame, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract, out: Sequence[Shape] = ()
) -> Abstract:
    """`a OP b`, at least one of them an array."""
    if kind in (ast.LShift, ast.RShift) and not (isinstance(b, Const) and 0 <= (as_static_int(b) or 0) < 64):
        return frame.error(node, "arrays are shifted by constants only", "multiply by a power of two")
    return apply(frame, node, UFUNCS[kind], [a, b], lambda v: binary(frame, node, kind, v[0], v[1]), out)


def comparison(frame: Frame, node: ast.AST, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    return apply(frame, node, COMPARISONS[kind], [a, b], lambda v: compare(frame, node, kind, v[0], v[1]))


def unary(frame: Frame, node: ast.AST, kind: type[ast.unaryop], value: Abstract) -> Abstract:
    """`-x`, `+x`, `~x` of an array."""
    if kind is ast.USub:
        return apply(frame, node, np.negative, [value], lambda v: negative(frame, node, v[0]))
    if kind is ast.UAdd:
        return apply(frame, node, np.positive, [value], lambda v: v[0])
    return apply(frame, node, np.invert, [value], lambda v: inverted(frame, node, v[0]))


def absolute(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    def rule(v: list[Abstract]) -> Abstract:
        x = materialise(frame, v[0])
        return Num(x if x.type == BOOL else frame.emit("abs", x), NUMPY)

    return apply(frame, node, np.absolute, [value], rule)


def chosen_type(frame: Frame, node: ast.AST, values: Sequence[Abstract], parts: Sequence[Lazy]) -> Scalar | None:
    """The type that holds elements of all operands, as np.where and np.concatenate choose it."""
    adapting = {float: 0.0, int: 0}
    found = agreed(frame, node, values, parts, lambda given: (np.result_type(*(adapting.get(t, t) for t in given)),))
    if found is None:
        return None
    type_ = ir_type(found[0])
    if type_ is None:
        frame.error(node, "NumPy computes this in a type that is not supported", "convert with .astype(np.float64)")
    return type_


def where(frame: Frame, node: ast.AST, values: Sequence[Abstract]) -> Abstract:
    """np.where(condition, x, y): both choices are computed, as NumPy does."""
    parts = operands(frame, node, "np.where", values)
    type_ = None if parts is None else chosen_type(frame, node, values[1:], parts[1:])
    if parts is None or type_ is None:
        return POISON

    def rule(v: list[Abstract]) -> Abstract:
        condition = materialise(frame, v[0])
        if condition.type != BOOL:
            condition = frame.emit("cast", condition, type="bool")
        computed = type_ if type_.kind in "fb" else I64
        return Num(frame.emit("select", condition, *(materialise(frame, x, computed) for x in v[1:])), NUMPY)

    return mapped(frame, values, parts, [parts[0].element, type_, type_], type_, rule)


def cast(frame: Frame, value: Abstract, element: Scalar) -> Lazy | None:
    """`.astype(...)`."""
    part = operand(frame, value)
    if part is None:
        return None
    source = part

    def steps(index: Sequence[Value]) -> Steps:
        found = yield source, index
        if element.kind in "iu" and scalar_type(found).kind == "f":
            found = Num(frame.emit("cast", materialise(frame, found), type="i64"), NUMPY)
        return element_of(frame, found, element)

    return stepwise(source.shape, element, steps, source.reads)
