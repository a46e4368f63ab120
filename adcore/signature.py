"""The kinds of arguments that a compiled function takes: Python values seen as trees whose leaves the IR knows.

Frontend and runtime agree through this module: the runtime describes actual arguments with it and flattens them to
leaves, the frontend gives each leaf one IR parameter. Leaves come in depth-first order.

- float, int, bool, NumPy scalar: ScalarArg, one scalar leaf.
- NumPy array: ArrayArg, one array leaf.
- list or tuple of arrays of one dtype and rank, or of records that agree so, or list of numbers of one type:
  UniformArg, as many leaves as one item has, each lifted: numbers become a rank-1 array, arrays a list of arrays.
- other tuple or list: SequenceArg, the leaves of the items, in order.
- named tuple, dataclass instance: RecordArg, the leaves of the fields, in order.
- instance of a class: ObjectArg, the leaves of those attributes that the program reads, in order.
- object or array that was met before, as an attribute: SameArg, no leaf: it has those of the first one.
- dict: DictArg, the leaves of the values, in order.
- None, str, function, module, ...: StaticArg, no leaf: its value is part of the signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from adcore.ir.types import SCALARS, ArrayType, ListType, Type

ArgumentLayout = Literal["C", "S"]


@dataclass(frozen=True)
class ScalarArg:
    """A number. `weak`: a Python number, which adapts to the NumPy types that it meets (NEP 50) and whose division
    by zero raises; not weak: a NumPy scalar."""

    dtype: str
    weak: bool = True


@dataclass(frozen=True)
class ArrayArg:
    """A NumPy array; `layout` "C" where it is C-contiguous and aligned."""

    dtype: str
    rank: int
    layout: ArgumentLayout = "C"
    writeable: bool = True


@dataclass(frozen=True)
class UniformArg:
    """A non-empty list or tuple of items that agree in kind; its length is known only at run time."""

    kind: Literal["list", "tuple"]
    item: ArgType


@dataclass(frozen=True)
class SequenceArg:
    """A tuple or list taken apart item by item."""

    kind: Literal["list", "tuple"]
    items: tuple[ArgType, ...]


@dataclass(frozen=True)
class RecordArg:
    """A named tuple or a dataclass instance, by field."""

    cls: type
    fields: tuple[tuple[str, ArgType], ...]


@dataclass(frozen=True)
class ObjectArg:
    """An instance of a class, by those attributes that the program reads, looks up in vain, or assigns.

    `path` is where it is met first, depth first: it tells which object this is. What else the instance holds is not
    looked at."""

    cls: type
    path: str
    fields: tuple[tuple[str, ArgType], ...] = ()


@dataclass(frozen=True)
class SameArg:
    """The object, or the array in an attribute, that was met before at `path`."""

    path: str


@dataclass(frozen=True)
class DictArg:
    """A dict, by key."""

    keys: tuple[Any, ...]
    items: tuple[ArgType, ...]


@dataclass(frozen=True, eq=False)
class StaticArg:
    """A value that the program is specialised on. Equal are values of one type that are equal (1 is not True)."""

    value: Any

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StaticArg) or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or (_is_hashable(self.value) and bool(self.value == other.value))

    def __hash__(self) -> int:
        return hash(self.value) if _is_hashable(self.value) else id(self.value)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


class _Absent:
    """What is described of an attribute that the instance does not have."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT = _Absent()


@dataclass(frozen=True)
class Opaque:
    """What is described of an attribute that can't be compiled: it may be there, but not be used. `title` and `help`
    tell why."""

    title: str
    help: str = ""


ArgType = ScalarArg | ArrayArg | UniformArg | SequenceArg | RecordArg | DictArg | ObjectArg | SameArg | StaticArg


class LiveAttributes(Protocol):
    """The objects among the arguments of a call, as a compilation may ask for their attributes.

    `classes`: dataclasses whose instances are objects, not values."""

    @property
    def classes(self) -> frozenset[type]: ...

    def names(self, path: str) -> tuple[str, ...]:
        """The attributes that the object at `path` holds itself."""

    def attribute(self, path: str, name: str) -> ArgType:
        """The kind of one of them; of `StaticArg(ABSENT)` if there is none."""

    def path_of(self, value: object) -> str | None:
        """Where this very object is, if it was met."""


@dataclass(frozen=True)
class Leaf:
    """One IR parameter: where it sits in the argument (`x`, `p.mass`, `ms[]`) and its type."""

    path: str
    type: Type
    writeable: bool = True


@dataclass(frozen=True)
class AttributeUpdate:
    """An attribute of the object at `path` that a program has assigned: its kind, whose leaves are results.

    `conditional`: a bool comes before them, which says whether it was assigned at all."""

    path: str
    name: str
    arg: ArgType
    conditional: bool = False


@dataclass(frozen=True)
class Signature:
    """Names and kinds of all arguments of a function, and which leaves may overlap in memory.

    `aliases` groups leaf numbers whose buffers overlap (in part or whole) in the call; leaves in no group are
    disjoint from all others. A leaf alone in a group overlaps itself (zero strides, or a list with repeated arrays).
    `ones` are axes (leaf number, axis) of length 1 that stretch where they meet longer ones. `lengths` are those
    that the program is compiled for: (path of a leaf, axis, length).
    """

    names: tuple[str, ...]
    args: tuple[ArgType, ...]
    aliases: tuple[tuple[int, ...], ...] = ()
    ones: tuple[tuple[int, int], ...] = ()
    lengths: tuple[tuple[str, int, int], ...] = ()

    def leaves(self) -> tuple[Leaf, ...]:
        """All leaves, in the order of the IR parameters."""
        return tuple(leaf for name, arg in zip(self.names, self.args, strict=True) for leaf in leaves(arg, name))


def leaves(arg: ArgType, path: str) -> Iterator[Leaf]:
    """The leaves of one argument, depth first."""
    if isinstance(arg, ScalarArg):
        yield Leaf(path, SCALARS[arg.dtype])
    elif isinstance(arg, ArrayArg):
        yield Leaf(path, ArrayType(SCALARS[arg.dtype], arg.rank, arg.layout), arg.writeable)
    elif isinstance(arg, UniformArg):
        for leaf in leaves(arg.item, f"{path}[]"):
            yield Leaf(leaf.path, lifted(leaf.type), leaf.writeable)
    elif isinstance(arg, SequenceArg):
        for k, item in enumerate(arg.items):
            yield from leaves(item, f"{path}[{k}]")
    elif isinstance(arg, (RecordArg, ObjectArg)):
        for name, field in arg.fields:
            yield from leaves(field, f"{path}.{name}")
    elif isinstance(arg, DictArg):
        for key, item in zip(arg.keys, arg.items, strict=True):
            yield from leaves(item, f"{path}[{key!r}]")


def lifted(type_: Type) -> Type:
    """The type of a list of values of `type_`."""
    if isinstance(type_, ListType):
        raise TypeError("a list of lists of arrays is taken apart, not lifted")
    if isinstance(type_, ArrayType):
        return ListType(type_.element, type_.rank, type_.layout)
    return ArrayType(type_, 1, "C")


def has_objects(arg: ArgType) -> bool:
    """Whether there are objects in the argument, whose attributes are found while compiling."""
    if isinstance(arg, (SequenceArg, DictArg, RecordArg)):
        inside = tuple(field for _, field in arg.fields) if isinstance(arg, RecordArg) else arg.items
        return any(map(has_objects, inside))
    return isinstance(arg, ObjectArg)


def classes_of(arg: ArgType, kind: type[RecordArg] | type[ObjectArg]) -> Iterator[type]:
    """The classes of all records, or of all objects, in the argument."""
    if isinstance(arg, kind):
        yield arg.cls
    inside: tuple[ArgType, ...] = ()
    if isinstance(arg, (RecordArg, ObjectArg)):
        inside = tuple(field for _, field in arg.fields)
    elif isinstance(arg, (SequenceArg, DictArg)):
        inside = arg.items
    elif isinstance(arg, UniformArg):
        inside = (arg.item,)
    for part in inside:
        yield from classes_of(part, kind)


def same_as(arg: ArgType) -> Iterator[str]:
    """The paths that the argument's parts are the same as."""
    if isinstance(arg, SameArg):
        yield arg.path
    elif isinstance(arg, (SequenceArg, DictArg)):
        for item in arg.items:
            yield from same_as(item)
    elif isinstance(arg, (RecordArg, ObjectArg)):
        for _, field in arg.fields:
            yield from same_as(field)
