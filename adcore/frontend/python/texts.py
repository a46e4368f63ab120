"""Strings: constants, of which Python itself computes whatever is asked, and texts with numbers of the run in them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from adcore.frontend.python.dispatch import expression
from adcore.frontend.python.functions.builtin import builtin
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, Constant, DeferredText, DictRef, Items, Poison, SubscriptSlice
from adcore.frontend.values.containers.dicts import key_of, new_dict
from adcore.frontend.values.deferred import is_text, text
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.scalars import folded

CONVERSIONS = {ord("s"): "str", ord("r"): "repr", ord("a"): "ascii"}


@expression(ast.JoinedStr)
def _formatted(scope: FunctionScope, node: ast.JoinedStr) -> Abstract:
    """`f"{v:.3f} of {n!r}"`."""
    return text("join", *(scope.evaluate(part) for part in node.values))


@expression(ast.FormattedValue)
def _part(scope: FunctionScope, node: ast.FormattedValue) -> Abstract:
    value = scope.evaluate(node.value)
    if isinstance(value, Poison):
        return value
    if node.conversion in CONVERSIONS:
        value = text(CONVERSIONS[node.conversion], value)
    spec = Constant("") if node.format_spec is None else scope.evaluate(node.format_spec)
    return text("format", value, spec)


@builtin(str, 0, 1, samples=(), about="")
def _str(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return text("str", args[0]) if args else Constant("")


@builtin(repr, samples=(), about="")
def _repr(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return text("repr", args[0])


@builtin(format, 1, 2, samples=(), about="")
def _format(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return text("format", args[0], args[1] if len(args) > 1 else Constant(""))


def text_operation(
    scope: FunctionScope, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract
) -> Abstract | None:
    """`a OP b` where one of them is a text; None where that is no operation of texts."""
    if kind is ast.Mod and is_text(a):
        if isinstance(b, Constant) or isinstance(a, DeferredText) or not isinstance(b, (Items, DictRef)):
            return text("percent", a, b)
        values = [item.value for item in b.items if isinstance(item, Constant)] if isinstance(b, Items) else []
        if isinstance(b, Items) and len(values) == len(b.items):
            return folded(scope, node, lambda left: left % tuple(values), a)
        return DeferredText("percent", (a, b))
    if kind is ast.Add and is_text(a) and is_text(b):
        return text("add", a, b)
    if kind is ast.Mult and isinstance(a, Constant) and isinstance(b, Constant):
        return folded(scope, node, lambda left, right: left * right, a, b)
    return None


def text_subscript(scope: FunctionScope, node: ast.AST, owner: Constant, part: Abstract) -> Abstract:
    """`name[0]`, `name[1:3]` of a constant."""
    bounds = [part.lo, part.hi, part.step] if isinstance(part, SubscriptSlice) else [part]
    if not all(isinstance(bound, Constant) for bound in bounds):
        return scope.error(node, "a subscript of a text must be known while compiling")
    known = [bound.value for bound in bounds if isinstance(bound, Constant)]
    index: Any = slice(*known) if isinstance(part, SubscriptSlice) else known[0]
    return folded(scope, node, lambda value: value[index], owner)


def text_method(
    scope: FunctionScope,
    node: ast.Call,
    owner: Abstract,
    name: str,
    args: list[Abstract],
    named: Mapping[str, Abstract],
) -> Abstract:
    """A method of a text: computed now, or for `format` and `join` after the call."""
    known = [_known(scope, value) for value in args]
    keywords = {key: _known(scope, value) for key, value in named.items()}
    unknown = [value for value in (*known, *keywords.values()) if value is _UNKNOWN]
    if isinstance(owner, Constant) and not unknown:
        return _of_python(
            scope, node, folded(scope, node, lambda value: getattr(value, name)(*known, **keywords), owner)
        )
    if name in ("format", "join"):
        pairs = Constant(()) if not named else new_dict(scope, named)
        return DeferredText("method", (owner, Constant(name), Items(tuple(args)), pairs))
    what = describe(next(iter(args), owner))
    return scope.error(node, f"str.{name} of {what}, which is not known while compiling", "use a constant text")


_UNKNOWN = object()


def _known(scope: FunctionScope, value: Abstract) -> Any:
    if isinstance(value, Constant):
        return value.value
    found = key_of(value) if isinstance(value, Items) else _UNKNOWN
    return found if isinstance(found, tuple) else _UNKNOWN


def _of_python(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """What a method of a constant gives: lists and tuples of texts, too."""
    if isinstance(value, Constant) and isinstance(value.value, (list, tuple)):
        items = tuple(map(Constant, value.value))
        return scope.new_list(items, scope.span(node)) if isinstance(value.value, list) else Items(items)
    return value
