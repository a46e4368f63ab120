"""`Class(...)`: objects that the program makes: cells of the state, which cost nothing unless they are returned."""

from __future__ import annotations

import ast
import inspect
import types

from adcore.frontend.objects.attributes import watch
from adcore.frontend.objects.slots import new_object
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, Abstract, BoundMethod, Poison
from adcore.instances import HEAP_TYPE, NO_OBJECTS, class_entry


def construct_object(
    scope: FunctionScope, node: ast.AST, cls: type, positional: list[Abstract], keywords: dict[str, Abstract]
) -> Abstract:
    """An instance of a class that is no record."""
    reason = _not_constructible(cls)
    if reason is not None:
        return scope.error(node, *reason)
    made = new_object(scope, cls)
    initial = class_entry(cls, "__init__")
    watch(scope, cls, "__init__", initial)
    if initial is object.__init__:
        if positional or keywords:
            return scope.error(node, f"{cls.__name__}() takes no arguments", "give it an `__init__`")
        return made
    result = scope.session.syntax.call(scope, node, BoundMethod(made, initial), tuple(positional), keywords)
    return POISON if isinstance(result, Poison) else made


def _not_constructible(cls: type) -> tuple[str, str] | None:
    """Why no instances of a class can be made here, and what to do."""
    name = f"{cls.__module__}.{cls.__name__}".removeprefix("builtins.")
    if not cls.__flags__ & HEAP_TYPE or issubclass(cls, NO_OBJECTS):
        return (
            f"{name} is not supported",
            "write it out with loops, arithmetic and the supported functions of math and NumPy",
        )
    if class_entry(cls, "__new__") is not object.__new__:
        return f"{cls.__name__} defines `__new__`: what making one gives is not known", "do it in `__init__`"
    if class_entry(type(cls), "__call__") is not type.__call__:
        return f"the metaclass of {cls.__name__} defines `__call__`", "make the object outside and pass it"
    if inspect.isabstract(cls):
        return f"{cls.__name__} is abstract", "make an instance of a subclass"
    if not isinstance(class_entry(cls, "__init__"), types.FunctionType) and (
        class_entry(cls, "__init__") is not object.__init__
    ):
        return f"the `__init__` of {cls.__name__} is not written in Python", "make the object outside and pass it"
    return None
