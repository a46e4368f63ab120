"""The kinds of arguments that a compiled function takes: Python values seen as trees whose leaves the IR knows.

Frontend and runtime agree through this module: the runtime describes actual arguments with it and flattens them to
leaves, the frontend gives each leaf one IR parameter. Leaves come in depth-first order.

- float, int, bool, NumPy scalar: ScalarArg, one scalar leaf.
- NumPy array: ArrayArg, one array leaf.
- list or tuple of arrays of one dtype and rank, or of records that agree so, or list of numbers of one type:
  UniformArg, as many leaves as one item has, each lifted: numbers become a rank-1 array, arrays a list of arrays.
- other tuple or list: SequenceArg, the leaves of the items, in order.
- named tuple, dataclass instance: RecordArg, the leaves of the fields, in order.
- dict: DictArg, the leaves of the values, in order.
- None, str, function, module, ...: StaticArg, no leaf: its value is part of the signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

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
class DictArg:
    """A dict, by key."""

    keys: tuple[Any, ...]
    items: tuple[ArgType, ...]


@dataclass(frozen=True)
class StaticArg:
    """A value that the program is specialised on."""

    value: Any


ArgType = ScalarArg | ArrayArg | UniformArg | SequenceArg | RecordArg | DictArg | StaticArg


@dataclass(frozen=True)
class Leaf:
    """One IR parameter: where it sits in the argument (`x`, `p.mass`, `ms[]`) and its type."""

    path: str
    type: Type
    writeable: bool = True


@dataclass(frozen=True)
class Signature:
    """Names and kinds of all arguments of a function, and which leaves may overlap in memory.

    `aliases` groups leaf numbers whose buffers overlap (in part or whole) in the call; leaves in no group are
    disjoint from all others. A leaf alone in a group overlaps itself (zero strides, or a list with repeated arrays).
    `ones` are axes (leaf number, axis) of length 1 that stretch where they meet longer ones.
    """

    names: tuple[str, ...]
    args: tuple[ArgType, ...]
    aliases: tuple[tuple[int, ...], ...] = ()
    ones: tuple[tuple[int, int], ...] = ()

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
    elif isinstance(arg, RecordArg):
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
