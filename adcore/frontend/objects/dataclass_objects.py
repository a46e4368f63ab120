"""Dataclasses whose instances are objects, made as their generated `__init__` makes them, and `dataclasses.replace`.

An instance of a dataclass is a value, field by field, as long as a program assigns none of its fields and its class
runs no code when it is made: most are, and lists of them are columns. Once something is found that depends on which
instance it is, the class is noted, and the program is compiled again with all its instances as objects.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
from typing import Any

from adcore.frontend.objects.attributes import call_function, object_attribute, store_attribute, watch
from adcore.frontend.objects.slots import new_object, put, write_slot
from adcore.frontend.python.calls import Arguments, called, construct
from adcore.frontend.python.globals_and_closures import from_python
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import NONE, Abstract, Constant, ObjectRef, Poison, Record
from adcore.frontend.values.describe import describe
from adcore.instances import class_entry, is_dataclass_type, is_slot


@called(dataclasses.dataclass)
def construct_dataclass(scope: FunctionScope, node: ast.Call, cls: type, arguments: Arguments) -> Abstract:
    """`Class(...)` by the `__init__` that `dataclass` has generated: fields in order, then `__post_init__`."""
    scope.session.speculation.needs_objects(cls)
    watch(scope, cls, "__init__", class_entry(cls, "__init__"))
    given = _given(scope, node, cls, arguments.positional, arguments.keywords)
    if given is None:
        return Poison()
    made = new_object(scope, cls)
    for field in dataclasses.fields(cls):
        value = given.pop(field.name, None)
        if value is None:
            value = _initial(scope, node, cls, field)
        if value is not None:
            _put(scope, made, field.name, value)
    after = class_entry(cls, "__post_init__")
    if isinstance(after, types.FunctionType):
        watch(scope, cls, "__post_init__", after)
        # What is left are the fields that are no more than parameters, in their order.
        call_function(scope, node, after, made, *given.values())
    return made


def _put(scope: FunctionScope, made: ObjectRef, name: str, value: Abstract) -> None:
    if name in scope.session.instances.slots[made.cell]:
        put(scope, made, name, value)
    else:
        scope.session.speculation.assigns(made.cls, name)


def _given(
    scope: FunctionScope, node: ast.AST, cls: type, positional: list[Abstract], keywords: dict[str, Abstract]
) -> dict[str, Abstract] | None:
    """The parameters of the generated `__init__` that are given, and those that are no fields."""
    parameters = list(inspect.signature(getattr(cls, "__init__")).parameters.values())[1:]  # noqa: B009
    names = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    fields = {field.name for field in dataclasses.fields(cls)}
    values = {**dict(zip(names, positional, strict=False)), **keywords}
    known = {p.name for p in parameters}
    if len(positional) > len(names) or len(positional) + len(keywords) != len(values) or set(values) - known:
        scope.error(node, f"{cls.__name__} has the fields {', '.join(p.name for p in parameters)}")
        return None
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in values]
    if missing:
        scope.error(node, f"{cls.__name__} is made without `{'`, `'.join(missing)}`")
        return None
    found = {}
    for p in parameters:
        if p.name in values:
            found[p.name] = values[p.name]
        elif p.name not in fields:
            found[p.name] = _default(scope, node, cls, p.name, p.default)
    return found


def _initial(scope: FunctionScope, node: ast.Call, cls: type, field: dataclasses.Field[Any]) -> Abstract | None:
    """What a field that is not given starts with; None where the class's attribute stands in for it."""
    if field.default_factory is not dataclasses.MISSING:
        return scope.apply(node, Constant(field.default_factory), [])
    if field.default is dataclasses.MISSING or not (field.init or is_slot(cls, field.name)):
        return None
    return _default(scope, node, cls, field.name, field.default)


def _default(scope: FunctionScope, node: ast.AST, cls: type, name: str, value: Any) -> Abstract:
    def now() -> Any:
        return getattr(cls, "__dataclass_fields__")[name].default  # noqa: B009

    return from_python(scope, node, value, f"{cls.__name__}.{name}", now, (id(cls), "default", name))


@called(dataclasses.replace)
def _replace(scope: FunctionScope, node: ast.AST, function: Any, arguments: Arguments) -> Abstract:
    """`dataclasses.replace(owner, **changes)`: a new one, whose `__init__` gets the other fields as they are."""
    if len(arguments.positional) != 1:
        return scope.error(node, "replace takes one instance of a dataclass, and fields by name")
    (owner,) = arguments.positional
    if not isinstance(owner, (ObjectRef, Record)) or not is_dataclass_type(owner.cls):
        return scope.error(node, f"replace of {describe(owner)} is not supported", "give it an instance of a dataclass")
    fixed = [field.name for field in dataclasses.fields(owner.cls) if not field.init]
    wrong = next((name for name in arguments.keywords if name in fixed), None)
    if wrong is not None:
        return scope.error(node, f"the field `{wrong}` is declared with init=False: replace() can't set it")
    given = dict(arguments.keywords)
    for field in dataclasses.fields(owner.cls):
        if field.init and field.name not in given:
            given[field.name] = _field(scope, node, owner, field.name)
    assert isinstance(node, ast.Call)
    return construct(scope, node, owner.cls, Arguments([], given))


def _field(scope: FunctionScope, node: ast.AST, owner: ObjectRef | Record, name: str) -> Abstract:
    return dict(owner.fields)[name] if isinstance(owner, Record) else object_attribute(scope, node, owner, name)


@called(setattr)
@called(object.__setattr__)
def _set_attribute(scope: FunctionScope, node: ast.AST, function: Any, arguments: Arguments) -> Abstract:
    """`setattr(owner, "name", value)`, and that of `object`, which frozen dataclasses use when they are made."""
    if len(arguments.positional) != 3 or arguments.keywords:
        return scope.error(node, "setattr takes an object, a name and a value")
    owner, name, value = arguments.positional
    if not isinstance(name, Constant) or not isinstance(name.value, str):
        return scope.error(node, "the name of an attribute must be known while compiling")
    if function is setattr:
        store_attribute(scope, node, owner, name.value, value)
    elif isinstance(owner, ObjectRef):
        write_slot(scope, node, owner, name.value, value, past_the_class=True)
    elif isinstance(owner, Record) and is_dataclass_type(owner.cls):
        scope.session.speculation.needs_objects(owner.cls)
    elif not isinstance(owner, Poison):
        return scope.error(node, f"the attribute `{name.value}` of {describe(owner)} can't be assigned")
    return NONE


__all__ = ["construct_dataclass"]
