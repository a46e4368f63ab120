"""What a program leaves behind: the value that it returns, and attributes of arguments that it has assigned.

Both are trees of results of the IR. An object that the program made is built after the call, without `__init__`; one
that the call was given is that very object, and so is an array. Attributes that were assigned are results, too, which
whoever calls puts where they belong, or drops where arguments must stay as they are.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.materialise import computed
from adcore.frontend.objects.slots import is_cache
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    Conflict,
    Constant,
    DictRef,
    Expanded,
    Items,
    ListRef,
    ObjectRef,
    OutsideDict,
    Poison,
    PossiblyNone,
    PossiblyUnbound,
    Record,
    Reshaped,
    Unbound,
    Uniform,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import values_of
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import TooWide, materialise, scalar_type, weak_type_of
from adcore.ir.core import Value
from adcore.ir.types import BOOL
from adcore.signature import (
    ArgType,
    ArrayArg,
    AttributeUpdate,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    StaticArg,
    UniformArg,
)

HELP = "return None, numbers, arrays, objects, or tuples, lists, dicts, named tuples and dataclasses of them"


@dataclass
class ResultTrees:
    """The trees of one program's results; `leaves` are the IR's results in their order.

    `attributes`: whether trees become attributes, where strings and functions may stand as well."""

    scope: FunctionScope
    node: ast.AST
    leaves: list[Value] = field(default_factory=list)
    attributes: bool = False
    _made: dict[object, str] = field(default_factory=dict)

    def tree(self, value: Abstract) -> ArgType:
        """The kind of a value that is handed out; its leaves are appended."""
        value = as_list(self.scope, self.scope.session.instances.known(value))
        if self.attributes and (path := self.scope.session.instances.origin(value)) is not None:
            return SameArg(path)
        if isinstance(value, PossiblyNone) and not self.attributes:
            # What the caller gets is a number or nothing at all: there is no kind of result that is either.
            text = f"{self.scope.source.name} returns None here, and a number elsewhere, which compiled code can't"
            self.scope.check(materialise(self.scope, value.bound, BOOL), "TypeError", text)
            return self.tree(value.inner)
        if is_scalar(value):
            return self._number(value)
        if isinstance(value, (Expanded, Reshaped)):
            value = self._returnable(value)
        if isinstance(value, ArrayRef):
            return self._array(value)
        if isinstance(value, (Items, ListRef)):
            items = tuple(map(self.tree, static_items(self.scope, value)))
            return SequenceArg("tuple" if isinstance(value, Items) else "list", items)
        if isinstance(value, (DictRef, OutsideDict)):
            values = values_of(self.scope, value)
            return DictArg(tuple(values), tuple(self.tree(item()) for item in values.values()))
        if isinstance(value, Record):
            return RecordArg(value.cls, tuple((name, self.tree(item)) for name, item in value.fields))
        if isinstance(value, ObjectRef):
            return self._object(value)
        if isinstance(value, Uniform):
            self.leaves.extend(value.leaves)
            return UniformArg("list" if value.kind == "list" else "tuple", value.item)
        if isinstance(value, Constant) and (value.value is None or self.attributes):
            return StaticArg(value.value)
        if isinstance(value, Conflict):
            self.scope.error(self.node, value.title, value.help, notes=value.notes)
        elif not isinstance(value, Poison):
            self.scope.error(self.node, f"{describe(value)} can't be returned", HELP)
        return StaticArg(None)

    def _number(self, value: Abstract) -> ArgType:
        try:
            self.leaves.append(materialise(self.scope, value))
        except TooWide as error:
            self.scope.error(self.node, f"{error} does not fit in a 64-bit integer", "return a float")
        return ScalarArg(scalar_type(value).name, weak_type_of(value).always)

    def _array(self, value: ArrayRef) -> ArgType:
        if self.attributes and value.literal is None:
            known = self._made.get(value.value)
            if known is not None:
                return SameArg(known)
            if not value.local:
                self.scope.error(
                    self.node, "an attribute can't be a view of an argument's memory", "assign a copy of it: x.copy()"
                )
            self._made[value.value] = f"result {len(self._made)}"
        self.leaves.append(value.value)
        if value.literal is not None:
            return UniformArg("list", ScalarArg(value.element.name, not value.weak.never))
        return ArrayArg(value.element.name, value.rank, "C" if value.type.layout == "C" else "S", value.writeable)

    def _returnable(self, value: Expanded | Reshaped) -> Abstract:
        """A view with other axes: descriptors have no such axes, so nobody must see that it is a copy."""
        if not value.base.local:
            return self.scope.error(
                self.node, "a view of an argument with other axes can't be returned", "return a copy of it"
            )
        part = operand(self.scope, value)
        assert part is not None
        return computed(self.scope, self.node, part)

    def _object(self, value: ObjectRef) -> ArgType:
        instances = self.scope.session.instances
        if value.cell in instances.paths:
            return SameArg(instances.paths[value.cell])
        if value.cell in instances.behind:
            return StaticArg(instances.behind[value.cell][0])
        if value.cell in self._made:
            return SameArg(self._made[value.cell])
        if value.cell in self.scope.session.shared:
            self.scope.error(
                self.node, f"{describe(value)} that is chosen at run time can't be returned", "return its attributes"
            )
            return StaticArg(None)
        path = self._made[value.cell] = f"result {len(self._made)}"
        before, self.attributes = self.attributes, True
        items = instances.contents(self.scope.state.cells, value.cell)
        pairs = zip(instances.slots[value.cell], items, strict=True)
        fields = tuple((name, self._field(name, item)) for name, item in pairs if self._is_there(name, item))
        self.attributes = before
        return ObjectArg(value.cls, path, fields)

    def _is_there(self, name: str, item: Abstract) -> bool:
        return not (isinstance(item, Unbound) or is_cache(name))

    def _field(self, name: str, item: Abstract) -> ArgType:
        if isinstance(item, PossiblyUnbound) and not isinstance(item, PossiblyNone):
            self.scope.error(
                self.node, f"an object that has an attribute `{name}` on some paths only can't be returned",
                f"assign `{name}` in __init__",
            )  # fmt: skip
            return StaticArg(None)
        return self.tree(item)

    def updates(self) -> tuple[AttributeUpdate, ...]:
        """The attributes of the call's objects that hold something else than before."""
        instances = self.scope.session.instances
        self.attributes = True
        found: list[AttributeUpdate] = []
        if self.scope.state.dead:
            return ()
        for cell, path in list(instances.paths.items()):
            items, initial = instances.contents(self.scope.state.cells, cell), instances.initial[cell]
            for name, item, before in zip(instances.slots[cell], items, initial, strict=True):
                if item is before or is_cache(name) or isinstance(item, Unbound):
                    continue
                if instances.known(before) is instances.known(item):
                    continue
                found.append(self._update(path, name, item))
        return tuple(found)

    def _update(self, path: str, name: str, item: Abstract) -> AttributeUpdate:
        if not isinstance(item, PossiblyUnbound) or isinstance(item, PossiblyNone):
            return AttributeUpdate(path, name, self.tree(item))
        # Whether it was assigned at all comes first.
        self.leaves.append(materialise(self.scope, item.bound, BOOL))
        return AttributeUpdate(path, name, self.tree(item.inner), True)
