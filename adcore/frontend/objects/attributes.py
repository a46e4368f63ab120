"""`owner.name` of objects, in Python's order: descriptors that also take assignments, the instance, then its class."""

from __future__ import annotations

import ast
import functools
import types
from typing import Any

from adcore.captures import Capture
from adcore.frontend.objects.slots import cache_name, cached, put, read_slot, write_slot
from adcore.frontend.python.globals_and_closures import from_python
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    BoundMethod,
    Constant,
    ObjectRef,
    Poison,
    Record,
    Super,
)
from adcore.frontend.values.describe import describe
from adcore.instances import MISSING, class_entry, code_of, is_mutable_record, made_up


def class_of(owner: Abstract) -> type:
    """The class of an object or a record."""
    if isinstance(owner, Super):
        return class_of(owner.owner)
    if isinstance(owner, Constant):
        assert isinstance(owner.value, type)
        return owner.value
    assert isinstance(owner, (ObjectRef, Record))
    return owner.cls


def object_attribute(scope: FunctionScope, node: ast.AST, owner: Abstract, name: str) -> Abstract:
    """`owner.name` of an object, of `super()`, or of a record that has no such field."""
    cls = class_of(owner)
    if (method := made_up(cls, "__getattribute__")) is not None:
        return scope.error(
            node, f"{cls.__name__} defines `{method}`: what reading `{name}` gives is not known", "leave it out"
        )
    itself = owner.owner if isinstance(owner, Super) else owner
    entry = class_entry(cls, name, MISSING, owner.after if isinstance(owner, Super) else None)
    if name == "__class__":
        return Constant(cls)
    if _takes_assignments(entry):
        return _described_by(scope, node, itself, cls, name, entry)
    if isinstance(entry, functools.cached_property):
        return _computed_once(scope, node, itself, cls, name, entry)
    if isinstance(owner, ObjectRef) and (found := read_slot(scope, node, owner, name)) is not None:
        return found
    if entry is MISSING or isinstance(entry, types.MemberDescriptorType):
        return _missing(scope, node, cls, name)
    return _class_attribute(scope, node, itself, cls, name, entry)


def _takes_assignments(entry: Any) -> bool:
    """Whether a class's entry is asked before the instance (a data descriptor, `__slots__` apart)."""
    kind = type(entry)
    both = hasattr(kind, "__set__") or hasattr(kind, "__delete__")
    return both and not isinstance(entry, types.MemberDescriptorType)


def _described_by(scope: FunctionScope, node: ast.AST, owner: Abstract, cls: type, name: str, entry: Any) -> Abstract:
    """A property, or another descriptor with `__get__` and `__set__`."""
    watch(scope, cls, name, entry)
    if isinstance(entry, property):
        if not isinstance(entry.fget, types.FunctionType):
            return scope.error(node, f"the property `{name}` of {cls.__name__} has no getter in Python", "write one")
        return call_function(scope, node, entry.fget, owner)
    return _descriptor(scope, node, cls, name)


def _descriptor(scope: FunctionScope, node: ast.AST, cls: type, name: str) -> Abstract:
    return scope.error(
        node,
        f"`{name}` of {cls.__name__} is a descriptor that can't be compiled",
        "use a property or a plain attribute",
    )


def _class_attribute(
    scope: FunctionScope, node: ast.AST, owner: Abstract, cls: type, name: str, entry: Any
) -> Abstract:
    if isinstance(entry, types.FunctionType):
        watch(scope, cls, name, entry)
        return Constant(entry) if isinstance(owner, Constant) else BoundMethod(owner, entry)
    if isinstance(entry, staticmethod):
        watch(scope, cls, name, entry)
        return from_python(
            scope, node, entry.__func__, f"{cls.__name__}.{name}", lambda: class_entry(cls, name).__func__,
            (id(cls), name, "static"),
        )  # fmt: skip
    if isinstance(entry, classmethod):
        watch(scope, cls, name, entry)
        return BoundMethod(Constant(cls), entry.__func__)
    if entry is object.__init__:
        return BoundMethod(owner, entry)
    if hasattr(type(entry), "__get__"):
        return _descriptor(scope, node, cls, name)
    return from_python(scope, node, entry, f"{cls.__name__}.{name}", lambda: class_entry(cls, name), (id(cls), name))


def _computed_once(
    scope: FunctionScope, node: ast.AST, owner: Abstract, cls: type, name: str, entry: functools.cached_property[Any]
) -> Abstract:
    """A cached property is always computed, once per object and call: what an earlier read has left in the instance
    is an input without derivative."""
    watch(scope, cls, name, entry)
    if not isinstance(owner, ObjectRef) or not isinstance(entry.func, types.FunctionType):
        return _descriptor(scope, node, cls, name)
    found = cached(scope, owner, name)
    if found is None:
        found = call_function(scope, node, entry.func, owner)
        put(scope, owner, cache_name(name), found)
    return found


def _missing(scope: FunctionScope, node: ast.AST, cls: type, name: str) -> Abstract:
    if class_entry(cls, "__getattr__") is not None:
        return scope.error(
            node, f"{cls.__name__} has no attribute `{name}`, and its `__getattr__` can't be compiled",
            f"assign `{name}` in __init__",
        )  # fmt: skip
    fields: tuple[str, ...] = tuple(getattr(cls, "__dataclass_fields__", getattr(cls, "_fields", ())))
    help = f"it has {', '.join(fields)}" if fields else f"assign `{name}` before this line"
    return scope.error(node, f"'{cls.__name__}' object has no attribute '{name}'", help)


def watch(scope: FunctionScope, cls: type, name: str, entry: Any) -> None:
    """Whoever calls the compiled code notices when the class holds something else under `name`, or other code."""
    path = f"{cls.__name__}.{name}"
    captures = scope.session.captures
    captures.add((id(cls), name, class_entry), Capture(path, lambda: class_entry(cls, name), entry))
    code = code_of(entry)
    if code is not None:
        captures.add(
            (id(cls), name, class_entry, types.CodeType),
            Capture(f"{path}.__code__", lambda: code_of(class_entry(cls, name)), code),
        )


def call_function(scope: FunctionScope, node: ast.AST, function: Any, owner: Abstract, *args: Abstract) -> Abstract:
    """A function of a class, called for `owner`."""
    return scope.session.syntax.call(scope, node, BoundMethod(owner, function), args, {})


def store_attribute(scope: FunctionScope, node: ast.AST, owner: Abstract, name: str, value: Abstract) -> None:
    """`owner.name = value`."""
    if isinstance(owner, Poison) or isinstance(value, Poison):
        return
    if isinstance(owner, Constant) and isinstance(owner.value, type):
        scope.error(
            node,
            f"assigning to an attribute of the class {owner.value.__name__} is not supported",
            "every instance would see it: use an attribute of the instance",
        )
        return
    if isinstance(owner, Record) and is_mutable_record(owner.cls):
        scope.session.speculation.needs_objects(owner.cls)
        return
    if not isinstance(owner, ObjectRef):
        scope.error(
            node, f"the attribute `{name}` of {describe(owner)} can't be assigned", "make a new one", "assigned here"
        )
        return
    entry = class_entry(owner.cls, name, MISSING)
    if isinstance(entry, property):
        watch(scope, owner.cls, name, entry)
        if not isinstance(entry.fset, types.FunctionType):
            scope.error(node, f"property '{name}' of '{owner.cls.__name__}' object has no setter", "write one")
        else:
            call_function(scope, node, entry.fset, owner, value)
        return
    if _takes_assignments(entry) or isinstance(entry, functools.cached_property):
        _descriptor(scope, node, owner.cls, name)
        return
    write_slot(scope, node, owner, name, value)


__all__ = ["call_function", "class_of", "object_attribute", "store_attribute", "watch"]
