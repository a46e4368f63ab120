"""Builtins that run a loop of their own: `any`, `all`, `sum` with a condition, `functools.reduce`, `map`, `sorted`."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable

from adcore.frontend.python.containers.ordering import LONGEST_SORTED, in_order
from adcore.frontend.python.control.branches import branch
from adcore.frontend.python.control.loop_phis import loop
from adcore.frontend.python.functions.builtin import builtin
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    FALSE,
    NONE,
    POISON,
    TRUE,
    Abstract,
    Constant,
    FilteredValues,
    Items,
    IterableValue,
    Num,
)
from adcore.frontend.values.containers.iterables import iterable_of, zipped
from adcore.frontend.values.containers.lengths import items_of
from adcore.frontend.values.containers.lists import list_literal
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import compare, fail
from adcore.ir.types import BOOL, I64

MOST_UNROLLED_ITEMS = 64

Each = Callable[[Abstract, Callable[[Abstract], None]], None]


def _parts(scope: FunctionScope, node: ast.Call, value: Abstract) -> tuple[Abstract, Each] | None:
    """What is run over: how many steps, and what each of them gives."""
    if isinstance(value, FilteredValues):
        return value.length, value.each
    iterable = iterable_of(scope, node, value)
    if iterable is None:
        return None
    found = iterable
    return found.length, lambda k, use: use(found.item(k))


def _run(
    scope: FunctionScope, node: ast.Call, value: Abstract, start: Abstract, step: Callable[[Abstract, Abstract], None]
) -> Abstract:
    """A loop over `value` with one carried value: `step(carried, item)` sets it by `_set`, and may `break`."""
    parts = _parts(scope, node, value)
    if parts is None:
        return POISON
    length, each = parts
    name = f"$carried {node.lineno}:{node.col_offset}"
    outer = scope.state.locals.get(name)
    scope.state.locals[name] = start

    def one(k: Abstract) -> None:
        each(k, lambda item: step(scope.state.locals[name], item))

    static = as_static_int(length)
    if static is not None and static <= MOST_UNROLLED_ITEMS:
        _unrolled(scope, one, 0, static)
    else:
        size = materialise(scope, length, I64)
        names = frozenset([name])
        head = names | frozenset(scope.state.locals)
        loop(scope, names, head, (), None, lambda k: Num(scope.emit("lt", k, size)), lambda k: one(Num(k)), True)
    scope.state.breaks = FALSE
    result = scope.state.locals.pop(name)
    if outer is not None:
        scope.state.locals[name] = outer
    return result


def _unrolled(scope: FunctionScope, one: Callable[[Abstract], None], k: int, length: int) -> None:
    """Step by step; the others only if none before was the last."""
    if k == length or scope.state.dead:
        return
    one(Constant(k))
    stopped = scope.state.breaks
    if isinstance(stopped, Num):

        def going_on() -> None:
            scope.state.breaks = FALSE
            _unrolled(scope, one, k + 1, length)

        branch(scope, stopped.value, lambda: None, going_on)
    elif not (isinstance(stopped, Constant) and stopped.value):
        _unrolled(scope, one, k + 1, length)


def _set(scope: FunctionScope, node: ast.Call, value: Abstract) -> None:
    scope.state.locals[f"$carried {node.lineno}:{node.col_offset}"] = value


def _search(wanted: bool) -> Callable[[FunctionScope, ast.Call, list[Abstract], dict[str, Abstract]], Abstract]:
    def rule(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        def found() -> None:
            _set(scope, node, Constant(wanted))
            scope.state.breaks = TRUE

        def step(carried: Abstract, item: Abstract) -> None:
            flag = condition(scope, node, item)
            if isinstance(flag, Constant):
                if bool(flag.value) == wanted:
                    found()
            elif wanted:
                branch(scope, flag.value, found, lambda: None)
            else:
                branch(scope, flag.value, lambda: None, found)

        return _run(scope, node, args[0], Constant(not wanted), step)

    return rule


builtin(any, samples=("[v > 0.5 for v in x]",), about="whether one item is true")(_search(True))
builtin(all, samples=("[v > 0.5 for v in x]",), about="whether every item is true")(_search(False))


def filtered_sum(
    scope: FunctionScope,
    node: ast.Call,
    value: FilteredValues,
    start: Abstract,
    add: Callable[[Abstract, Abstract], Abstract],
) -> Abstract:
    """`sum(item for ... if condition)`."""
    return _run(scope, node, value, start, lambda total, item: _set(scope, node, add(total, item)))


@builtin(functools.reduce, 2, 3, samples=(), about="")
def _reduce(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    function, value, *starts = args
    iterable = iterable_of(scope, node, value)
    if iterable is None:
        return POISON
    rest = iterable
    if starts:
        start = starts[0]
    else:
        known = as_static_int(iterable.length)
        if known == 0:
            fail(scope, *python_message(functools.reduce, lambda a, b: a, []))
            return POISON
        if known is None:
            nonempty = compare(scope, node, ast.Gt, iterable.length, Constant(0))
            scope.check(materialise(scope, nonempty, BOOL), *python_message(functools.reduce, lambda a, b: a, []))
        start = iterable.item(Constant(0))
        source = iterable
        rest = IterableValue(_minus_one(scope, iterable.length), lambda k: source.item(_plus_one(scope, k)), "items",
                             iterable.mixed)  # fmt: skip
    return _run(scope, node, rest, start, lambda s, item: _set(scope, node, scope.apply(node, function, [s, item])))


def _minus_one(scope: FunctionScope, n: Abstract) -> Abstract:
    known = as_static_int(n)
    if known is not None:
        return Constant(known - 1)
    return Num(scope.emit("sub", materialise(scope, n, I64), scope.const(1), exact=True))


def _plus_one(scope: FunctionScope, k: Abstract) -> Abstract:
    known = as_static_int(k)
    if known is not None:
        return Constant(known + 1)
    return Num(scope.emit("add", materialise(scope, k, I64), scope.const(1), exact=True))


@builtin(map, 2, None, samples=(), about="")
def _map(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    function, *values = args
    iterables = [iterable_of(scope, node, value) for value in values]
    found = [iterable for iterable in iterables if iterable is not None]
    if len(found) < len(iterables):
        return POISON
    pairs = zipped(scope, node, found)

    def item(k: Abstract) -> Abstract:
        together = pairs.item(k)
        assert isinstance(together, Items)
        return scope.apply(node, function, list(together.items))

    return IterableValue(pairs.length, item, "map", pairs.mixed)


@builtin(filter, 2, 2, samples=(), about="")
def _filter(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    function, value = args
    iterable = iterable_of(scope, node, value)
    if iterable is None:
        return POISON
    source = iterable

    def each(k: Abstract, use: Callable[[Abstract], None]) -> None:
        item = source.item(k)
        plain = isinstance(function, Constant) and function.value is None
        flag = condition(scope, node, item if plain else scope.apply(node, function, [item]))
        if isinstance(flag, Num):
            branch(scope, flag.value, lambda: use(item), lambda: None)
        elif flag.value:
            use(item)

    return FilteredValues(source.length, each)


@builtin(sorted, 1, 1, "key", "reverse", samples=("(a, 0.5, 2.0, 0.1)",), about="a list in order")
def _sorted(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    iterable = iterable_of(scope, node, args[0])
    reverse, key = named.get("reverse", FALSE), named.get("key", NONE)
    what = f"sorted takes up to {LONGEST_SORTED} items, of a number that is known while compiling"
    items = items_of(scope, node, iterable, what, "sort outside of the function")
    if items is None:
        return POISON
    if len(items) > LONGEST_SORTED or not isinstance(reverse, Constant):
        return scope.error(node, what, "sort outside of the function")
    found = in_order(scope, node, items, key, bool(reverse.value))
    return POISON if found is None else list_literal(scope, node, tuple(found))
