"""Dicts in expressions, subscripts and calls; their keys are known while compiling."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from adcore.frontend.liveness import bound_names
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.python.control.branches import choose
from adcore.frontend.python.dispatch import expression
from adcore.frontend.python.targets import assign
from adcore.frontend.session import FunctionScope, as_static_int, comprehension_scope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    Constant,
    DictRef,
    Items,
    Num,
    OutsideDict,
    Poison,
    is_number,
)
from adcore.frontend.values.containers.dicts import (
    MISSING,
    UNKNOWN_KEY,
    as_abstract,
    changed,
    is_dict,
    key_of,
    keys_of,
    new_dict,
    store_at,
    values_of,
)
from adcore.frontend.values.containers.iterables import consume, iterable_of
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.scalars import compare, fail

MOST_CHOICES = 16
"""Keys of a dict that is read at a number which only a run knows: one comparison each."""


@expression(ast.Dict)
def _dict(scope: FunctionScope, node: ast.Dict) -> Abstract:
    """`{"a": x, **others}`: keys and values in order, each once."""
    values: dict[Any, Abstract] = {}
    sound = True
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        key = scope.evaluate(key_node) if key_node is not None else None
        value = in_memory(scope, value_node, scope.evaluate(value_node))
        if key is None:
            sound = add_all(scope, value_node, values, value) and sound
        else:
            sound = _add(scope, key_node or node, values, key, value) and sound
    return new_dict(scope, values) if sound else POISON


def _add(scope: FunctionScope, node: ast.AST, values: dict[Any, Abstract], key: Abstract, value: Abstract) -> bool:
    known = key_of(key)
    if known is MISSING:
        if not isinstance(key, Poison):
            scope.error(node, *UNKNOWN_KEY)
        return False
    values[known] = value
    return True


def add_all(scope: FunctionScope, node: ast.AST, values: dict[Any, Abstract], source: Abstract) -> bool:
    """`{**source}`; whether `source` is a dict."""
    if isinstance(source, (DictRef, OutsideDict)):
        values.update((key, value()) for key, value in values_of(scope, source).items())
        return True
    if not isinstance(source, Poison):
        scope.error(node, f"{describe(source)} is not a dict, and `**` takes one")
    return False


@expression(ast.DictComp)
def _comprehension(scope: FunctionScope, node: ast.DictComp) -> Abstract:
    """`{key: value for target in iterable if condition}`: item by item, as the keys have to be known."""
    names = bound_names(generator.target for generator in node.generators)
    inner = comprehension_scope(scope, names)
    values: dict[Any, Abstract] = {}
    sound = _generate(inner, node, 0, values)
    scope.state.cells, scope.state.dead = inner.state.cells, inner.state.dead
    return new_dict(scope, values) if sound else POISON


def _generate(scope: FunctionScope, node: ast.DictComp, depth: int, values: dict[Any, Abstract]) -> bool:
    if depth == len(node.generators):
        key, value = scope.evaluate(node.key), in_memory(scope, node.value, scope.evaluate(node.value))
        return _add(scope, node.key, values, key, value)
    generator = node.generators[depth]
    iterable = iterable_of(scope, generator.iter, consume(scope, generator.iter, scope.evaluate(generator.iter)))
    length = None if iterable is None else as_static_int(iterable.length)
    if iterable is None or length is None:
        if iterable is not None:
            scope.error(generator.iter, *UNKNOWN_KEY)
        return False
    for k in range(length):
        assign(scope, generator.target, iterable.item(Constant(k)))
        tests = [condition(scope, test, scope.evaluate(test)) for test in generator.ifs]
        if not all(isinstance(test, Constant) for test in tests):
            scope.error(generator.ifs[0], *UNKNOWN_KEY)
            return False
        if all(isinstance(test, Constant) and test.value for test in tests) and not _generate(
            scope, node, depth + 1, values
        ):
            return False
    return True


# Reading and storing --------------------------------------------------------------------------------------------------


def dict_item(
    scope: FunctionScope,
    node: ast.AST,
    owner: DictRef | OutsideDict,
    part: Abstract,
    default: Callable[[], Abstract] | None = None,
) -> Abstract:
    """`owner[part]`, or `default()` where there is no such key (None: KeyError)."""
    values = values_of(scope, owner)
    key = key_of(part)
    if key is not MISSING:
        if key in values:
            return values[key]()
        return default() if default is not None else _missing(scope, repr(key))
    if not isinstance(part, Num) or len(values) > MOST_CHOICES or not all(map(is_number, values)):
        if isinstance(part, Poison):
            return POISON
        return scope.error(node, f"a dict is read at a key that is not known while compiling: {describe(part)}",
                           UNKNOWN_KEY[1])  # fmt: skip
    return _chosen(scope, node, list(values.items()), part, default)


def _chosen(
    scope: FunctionScope,
    node: ast.AST,
    values: list[tuple[Any, Callable[[], Abstract]]],
    key: Num,
    default: Callable[[], Abstract] | None,
) -> Abstract:
    """The value at a number that only a run knows."""
    if not values:
        return default() if default is not None else _missing(scope, "the key")
    (first, value), *others = values
    here = compare(scope, node, ast.Eq, key, Constant(first))
    if len(values) == 1 and default is None:
        scope.check(condition_value(scope, here), "KeyError", "{0}", key.value)
        return value()
    return choose(scope, here, value, lambda: _chosen(scope, node, others, key, default))


def condition_value(scope: FunctionScope, flag: Abstract) -> Any:
    """A truth as an IR value."""
    return flag.value if isinstance(flag, Num) else scope.const(bool(flag.value))  # type: ignore[union-attr]


def _missing(scope: FunctionScope, key: str) -> Abstract:
    fail(scope, "KeyError", key.replace("{", "{{").replace("}", "}}"))
    return POISON


def has_key(scope: FunctionScope, node: ast.AST, owner: DictRef | OutsideDict, part: Abstract) -> Abstract:
    """`part in owner`."""
    key = key_of(part)
    if key is MISSING:
        return scope.error(node, *UNKNOWN_KEY)
    return Constant(key in keys_of(scope, owner))


def delete_at(scope: FunctionScope, node: ast.AST, owner: Abstract, part: Abstract) -> None:
    """`del owner[part]`."""
    if not isinstance(owner, DictRef):
        scope.error(node, "a dict from outside the function can't be changed", "make a copy first: dict(d)")
        return
    _popped(scope, node, owner, part, None)


def _popped(
    scope: FunctionScope, node: ast.AST, owner: DictRef, part: Abstract, default: Callable[[], Abstract] | None
) -> Abstract:
    key = key_of(part)
    if key is MISSING:
        return scope.error(node, *UNKNOWN_KEY)
    values = {k: v() for k, v in values_of(scope, owner).items()}
    if key not in values:
        return default() if default is not None else _missing(scope, repr(key))
    taken = values.pop(key)
    changed(scope, node, owner, values)
    return taken


# Methods --------------------------------------------------------------------------------------------------------------

DictMethodRule = Callable[[FunctionScope, ast.Call, Any, list[Abstract]], Abstract]


def _get(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    return dict_item(scope, node, owner, args[0], lambda: args[1] if len(args) > 1 else NONE)


def _keys(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    return Items(tuple(map(as_abstract, keys_of(scope, owner))))


def _values(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    return Items(tuple(value() for value in values_of(scope, owner).values()))


def _items(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    return Items(tuple(Items((as_abstract(key), value())) for key, value in values_of(scope, owner).items()))


def _copy(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    return new_dict(scope, {key: value() for key, value in values_of(scope, owner).items()})


def _pop(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    if not isinstance(owner, DictRef):
        return scope.error(node, "a dict from outside the function can't be changed", "make a copy first: dict(d)")
    default = args[1] if len(args) > 1 else None
    return _popped(scope, node, owner, args[0], None if default is None else lambda: default)


def _setdefault(scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract]) -> Abstract:
    if key_of(args[0]) not in keys_of(scope, owner):
        store_at(scope, node, owner, args[0], args[1] if len(args) > 1 else NONE)
    return dict_item(scope, node, owner, args[0])


METHODS: dict[str, tuple[int, int, DictMethodRule]] = {
    "get": (1, 2, _get), "keys": (0, 0, _keys), "values": (0, 0, _values), "items": (0, 0, _items),
    "copy": (0, 0, _copy), "pop": (1, 2, _pop), "setdefault": (1, 2, _setdefault),
}  # fmt: skip
"""Methods of dicts: the fewest and the most arguments, and what compiles them. `update` takes keywords, too."""

NAMES = frozenset({*METHODS, "update"})


def dict_method(
    scope: FunctionScope, node: ast.Call, owner: Any, name: str, args: list[Abstract], named: Mapping[str, Abstract]
) -> Abstract:
    """`owner.name(...)`."""
    if name == "update":
        return _update(scope, node, owner, args, named)
    least, most, rule = METHODS[name]
    if named or not least <= len(args) <= most:
        return scope.error(node, f"dict.{name} does not take these arguments")
    return rule(scope, node, owner, args)


def _update(
    scope: FunctionScope, node: ast.Call, owner: Any, args: list[Abstract], named: Mapping[str, Abstract]
) -> Abstract:
    if not isinstance(owner, DictRef):
        return scope.error(node, "a dict from outside the function can't be changed", "make a new one: {**d, **more}")
    values = {key: value() for key, value in values_of(scope, owner).items()}
    if not filled(scope, node, values, args, named):
        return POISON
    changed(scope, node, owner, values)
    return NONE


def filled(
    scope: FunctionScope,
    node: ast.Call,
    values: dict[Any, Abstract],
    args: list[Abstract],
    named: Mapping[str, Abstract],
) -> bool:
    """What `dict(...)` and `update(...)` take: a dict, or pairs of keys and values, and keywords."""
    for source in args:
        if is_dict(source):
            add_all(scope, node, values, source)
            continue
        iterable = iterable_of(scope, node, source)
        length = None if iterable is None else as_static_int(iterable.length)
        if iterable is None or length is None:
            if iterable is not None:
                scope.error(node, *UNKNOWN_KEY)
            return False
        for k in range(length):
            pair = iterable.item(Constant(k))
            if not isinstance(pair, Items) or len(pair.items) != 2:
                scope.error(node, "a dict is made of a dict, or of pairs of keys and values")
                return False
            if not _add(scope, node, values, pair.items[0], pair.items[1]):
                return False
    values.update(named)
    return True
