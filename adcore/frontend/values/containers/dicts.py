"""Dicts: keys are known while compiling, so that a dict is its values one by one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, Constant, DictRef, Items, OutsideDict

MISSING = object()

UNKNOWN_KEY = ("the keys of a dict must be known while compiling", "use constants as keys, or arrays and subscripts")


def is_dict(value: Abstract) -> bool:
    return isinstance(value, (DictRef, OutsideDict))


def new_dict(scope: FunctionScope, values: Mapping[Any, Abstract]) -> DictRef:
    """A dict that the program makes."""
    cell = scope.session.new_cell()
    scope.state.cells[cell] = (Constant(tuple(values)), *values.values())
    return DictRef(cell)


def keys_of(scope: FunctionScope, owner: DictRef | OutsideDict) -> tuple[Any, ...]:
    if isinstance(owner, OutsideDict):
        return owner.keys
    keys = scope.state.cells[owner.cell][0]
    return keys.value if isinstance(keys, Constant) else ()


def values_of(scope: FunctionScope, owner: DictRef | OutsideDict) -> dict[Any, Callable[[], Abstract]]:
    """The values by key; those of a dict from outside are looked at when they are asked for."""
    if isinstance(owner, OutsideDict):
        return {key: (lambda k=k: owner.value(k)) for k, key in enumerate(owner.keys)}  # type: ignore[misc]
    _, *values = scope.state.cells[owner.cell]
    return {key: (lambda v=v: v) for key, v in zip(keys_of(scope, owner), values, strict=False)}  # type: ignore[misc]


def key_of(value: Abstract) -> Any:
    """The key that a value is, `MISSING` if it is not known while compiling or can't be a key."""
    if isinstance(value, Items):
        parts = tuple(map(key_of, value.items))
        return MISSING if any(part is MISSING for part in parts) else parts
    if not isinstance(value, Constant):
        return MISSING
    try:
        hash(value.value)
    except TypeError:
        return MISSING
    return value.value


def as_abstract(key: Any) -> Abstract:
    """A key as a value."""
    return Items(tuple(map(as_abstract, key))) if type(key) is tuple else Constant(key)


def changed(scope: FunctionScope, node: ast.AST, owner: DictRef, values: Mapping[Any, Abstract]) -> None:
    """`owner` with other keys or values."""
    if owner.cell in scope.session.shared:
        scope.error(
            node,
            "a dict is changed that, on some paths only, is one dict with another",
            "give the new dict a name of its own",
        )
    old = scope.state.cells[owner.cell][0]
    same = isinstance(old, Constant) and old.value == tuple(values)
    scope.state.cells[owner.cell] = (old if same else Constant(tuple(values)), *values.values())


def store_at(scope: FunctionScope, node: ast.AST, owner: Abstract, part: Abstract, value: Abstract) -> None:
    """`owner[part] = value`."""
    if not isinstance(owner, DictRef):
        scope.error(node, "a dict from outside the function can't be changed", "make a new one: {**d, key: value}")
        return
    key = key_of(part)
    if key is MISSING:
        scope.error(node, *UNKNOWN_KEY)
        return
    values = {k: v() for k, v in values_of(scope, owner).items()}
    changed(scope, node, owner, {**values, key: in_memory(scope, node, value)})
