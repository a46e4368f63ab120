"""Builtins that take or give what can be iterated over, `min` and `max` among them."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from adcore.frontend.numpy.elements import accumulate, dim
from adcore.frontend.python.containers.dicts import filled
from adcore.frontend.python.functions.builtin import builtin
from adcore.frontend.python.functions.numbers import is_bool, not_a_number
from adcore.frontend.python.functions.searches import filtered_sum
from adcore.frontend.registry import CallHandler, register
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    POISON,
    UNTRACKED,
    Abstract,
    ArrayRef,
    Constant,
    DictRef,
    Expanded,
    FilteredValues,
    Items,
    IterableValue,
    Num,
    OutsideDict,
    Poison,
    Range,
    Reshaped,
    Uniform,
    WeakType,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import keys_of, new_dict
from adcore.frontend.values.containers.iterables import enumerated, iterable_of, reverse, reversed_range, zipped
from adcore.frontend.values.containers.lists import list_literal
from adcore.frontend.values.containers.sequences import is_sequence, sequence_length, static_length
from adcore.frontend.values.describe import describe
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.narrow import narrow_of
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import binary, compare, fail, minimum, refused_bool
from adcore.frontend.values.numeric.weak_types import flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, Scalar


@builtin(len, samples=("x", "A", "(1.0, 2.0)"), about="how many items there are")
def _len(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    (value,) = args
    if isinstance(value, ArrayRef):
        return dim(scope, value, 0)
    if isinstance(value, (Expanded, Reshaped)):
        return value.shape[0]
    if isinstance(value, Constant) and isinstance(value.value, str):
        return Constant(len(value.value))
    if isinstance(value, (DictRef, OutsideDict)):
        return Constant(len(keys_of(scope, value)))
    if not is_sequence(value):
        return scope.error(node, f"{describe(value)} has no length")
    return sequence_length(scope, value)


@builtin(range, 1, 3, samples=("3", "1, 9, 2"), about="a range of integers")
def _range(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    for argument, value in zip(node.args, args, strict=False):
        if not is_scalar(value) or scalar_type(value).kind == "f":
            return scope.error(argument, f"range takes integers, not {describe(value)}", "write int(...) around it")
        if (refused := refused_bool(scope, argument, "range does not take", value)) is not None:
            return refused
    whole = [Num(scope.emit("cast", materialise(scope, v), type="i64")) if is_bool(v) else v for v in args]
    lo, hi, step = {1: (Constant(0), *whole, Constant(1)), 2: (*whole, Constant(1)), 3: tuple(whole)}[len(whole)]
    if isinstance(step, Constant) and step.value == 0:
        fail(scope, *python_message(range, 0, 1, 0))
        return POISON
    return Range(lo, hi, step)


@builtin(enumerate, 1, 2, "start", samples=("x",), about="items with their numbers")
def _enumerate(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    iterable = iterable_of(scope, node, args[0])
    start = args[1] if len(args) > 1 else named.get("start", Constant(0))
    return POISON if iterable is None else enumerated(scope, iterable, start)


@builtin(zip, 0, None, "strict", samples=("x, y",), about="items of several iterables side by side")
def _zip(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    iterables = [iterable_of(scope, node, a) for a in args]
    found = [s for s in iterables if s is not None]
    if len(found) < len(iterables):
        return POISON
    strict = named.get("strict")
    if strict is not None and isinstance(strict, Constant) and strict.value:
        for iterable in found[1:]:
            equal = compare(scope, node, ast.Eq, found[0].length, iterable.length)
            scope.check(materialise(scope, equal, BOOL), "ValueError", "zip() arguments have different lengths")
    return zipped(scope, node, found)


@builtin(reversed, samples=("x",), about="items from the last to the first")
def _reversed(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if isinstance(args[0], Range):
        return reversed_range(scope, args[0])
    iterable = iterable_of(scope, node, args[0])
    return POISON if iterable is None else reverse(scope, iterable)


@builtin(iter, samples=("x",), about="its items, which can be run over once")
def _iter(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return iterable_of(scope, node, args[0]) or POISON


def _extremum(comparison: type[ast.cmpop]) -> CallHandler:
    def rule(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        if len(args) > 1:
            for value in args:
                if not is_scalar(value):
                    return not_a_number(scope, node, value)
            return minimum(scope, node, args, comparison)
        return _extremum_of(scope, node, args[0], comparison)

    return rule


builtin(min, 1, None, samples=("a, 0.5", "x", "(a, 0.5, 2.0)"), about="the smallest")(_extremum(ast.Lt))
builtin(max, 1, None, samples=("a, 0.5", "x", "(a, 0.5, 2.0)"), about="the largest")(_extremum(ast.Gt))


def _extremum_of(scope: FunctionScope, node: ast.Call, value: Abstract, comparison: type[ast.cmpop]) -> Abstract:
    empty = python_message(min if comparison is ast.Lt else max, [])
    length = static_length(scope, value)
    if length == 0:
        fail(scope, *empty)
        return POISON
    if length is not None and length <= 64 and not isinstance(value, ArrayRef):
        iterable = iterable_of(scope, node, value)
        items = [iterable.item(Constant(k)) for k in range(length)] if iterable else []
        if all(map(is_scalar, items)) and items:
            return minimum(scope, node, items, comparison)
    iterable = iterable_of(scope, node, value)
    if iterable is None:
        return POISON
    nonempty = compare(scope, node, ast.Gt, iterable.length, Constant(0))
    scope.check(materialise(scope, nonempty, BOOL), *empty)
    first = iterable.item(Constant(0))
    if not is_scalar(first):
        return scope.error(node, f"{ast.unparse(node.func)} of rows", "loop over the elements")

    return _accumulated(
        scope, iterable, first, scalar_type(first), lambda best, item: minimum(scope, node, [best, item], comparison)
    )


def _accumulated(
    scope: FunctionScope,
    iterable: IterableValue,
    start: Abstract,
    type_: Scalar,
    step: Callable[[Abstract, Abstract], Abstract],
) -> Abstract:
    """`start` and then what `step` makes of it and each item, as a number of `type_`."""
    with scope.builder.region():
        # Only for its weak type: what is emitted here is dropped.
        probe = step(start, iterable.item(Num(scope.const(0))))
    weak, narrow = weak_type_of(probe), narrow_of(probe)
    same = weak == weak_type_of(start) and not weak.mixed
    tracked = not same and scope.session.speculation.flags

    def one(index: list[Value], carried: Any) -> list[Value]:
        old = weak if same else WeakType((carried[1],)) if tracked else UNTRACKED
        new = step(Num(carried[0], old, narrow), iterable.item(Num(index[0])))
        return [materialise(scope, new, type_), *([flag(scope, weak_type_of(new))] if tracked else [])]

    first = [materialise(scope, start, type_), *([flag(scope, weak_type_of(start))] if tracked else [])]
    result, *flags = accumulate(scope, (iterable.length,), first, one)
    return Num(result, weak if same else WeakType(tuple(flags)) if tracked else UNTRACKED, narrow)


@builtin(sum, 1, 2, "start", samples=("x", "(1.0, a)", "[1.0, 2.0], a"), about="the sum of items, from the left")
def _sum(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """Items added from the left, as `0 + a + b + ...`."""
    start = args[1] if len(args) > 1 else named.get("start", Constant(0))
    value = args[0]
    if isinstance(value, FilteredValues):
        return filtered_sum(scope, node, value, start, lambda total, item: _added(scope, node, total, item))
    length = static_length(scope, value)
    iterable = iterable_of(scope, node, value)
    if iterable is None:
        return POISON
    if length is not None and length <= 64 and not isinstance(value, (ArrayRef, Uniform)):
        for k in range(length):
            start = _added(scope, node, start, iterable.item(Constant(k)))
        return start
    with scope.builder.region():
        # Only for its type: what is emitted here is dropped.
        total = _added(scope, node, start, iterable.item(Num(scope.const(0))))
    if isinstance(total, Poison):
        return POISON
    return _accumulated(scope, iterable, start, scalar_type(total), lambda s, item: _added(scope, node, s, item))


def _added(scope: FunctionScope, node: ast.Call, total: Abstract, item: Abstract) -> Abstract:
    if not is_scalar(item):
        return (
            not_a_number(scope, node, item)
            if not isinstance(item, ArrayRef)
            else scope.error(node, "sum over rows of an array", "use np.sum(x), or loop over the elements")
        )
    if not isinstance(item, Constant) and isinstance(total, Constant):
        # The type of the sum: in Python 3.12 and later a sum of floats is compensated; here it is added in order.
        with scope.builder.region():
            probe = binary(scope, node, ast.Add, total, item)
        if isinstance(probe, Num) and total.value == 0 and not isinstance(total.value, float):
            total = Num(
                scope.const(0 if probe.type.kind == "i" else 0.0, probe.type), weak_type_of(total), narrow_of(probe)
            )
    return binary(scope, node, ast.Add, total, item)


@builtin(tuple, 0, 1, samples=("(1.0, a)",), about="a tuple of the items")
def _tuple(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    items = _all_items(scope, node, args)
    return POISON if items is None else Items(items)


@builtin(list, 0, 1, samples=("(1.0, a)",), about="a list of the items")
def _list(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    items = _all_items(scope, node, args)
    return POISON if items is None else list_literal(scope, node, items)


def _dict(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    values: dict[Any, Abstract] = {}
    return new_dict(scope, values) if filled(scope, node, values, args, named) else POISON


# Any keyword is a key.
register(dict, _dict, "a dict of keywords, pairs or another dict", ("a=a, b=2.0",))


def _all_items(scope: FunctionScope, node: ast.Call, args: list[Abstract]) -> tuple[Abstract, ...] | None:
    if not args:
        return ()
    iterable = iterable_of(scope, node, args[0])
    if iterable is None:
        return None
    length = static_length(scope, iterable)
    if length is None:
        scope.error(node, "the length is not known while compiling", "use a NumPy array")
        return None
    return tuple(iterable.item(Constant(k)) for k in range(length))


@builtin(math.prod, samples=("(2.0, a)",), about="the product of items")
def _product(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    length = static_length(scope, args[0])
    iterable = iterable_of(scope, node, args[0])
    if iterable is None:
        return POISON
    if length is None or length > 64:
        return scope.error(node, f"{ast.unparse(node.func)} over a length that is not known", "write a loop")
    total: Abstract = Constant(1)
    for k in range(length):
        total = binary(scope, node, ast.Mult, total, iterable.item(Constant(k)))
    return total
