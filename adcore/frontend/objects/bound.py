"""Functions that hold values: methods of objects, and partials."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adcore.frontend.values.abstract import Abstract, BoundMethod, Items, OutsideDict, PartialCall
from adcore.signature import ArgType, StaticArg


def bound_function(parts: Mapping[str, ArgType], build: Callable[[ArgType], Abstract]) -> Abstract:
    """One that a call is given, from the kinds of what it is made of; `build` makes their values, in order."""
    made = {name: build(part) for name, part in parts.items()}
    if "__self__" in made:
        function = parts["__func__"]
        assert isinstance(function, StaticArg)
        return BoundMethod(made["__self__"], function.value)
    keywords = made["keywords"]
    named: tuple[tuple[str, Abstract], ...] = ()
    if isinstance(keywords, OutsideDict):
        named = tuple((str(key), keywords.value(k)) for k, key in enumerate(keywords.keys))
    return PartialCall(made["func"], items_of(made["args"]), named)


def items_of(value: Abstract) -> tuple[Abstract, ...]:
    """The arguments of a partial, which stand in a tuple."""
    assert isinstance(value, Items)
    return value.items
