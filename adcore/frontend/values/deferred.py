"""Texts and exceptions that hold numbers of the run: described, so that Python makes them after the call."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    Constant,
    DeferredText,
    DictRef,
    ExceptionValue,
    Items,
    ListRef,
    Num,
    OutsideDict,
    Poison,
)
from adcore.frontend.values.containers.dicts import keys_of, values_of
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.ir.core import Value
from adcore.ir.exceptions import OPERATIONS, Deferred, FaultDetail, Raising

NO_ARRAYS = "name its elements, its shape, or a number that is made of it"


def is_text(value: Abstract) -> bool:
    return isinstance(value, DeferredText) or (isinstance(value, Constant) and isinstance(value.value, str))


def text(operation: str, *items: Abstract) -> Abstract:
    """What an operation of texts gives; Python computes it now if everything is known."""
    if all(isinstance(item, Constant) for item in items):
        return Constant(OPERATIONS[operation](*(item.value for item in items if isinstance(item, Constant))))
    return DeferredText(operation, items)


class Description:
    """Values as descriptions, and the numbers of the run that these refer to."""

    def __init__(self, scope: FunctionScope, node: ast.AST) -> None:
        self.scope, self.node = scope, node
        self.numbers: list[Value] = []
        self.kinds: list[tuple[str, bool]] = []
        self.sound = True

    def of(self, value: Abstract) -> Any:
        scope = self.scope
        if isinstance(value, Constant):
            return value.value
        if isinstance(value, Num):
            return self._number(value)
        if isinstance(value, (Items, ListRef)):
            items = tuple(map(self.of, static_items(scope, value)))
            return Deferred("tuple" if isinstance(value, Items) else "list", items)
        if isinstance(value, (DictRef, OutsideDict)):
            values = tuple(self.of(item()) for item in values_of(scope, value).values())
            return Deferred("dict", (keys_of(scope, value), Deferred("tuple", values)))
        if isinstance(value, DeferredText):
            return Deferred(value.operation, tuple(map(self.of, value.items)))
        if not isinstance(value, Poison):
            scope.error(self.node, f"{describe(value)} can't stand in a text, an exception or a message", NO_ARRAYS)
        self.sound = False
        return None

    def _number(self, value: Num) -> FaultDetail:
        known = [k for k, number in enumerate(self.numbers) if number is value.value]
        for k in known:
            if self.kinds[k] == (value.type.name, not value.weak.never):
                return FaultDetail(k)
        self.numbers.append(value.value)
        self.kinds.append((value.type.name, not value.weak.never))
        return FaultDetail(len(self.numbers) - 1)


def raise_unless(scope: FunctionScope, node: ast.AST, ok: Value, error: ExceptionValue, quiet: bool = False) -> None:
    """Raise `error` at run time unless `ok`."""
    described = Description(scope, node)
    args = tuple(map(described.of, error.args))
    keywords = tuple((name, described.of(value)) for name, value in error.keywords)
    if not described.sound:
        return
    raising = Raising(error.cls, args, keywords, tuple(described.kinds), quiet)
    attributes = {"error": error.cls.__name__, "message": "", "raising": raising}
    scope.fail_unless(ok, described.numbers, attributes)


def plain_text(values: Sequence[Abstract]) -> str | None:
    """The text of an exception that is called with one constant text; empty where it is called with nothing."""
    if not values:
        return ""
    (first, *others) = values
    if others or not isinstance(first, Constant) or type(first.value) is not str or not first.value:
        return None
    return first.value.replace("{", "{{").replace("}", "}}")
