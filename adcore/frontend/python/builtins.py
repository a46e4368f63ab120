"""Python's builtin functions."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.frontend.numpy.elements import accumulate, dim, load
from adcore.frontend.numpy.elementwise import absolute
from adcore.frontend.registry import Call, python_function, register
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    UNTRACKED,
    Abstract,
    Array,
    Closure,
    Const,
    Expanded,
    Items,
    Kind,
    ListRef,
    Num,
    Poison,
    Range,
    Record,
    Reshaped,
    Stream,
    Uniform,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.iterables import consume, enumerated, reverse, reversed_range, stream_of, zipped
from adcore.frontend.values.lists import list_literal
from adcore.frontend.values.numbers import kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import (
    binary,
    compare,
    fail,
    folded,
    minimum,
    python_message,
    refused_bool,
    to_float,
    to_int,
    truth,
)
from adcore.frontend.values.sequences import is_sequence, sequence_length, static_length
from adcore.frontend.values.weak_types import flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, I64, Scalar

Named = dict[str, Abstract]


def builtin(
    function: Any,
    least: int = 1,
    most: int | None = 1,
    *keywords: str,
    samples: tuple[str, ...],
    about: str,
    lazy: bool = False,
) -> Callable[[Call], Call]:
    """Register a builtin. It sees numbers for arrays without axes, and uses up the iterators that it is given."""

    def decorate(rule: Call) -> Call:
        def call(frame: Frame, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
            return rule(frame, node, [_taken(frame, node, a) for a in args], named)

        python_function(function, least=least, most=most, keywords=keywords, samples=samples, about=about, lazy=lazy)(
            call
        )
        return rule

    return decorate


def _taken(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
    return load(frame, value, ()) if isinstance(value, Array) and value.rank == 0 else consume(frame, node, value)


@builtin(len, samples=("x", "A", "(1.0, 2.0)"), about="how many items there are")
def _len(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    (value,) = args
    if isinstance(value, Array):
        return dim(frame, value, 0)
    if isinstance(value, (Expanded, Reshaped)):
        return value.shape[0]
    if isinstance(value, Const) and isinstance(value.value, str):
        return Const(len(value.value))
    if not is_sequence(value):
        return frame.error(node, f"{describe(value)} has no length")
    return sequence_length(frame, value)


@builtin(range, 1, 3, samples=("3", "1, 9, 2"), about="a range of integers")
def _range(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    for argument, value in zip(node.args, args, strict=False):
        if not is_scalar(value) or scalar_type(value).kind == "f":
            return frame.error(argument, f"range takes integers, not {describe(value)}", "write int(...) around it")
        if (refused := refused_bool(frame, argument, "range does not take", value)) is not None:
            return refused
    whole = [Num(frame.emit("cast", v.value, type="i64")) if _is_bool(v) else v for v in args]  # type: ignore[union-attr]
    lo, hi, step = {1: (Const(0), *whole, Const(1)), 2: (*whole, Const(1)), 3: tuple(whole)}[len(whole)]
    if isinstance(step, Const) and step.value == 0:
        fail(frame, *python_message(range, 0, 1, 0))
        return POISON
    return Range(lo, hi, step)


def _is_bool(value: Abstract) -> bool:
    return isinstance(value, Num) and value.type == BOOL


@builtin(enumerate, 1, 2, "start", samples=("x",), about="items with their numbers")
def _enumerate(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    stream = stream_of(frame, node, args[0])
    start = args[1] if len(args) > 1 else named.get("start", Const(0))
    return POISON if stream is None else enumerated(frame, stream, start)


@builtin(zip, 0, None, "strict", samples=("x, y",), about="items of several iterables side by side")
def _zip(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    streams = [stream_of(frame, node, a) for a in args]
    found = [s for s in streams if s is not None]
    if len(found) < len(streams):
        return POISON
    strict = named.get("strict")
    if strict is not None and isinstance(strict, Const) and strict.value:
        for stream in found[1:]:
            equal = compare(frame, node, ast.Eq, found[0].length, stream.length)
            frame.check(materialise(frame, equal, BOOL), "ValueError", "zip() arguments have different lengths")
    return zipped(frame, node, found)


@builtin(reversed, samples=("x",), about="items from the last to the first")
def _reversed(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if isinstance(args[0], Range):
        return reversed_range(frame, args[0])
    stream = stream_of(frame, node, args[0])
    return POISON if stream is None else reverse(frame, stream)


@builtin(abs, samples=("a", "-x"), about="magnitude", lazy=True)
def _abs(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    (value,) = args
    if is_array(value):
        return absolute(frame, node, value)
    if not is_scalar(value):
        return _not_a_number(frame, node, value)
    if isinstance(value, Const):
        return folded(frame, node, abs, value)
    type_ = scalar_type(value)
    if (refused := refused_bool(frame, node, "abs of", value)) is not None:
        return refused
    return Num(frame.emit("abs", materialise(frame, value, I64 if type_ == BOOL else type_)), kind_of(value))


def _not_a_number(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
    if isinstance(value, Poison):
        return value
    return frame.error(node, f"{ast.unparse(node.func)} does not take {describe(value)}")


@builtin(float, 0, 1, samples=("a", "k"), about="as a float")
def _float(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if not args:
        return Const(0.0)
    if isinstance(args[0], Const) and isinstance(args[0].value, str):
        return folded(frame, node, float, args[0])
    return to_float(frame, node, args[0]) if is_scalar(args[0]) else _one_element(frame, node, args[0], to_float)


@builtin(int, 0, 1, samples=("a", "10.0 * a"), about="as an int, towards 0")
def _int(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if not args:
        return Const(0)
    return to_int(frame, node, args[0]) if is_scalar(args[0]) else _one_element(frame, node, args[0], to_int)


def _one_element(frame: Frame, node: ast.Call, value: Abstract, rule: Any) -> Abstract:
    if isinstance(value, Array):
        return frame.error(node, "only 0-d arrays can be converted to a number", "index the element: x[0]")
    return _not_a_number(frame, node, value)


@builtin(bool, 0, 1, samples=("a",), about="whether it is true")
def _bool(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if not args:
        return Const(False)
    value = args[0]
    if is_scalar(value):
        flag = truth(frame, value)
        return Num(materialise(frame, flag)) if isinstance(flag, Num) else flag
    if is_sequence(value):
        return compare(frame, node, ast.NotEq, sequence_length(frame, value), Const(0))
    if isinstance(value, Const):
        return Const(bool(value.value))
    return _not_a_number(frame, node, value)


@builtin(round, 1, 2, samples=("10.0 * a",), about="the nearest integer, halves to even")
def _round(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """With one argument: to the nearest integer, halves to even. Decimal places are not exact in binary."""
    if not is_scalar(args[0]):
        return _not_a_number(frame, node, args[0])
    if all(isinstance(a, Const) for a in args):
        return folded(frame, node, round, *args)
    if len(args) == 2 and args[1] is not NONE:
        return frame.error(node, "round to decimal places is not supported", "round outside the compiled function")
    if scalar_type(args[0]).kind != "f":
        return refused_bool(frame, node, "round does not take", args[0]) or to_int(frame, node, args[0])
    return Num(frame.emit("cast", frame.emit("rint", materialise(frame, args[0])), type="i64"))


def _extremum(comparison: type[ast.cmpop]) -> Call:
    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        if len(args) > 1:
            for value in args:
                if not is_scalar(value):
                    return _not_a_number(frame, node, value)
            return minimum(frame, node, args, comparison)
        return _extremum_of(frame, node, args[0], comparison)

    return rule


builtin(min, 1, None, samples=("a, 0.5", "x", "(a, 0.5, 2.0)"), about="the smallest")(_extremum(ast.Lt))
builtin(max, 1, None, samples=("a, 0.5", "x", "(a, 0.5, 2.0)"), about="the largest")(_extremum(ast.Gt))


def _extremum_of(frame: Frame, node: ast.Call, value: Abstract, comparison: type[ast.cmpop]) -> Abstract:
    empty = python_message(min if comparison is ast.Lt else max, [])
    length = static_length(frame, value)
    if length == 0:
        fail(frame, *empty)
        return POISON
    if length is not None and length <= 64 and not isinstance(value, Array):
        stream = stream_of(frame, node, value)
        items = [stream.item(Const(k)) for k in range(length)] if stream else []
        if all(map(is_scalar, items)) and items:
            return minimum(frame, node, items, comparison)
    stream = stream_of(frame, node, value)
    if stream is None:
        return POISON
    nonempty = compare(frame, node, ast.Gt, stream.length, Const(0))
    frame.check(materialise(frame, nonempty, BOOL), *empty)
    first = stream.item(Const(0))
    if not is_scalar(first):
        return frame.error(node, f"{ast.unparse(node.func)} of rows", "loop over the elements")

    return _accumulated(
        frame, stream, first, scalar_type(first), lambda best, item: minimum(frame, node, [best, item], comparison)
    )


def _accumulated(
    frame: Frame, stream: Stream, start: Abstract, type_: Scalar, step: Callable[[Abstract, Abstract], Abstract]
) -> Abstract:
    """`start` and then what `step` makes of it and each item, as a number of `type_`."""
    with frame.builder.region():
        # Only for its kind: what is emitted here is dropped.
        kind = kind_of(step(start, stream.item(Num(frame.const(0)))))
    same = kind == kind_of(start) and not kind.mixed
    tracked = not same and frame.session.speculation.flags

    def one(index: list[Value], carried: Any) -> list[Value]:
        old = kind if same else Kind((carried[1],)) if tracked else UNTRACKED
        new = step(Num(carried[0], old), stream.item(Num(index[0])))
        return [materialise(frame, new, type_), *([flag(frame, kind_of(new))] if tracked else [])]

    first = [materialise(frame, start, type_), *([flag(frame, kind_of(start))] if tracked else [])]
    result, *flags = accumulate(frame, (stream.length,), first, one)
    return Num(result, kind if same else Kind(tuple(flags)) if tracked else UNTRACKED)


@builtin(sum, 1, 2, "start", samples=("x", "(1.0, a)", "[1.0, 2.0], a"), about="the sum of items, from the left")
def _sum(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """Items added from the left, as `0 + a + b + ...`."""
    start = args[1] if len(args) > 1 else named.get("start", Const(0))
    value = args[0]
    length = static_length(frame, value)
    stream = stream_of(frame, node, value)
    if stream is None:
        return POISON
    if length is not None and length <= 64 and not isinstance(value, (Array, Uniform)):
        for k in range(length):
            start = _added(frame, node, start, stream.item(Const(k)))
        return start
    with frame.builder.region():
        # Only for its type: what is emitted here is dropped.
        total = _added(frame, node, start, stream.item(Num(frame.const(0))))
    if isinstance(total, Poison):
        return POISON
    return _accumulated(frame, stream, start, scalar_type(total), lambda s, item: _added(frame, node, s, item))


def _added(frame: Frame, node: ast.Call, total: Abstract, item: Abstract) -> Abstract:
    if not is_scalar(item):
        return (
            _not_a_number(frame, node, item)
            if not isinstance(item, Array)
            else frame.error(node, "sum over rows of an array", "use np.sum(x), or loop over the elements")
        )
    if not isinstance(item, Const) and isinstance(total, Const):
        # The type of the sum: in Python 3.12 and later a sum of floats is compensated; here it is added in order.
        with frame.builder.region():
            probe = binary(frame, node, ast.Add, total, item)
        if isinstance(probe, Num) and total.value == 0 and not isinstance(total.value, float):
            total = Num(frame.const(0 if probe.type.kind == "i" else 0.0, probe.type), kind_of(total))
    return binary(frame, node, ast.Add, total, item)


@builtin(isinstance, 2, 2, samples=("a, float", "x, np.ndarray"), about="whether it is of one of these classes")
def _isinstance(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """Known while compiling: types are part of what a program is compiled for."""
    value, classes = args
    wanted = [c.value for c in classes.items if isinstance(c, Const)] if isinstance(classes, Items) else []
    if isinstance(classes, Const):
        wanted = [classes.value]
    if not wanted or not all(isinstance(c, type) for c in wanted):
        return frame.error(node, "isinstance needs classes that are known while compiling")
    own: Any
    if isinstance(value, Const):
        return Const(isinstance(value.value, tuple(wanted)))
    if isinstance(value, Num):
        return _isinstance_of_number(frame, value, tuple(wanted))
    elif isinstance(value, Array):
        own = list if value.literal is not None else np.ndarray
    elif isinstance(value, Record):
        own = value.cls
    elif isinstance(value, Uniform):
        own = list if value.kind == "list" else tuple
    else:
        own = {Items: tuple, ListRef: list, Range: range, Closure: type(lambda: None)}.get(type(value))
    if own is None:
        return frame.error(node, f"isinstance of {describe(value)} is not supported")
    return Const(issubclass(own, tuple(wanted)))


def _isinstance_of_number(frame: Frame, value: Num, classes: tuple[type, ...]) -> Abstract:
    """Told by a flag where it depends on whose the number is."""
    own: tuple[type, type] = {"f": (float, np.float64), "i": (int, np.int64), "b": (bool, np.bool_)}[value.type.kind]
    python, numpy = (issubclass(c, classes) for c in (own[0], np.float32 if value.type == F32 else own[1]))
    if value.kind.mixed and python != numpy:
        whose = flag(frame, value.kind)
        return Num(whose if python else frame.emit("not", whose))
    return Const(numpy if value.kind.numpy else python)


@builtin(tuple, 0, 1, samples=("(1.0, a)",), about="a tuple of the items")
def _tuple(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    items = _all_items(frame, node, args)
    return POISON if items is None else Items(items)


@builtin(list, 0, 1, samples=("(1.0, a)",), about="a list of the items")
def _list(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    items = _all_items(frame, node, args)
    return POISON if items is None else list_literal(frame, node, items)


def _all_items(frame: Frame, node: ast.Call, args: list[Abstract]) -> tuple[Abstract, ...] | None:
    if not args:
        return ()
    stream = stream_of(frame, node, args[0])
    if stream is None:
        return None
    length = static_length(frame, stream)
    if length is None:
        frame.error(node, "the length is not known while compiling", "use a NumPy array")
        return None
    return tuple(stream.item(Const(k)) for k in range(length))


@builtin(divmod, 2, 2, samples=("a, 0.3", "7, k"), about="quotient and remainder")
def _divmod(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return Items((binary(frame, node, ast.FloorDiv, *args), binary(frame, node, ast.Mod, *args)))


@builtin(pow, 2, 3, samples=("a, 2", "a, 0.5"), about="`x ** y`")
def _pow(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if len(args) == 3:
        return frame.error(node, "pow with a modulus is not supported", "write (x ** n) % m")
    return binary(frame, node, ast.Pow, args[0], args[1])


# Registered for its refusal, which says more than that of an unknown function.
def _print(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return frame.error(
        node, "print is not supported", "return the value, or store it into an array, and print it outside"
    )


register(print, _print, "", ())


@builtin(math.prod, samples=("(2.0, a)",), about="the product of items")
def _product(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    length = static_length(frame, args[0])
    stream = stream_of(frame, node, args[0])
    if stream is None:
        return POISON
    if length is None or length > 64:
        return frame.error(node, f"{ast.unparse(node.func)} over a length that is not known", "write a loop")
    total: Abstract = Const(1)
    for k in range(length):
        total = binary(frame, node, ast.Mult, total, stream.item(Const(k)))
    return total
