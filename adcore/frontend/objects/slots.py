"""Attributes that instances hold themselves: slots of cells.

What an object from outside holds is found out at the first read. It is a parameter of the program then, defined at its
entry, so that it may be read anywhere.
"""

from __future__ import annotations

import ast
import dis
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from adcore.captures import Capture
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    UNBOUND,
    Abstract,
    Conflict,
    ObjectRef,
    Poison,
    PossiblyNone,
    PossiblyUnbound,
    Unbound,
    UnreadAttribute,
)
from adcore.frontend.values.numeric.numbers import materialise
from adcore.instances import MISSING, class_entry, instance_names, instance_value, is_frozen, is_slot, made_up
from adcore.ir.core import Value
from adcore.ir.types import BOOL
from adcore.signature import ABSENT, ArgType, Leaf, ObjectArg, Opaque, SameArg, ScalarArg, StaticArg, leaves

LeafIterator = Iterator[tuple[Value, bool, Value]]
MakeValue = Callable[[FunctionScope, ArgType, LeafIterator], Abstract]
"""Makes the abstract value of a kind from its leaves (`values.containers.sequences.from_leaves`)."""

FromPython = Callable[[FunctionScope, ast.AST, Any, str, Callable[[], Any], tuple[object, ...]], Abstract]
"""Makes the abstract value of an object from outside (`python.globals_and_closures.from_python`)."""


@functools.lru_cache(maxsize=512)
def stored_names(cls: type) -> tuple[str, ...]:
    """The attributes that some method of a class assigns: slots that its instances may come to have."""
    members = [vars(base).items() for base in cls.__mro__]
    codes = (code for entries in members for _, entry in entries for code in _codes_of(entry))
    stores = (i.argval for code in codes for i in dis.get_instructions(code) if i.opname == "STORE_ATTR")
    caches = (cache_name(n) for e in members for n, v in e if isinstance(v, functools.cached_property))
    fields = getattr(cls, "__dataclass_fields__", ())
    return tuple(dict.fromkeys((*fields, *stores, *caches)))


def cache_name(name: str) -> str:
    """The slot in which a cached property is kept during one call: no Python name looks like this."""
    return f"{name}()"


def _codes_of(entry: Any) -> Iterator[types.CodeType]:
    """The code of a method, property, or what a class holds else."""
    for name in ("fget", "fset", "func", "__func__"):
        yield from _codes(getattr(getattr(entry, name, None), "__code__", None))
    yield from _codes(getattr(entry, "__code__", None))


def _codes(code: Any) -> Iterator[types.CodeType]:
    if isinstance(code, types.CodeType):
        yield code
        for inner in code.co_consts:
            yield from _codes(inner)


# Making references ----------------------------------------------------------------------------------------------------


def new_object(scope: FunctionScope, cls: type) -> ObjectRef:
    """An instance that the program makes, without attributes as yet."""
    made = _reference(scope, cls, ())
    scope.state.cells[made.cell] = (UNBOUND,) * len(scope.session.instances.slots[made.cell])
    return made


def _reference(scope: FunctionScope, cls: type, names: tuple[str, ...]) -> ObjectRef:
    session = scope.session
    cell = -session.new_cell()
    assigned = session.speculation.attributes.get(cls, ())
    session.instances.slots[cell] = tuple(dict.fromkeys((*names, *stored_names(cls), *assigned)))
    return ObjectRef(cell, cls)


def argument_object(scope: FunctionScope, arg: ObjectArg, values: LeafIterator, build: MakeValue) -> ObjectRef:
    """An instance that a call is given: what is described of it now, and the rest when it is read."""
    instances = scope.session.instances
    names = instances.live.names(arg.path) if instances.live is not None else ()
    made = _reference(scope, arg.cls, (*(name for name, _ in arg.fields), *names))
    instances.paths[made.cell], instances.fields[arg.path] = arg.path, dict(arg.fields)
    instances.met[arg.path] = made
    given = {name: _part(scope, f"{arg.path}.{name}", field, values, build) for name, field in arg.fields}
    instances.initial[made.cell] = tuple(
        given[name] if name in given else _unread(scope, arg.path, name, build) if name in names else UNBOUND
        for name in instances.slots[made.cell]
    )
    return made


def _unread(scope: FunctionScope, path: str, name: str, build: MakeValue) -> UnreadAttribute:
    return UnreadAttribute(lambda: _read(scope, path, name, build))


def _read(scope: FunctionScope, path: str, name: str, build: MakeValue) -> Abstract:
    """The first read of an attribute: parameters for its leaves."""
    instances = scope.session.instances
    assert instances.live is not None
    arg = instances.fields[path][name] = instances.live.attribute(path, name)
    made = [parameter(scope, leaf) for leaf in leaves(arg, f"{path}.{name}")]
    with scope.builder.at(0):
        return _part(scope, f"{path}.{name}", arg, iter(made), build)


def parameter(scope: FunctionScope, leaf: Leaf) -> tuple[Value, bool, Value]:
    """The IR's parameter for a leaf, as `LeafIterator` has it."""
    value = Value(leaf.type, leaf.path)
    scope.session.instances.parameters[leaf.path] = (leaf, value)
    return value, leaf.writeable, value


def _part(scope: FunctionScope, path: str, arg: ArgType, values: LeafIterator, build: MakeValue) -> Abstract:
    """An attribute; what can't be used is told when somebody does."""
    if isinstance(arg, StaticArg) and arg.value is ABSENT:
        return UNBOUND
    if isinstance(arg, StaticArg) and isinstance(arg.value, Opaque):
        return Conflict(arg.value.title.replace("argument ", ""), arg.value.help)
    found = build(scope, arg, values)
    if not isinstance(arg, (SameArg, ScalarArg, StaticArg)):
        scope.session.instances.note(found, path)
    return found


def outside_object(
    scope: FunctionScope, node: ast.AST, value: Any, path: str, fetch: Callable[[], Any], key: tuple[object, ...],
    from_python: FromPython,
) -> Abstract:  # fmt: skip
    """An instance that a global or a closure holds: its attributes are what they are now, and looked at again by
    whoever calls the compiled code."""
    session = scope.session
    instances = session.instances
    if instances.live is not None and (known := instances.live.path_of(value)) is not None:
        return scope.error(
            node,
            f"`{path}` is the same object as the argument `{known}`",
            "use one of the two names: what is read through the other one would have no derivative",
        )
    session.captures.add(key, Capture(path, fetch, value))
    if id(value) in instances.outside:
        return instances.outside[id(value)]
    names = instance_names(value)
    made = instances.outside[id(value)] = _reference(scope, type(value), names)
    instances.behind[made.cell] = value, path

    def attribute(name: str) -> Abstract:
        return from_python(
            scope, node, instance_value(value, name), f"{path}.{name}", lambda: _fetched(value, name), (id(value), name)
        )

    def unread(name: str) -> UnreadAttribute:
        def find() -> Abstract:
            with scope.builder.at(0):
                return attribute(name)

        return UnreadAttribute(find)

    slots = instances.slots[made.cell]
    instances.initial[made.cell] = tuple(unread(name) if name in names else UNBOUND for name in slots)
    return made


def _fetched(value: Any, name: str) -> Any:
    found = instance_value(value, name)
    if found is MISSING:
        raise AttributeError(name)
    return found


# Reading and writing --------------------------------------------------------------------------------------------------


def read_slot(scope: FunctionScope, node: ast.AST, owner: ObjectRef, name: str) -> Abstract | None:
    """What the instance itself holds under `name`; None if nothing."""
    instances = scope.session.instances
    names = instances.slots[owner.cell]
    value: Abstract = UNBOUND
    if name in names:
        value = instances.known(instances.contents(scope.state.cells, owner.cell)[names.index(name)])
    if isinstance(value, Unbound):
        _depends_on_absence(scope, owner, name)
        return None
    if isinstance(value, Conflict):
        return scope.error(node, value.title, value.help, notes=value.notes)
    if isinstance(value, PossiblyUnbound) and not isinstance(value, PossiblyNone):
        if class_entry(owner.cls, name, MISSING) is not MISSING and not is_slot(owner.cls, name):
            return scope.error(
                node,
                f"`{name}` is an attribute of the object on some paths, and of {owner.cls.__name__} on others",
                f"assign `{name}` in __init__",
            )
        message = f"'{owner.cls.__name__}' object has no attribute '{name}'"
        scope.check(materialise(scope, value.bound, BOOL), "AttributeError", message)
        return value.inner
    return value


def _depends_on_absence(scope: FunctionScope, owner: ObjectRef, name: str) -> None:
    """A later attribute of this name would hide what the class holds."""
    instances = scope.session.instances
    instances.absent(owner.cell, name)
    if owner.cell in instances.behind:
        value, path = instances.behind[owner.cell]
        capture = Capture(f"{path}.{name}", lambda: instance_value(value, name) is MISSING, True)
        scope.session.captures.add((id(value), name, "absent"), capture)


def write_slot(
    scope: FunctionScope, node: ast.AST, owner: ObjectRef, name: str, value: Abstract, past_the_class: bool = False
) -> None:
    """`owner.name = value`, past properties and the like; `past_the_class`: past its `__setattr__`, too."""
    if isinstance(value, Poison):
        return
    instances = scope.session.instances
    cls = owner.cls.__name__
    if owner.cell in instances.behind:
        _, path = instances.behind[owner.cell]
        scope.error(
            node,
            f"`{path}` is no argument: assigning to its attribute `{name}` would be lost",
            f"pass `{path}` as an argument",
        )
        return
    if not past_the_class and is_frozen(owner.cls):
        scope.error(node, f"{cls} is frozen: its field `{name}` can't be assigned", "use dataclasses.replace")
        return
    if not past_the_class and (method := made_up(owner.cls, "__setattr__")) is not None:
        scope.error(node, f"{cls} defines `{method}`: what an assignment to `{name}` does is not known", "leave it out")
        return
    if not _may_hold(owner.cls, name):
        scope.error(node, f"'{cls}' object has no attribute '{name}'", f"add '{name}' to __slots__")
        return
    names = instances.slots[owner.cell]
    if name not in names:
        scope.session.speculation.assigns(owner.cls, name)
        return
    if owner.cell in scope.session.shared:
        scope.error(
            node,
            f"an attribute is assigned of an object that, on some paths only, is another {cls}",
            "assign inside of each branch",
        )
    if owner.cell in instances.initial and isinstance(instances.initial[owner.cell][names.index(name)], Unbound):
        instances.absent(owner.cell, name)
    put(scope, owner, name, value)


def put(scope: FunctionScope, owner: ObjectRef, name: str, value: Abstract) -> None:
    """Change a slot that the object is known to have."""
    instances = scope.session.instances
    items, at = instances.contents(scope.state.cells, owner.cell), instances.slots[owner.cell].index(name)
    scope.state.cells[owner.cell] = (*items[:at], value, *items[at + 1 :])


def is_cache(name: str) -> bool:
    """Whether a slot is that of a cached property."""
    return name.endswith("()")


def cached(scope: FunctionScope, owner: ObjectRef, name: str) -> Abstract | None:
    """What a cached property gave before in this call; None if nothing, or nothing for certain."""
    instances = scope.session.instances
    names = instances.slots[owner.cell]
    value = instances.contents(scope.state.cells, owner.cell)[names.index(cache_name(name))]
    return None if isinstance(value, (Unbound, PossiblyUnbound, Conflict)) else value


def _may_hold(cls: type, name: str) -> bool:
    """Whether an instance can have an attribute of this name: with slots alone, only those."""
    return is_slot(cls, name) or any("__dict__" in vars(base) for base in cls.__mro__)


__all__ = [
    "argument_object", "cache_name", "cached", "is_cache", "new_object", "outside_object", "parameter",
    "put", "read_slot", "stored_names", "write_slot",
]  # fmt: skip
