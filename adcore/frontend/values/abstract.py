"""What the frontend knows about a Python value while it compiles: abstract values.

A number that is known while compiling stays a `Constant` and is folded by Python itself; one that is not is a `Num`.
Containers are taken apart: the IR never sees one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from adcore.frontend.reader import FunctionSource
from adcore.ir.core import Value
from adcore.ir.types import BOOL, ArrayType, Scalar
from adcore.signature import ArgType
from adcore.source import Span


class DefiningScope(Protocol):
    """A function that is being compiled, as far as values know it: closures have one, in which their names live."""

    @property
    def source(self) -> FunctionSource: ...


@dataclass(frozen=True)
class WeakType:
    """Whether the type of a number is weak: that of Python's numbers gives way to NumPy's (NEP 50), and Python's floats
    raise where NumPy's give infinity.

    It is weak while all `flags`, truths of the program, hold, hence `always` if there are none; otherwise the number is
    NumPy's, and for certain if `never`. What is computed from two numbers is weak if both are: `a & b`.
    """

    flags: tuple[Value, ...] = ()
    never: bool = False

    @property
    def always(self) -> bool:
        return not self.flags and not self.never

    @property
    def mixed(self) -> bool:
        """Whether only a run tells."""
        return bool(self.flags)

    def __and__(self, other: WeakType) -> WeakType:
        if self.never or other.never:
            return STRONG
        return WeakType(tuple(dict.fromkeys((*self.flags, *other.flags))))


WEAK = WeakType()
STRONG = WeakType(never=True)
UNTRACKED = WeakType((Value(BOOL, "untracked"),))
"""Mixed, in an attempt that does not carry flags: an operation that has to know asks for one that does."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A value known while compiling: number, None, string, function, module, class, dtype, ..."""

    value: Any


@dataclass(frozen=True, eq=False)
class Num:
    """A number known at run time. `narrow`: the integer type of NumPy's that it has, if that is not int64; see
    `values/numeric/narrow.py`."""

    value: Value
    weak: WeakType = WEAK
    narrow: Scalar | None = None

    @property
    def type(self) -> Scalar:
        assert isinstance(self.value.type, Scalar)
        return self.value.type


@dataclass(frozen=True, eq=False)
class ArrayRef:
    """An array or a view of one. `root` tells buffers apart: distinct roots never overlap by construction.

    `literal`: where the list of numbers is written that this array stores; `weak`: whether its elements are Python's,
    where `weak_flags`, an array of the same shape, does not say so one by one. `shape` is kept where the program itself
    gave it, so that constants stay known. `local`: made by the program, so that only its own views overlap it.
    """

    value: Value
    root: Value
    writeable: bool = True
    weak: WeakType = STRONG
    literal: Span | None = None
    shape: tuple[Abstract, ...] | None = None
    local: bool = False
    weak_flags: Value | None = None

    @property
    def type(self) -> ArrayType:
        assert isinstance(self.value.type, ArrayType)
        return self.value.type

    @property
    def rank(self) -> int:
        return self.type.rank

    @property
    def element(self) -> Scalar:
        return self.type.element


@dataclass(frozen=True, eq=False)
class Expanded:
    """A view with axes that `base` has not: axis k is axis `axes[k]` of `base` or, where that is None, one along which
    nothing changes, of length `shape[k]` (1, unless the view was stretched)."""

    base: ArrayRef
    axes: tuple[int | None, ...]
    shape: tuple[Abstract, ...]
    writeable: bool = True

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def element(self) -> Scalar:
        return self.base.element


@dataclass(frozen=True, eq=False)
class Reshaped:
    """A view with other subscripts than `base` has: `through` gives those of `base`. `whole`: in C order its elements
    are those of `base`."""

    base: ArrayRef
    shape: tuple[Abstract, ...]
    through: Callable[[Sequence[Value]], list[Value]]
    writeable: bool = True
    whole: bool = True

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def element(self) -> Scalar:
        return self.base.element


@dataclass(frozen=True, eq=False)
class Read:
    """An array that an expression reads. `aligned`: element k of the expression reads element k and no other."""

    array: ArrayRef
    aligned: bool


@dataclass(frozen=True, eq=False)
class Lazy:
    """An array expression that is not in memory: `at(subscripts)` emits one element, a NumPy number of type `element`.

    What it reads is read when an element is emitted. It never becomes part of a state or of a container: before that it
    is put into memory. `steps` emits the same as `at`, given the elements of other expressions that it asks for one by
    one, so that an expression of any length needs no recursion.
    """

    shape: tuple[Abstract, ...]
    element: Scalar
    at: Callable[[Sequence[Value]], Abstract]
    reads: tuple[Read, ...]
    steps: Callable[[Sequence[Value]], Steps] | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True, eq=False)
class BooleanIndexed:
    """`source[selects]`: those elements where `selects` holds. How many they are is only known at run time."""

    source: Lazy
    selects: ArrayRef


@dataclass(frozen=True, eq=False)
class Items:
    """A tuple."""

    items: tuple[Abstract, ...]


@dataclass(frozen=True, eq=False)
class ListRef:
    """A list of known length: a reference to a cell of the scope's state, so that aliases see each other's stores."""

    cell: int


@dataclass(frozen=True, eq=False)
class DictRef:
    """A dict that the program made: a reference to a cell of the scope's state, which holds the keys (a Constant, in
    order) and then their values. Keys are always known while compiling."""

    cell: int


@dataclass(frozen=True, eq=False)
class OutsideDict:
    """A dict from outside, which is only read: an argument, a global. `value(k)` is that of key number `k`."""

    keys: tuple[Any, ...]
    value: Callable[[int], Abstract]


@dataclass(frozen=True, eq=False)
class DeferredText:
    """A text that holds numbers of the run: what Python makes it of after the call (`adcore.ir.exceptions`)."""

    operation: str
    items: tuple[Abstract, ...]


@dataclass(frozen=True, eq=False)
class ExceptionValue:
    """An exception that is made, and perhaps raised: its class and what that is called with."""

    cls: type[BaseException]
    args: tuple[Abstract, ...]
    keywords: tuple[tuple[str, Abstract], ...] = ()


@dataclass(frozen=True, eq=False)
class Record:
    """A named tuple or a dataclass instance."""

    cls: type
    fields: tuple[tuple[str, Abstract], ...]


@dataclass(frozen=True, eq=False)
class ObjectRef:
    """An instance of a class: a reference to a cell, whose items are its attributes in the order of `Session.slots`."""

    cell: int
    cls: type


@dataclass(frozen=True, eq=False)
class Super:
    """`super()`: attributes of `owner` that are looked up in the classes behind `after`."""

    owner: Abstract
    after: type


@dataclass(frozen=True, eq=False)
class BoundMethod:
    """A method of an object, or of a class, not yet called."""

    owner: Abstract
    function: Any


@dataclass(frozen=True, eq=False)
class PartialCall:
    """`functools.partial(function, *positional, **keywords)`."""

    function: Abstract
    positional: tuple[Abstract, ...]
    keywords: tuple[tuple[str, Abstract], ...]


@dataclass(frozen=True, eq=False)
class UnreadAttribute:
    """An attribute of an object from outside that nobody has read yet. All states share it: what it is, is found out
    once (`frontend.objects.slots`)."""

    find: Callable[[], Abstract]


@dataclass(frozen=True, eq=False)
class Uniform:
    """A list or tuple argument of like items whose length is known at run time; see `UniformArg`."""

    kind: str
    item: ArgType
    leaves: tuple[Value, ...]
    writeable: tuple[bool, ...]
    roots: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Range:
    """`range(lo, hi, step)`; the bounds are integers (Const or Num)."""

    lo: Abstract
    hi: Abstract
    step: Abstract


@dataclass(frozen=True, eq=False)
class IterableValue:
    """What a `for` can run over: `length` (Const or Num) items, each made by `item(k)` for 0 <= k < length.

    `mixed`: the items may differ in kind, so that the loop has to be unrolled."""

    length: Abstract
    item: Callable[[Abstract], Abstract]
    what: str
    mixed: bool = False


@dataclass(frozen=True, eq=False)
class FilteredValues:
    """`item for target in iterable if condition` where only a run tells how many items that are: for each number
    k < `length`, `each(k, use)` compiles that `use` gets the item, if there is one."""

    length: Abstract
    each: Callable[[Abstract, Callable[[Abstract], None]], None]


@dataclass(frozen=True, eq=False)
class Closure:
    """A function or lambda defined inside the compiled function; `scope` is where its free names live."""

    node: ast.FunctionDef | ast.Lambda
    scope: DefiningScope
    defaults: tuple[tuple[str, Abstract], ...]

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "<lambda>")


@dataclass(frozen=True, eq=False)
class Method:
    """A method of an abstract value, not yet called."""

    owner: Abstract
    name: str


@dataclass(frozen=True, eq=False)
class SubscriptSlice:
    """`lo:hi:step` inside a subscript."""

    lo: Abstract
    hi: Abstract
    step: Abstract


@dataclass(frozen=True, eq=False)
class Poison:
    """The result of something that was already reported; everything that touches it stays silent."""


@dataclass(frozen=True, eq=False)
class Conflict:
    """Values that can't be one variable: reported when (and only if) it is read."""

    title: str
    help: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Unbound:
    """A local name without a value."""


@dataclass(frozen=True, eq=False)
class PossiblyUnbound:
    """A local name that has a value only if `bound` (a bool) holds at run time."""

    inner: Abstract
    bound: Abstract


@dataclass(frozen=True, eq=False)
class PossiblyNone(PossiblyUnbound):
    """A value that is a number if `bound` holds at run time, and None otherwise."""


Steps = Generator[tuple[Lazy, Sequence[Value]], "Abstract", "Abstract"]
"""Asks for elements of expressions at subscripts, and returns an element."""

Abstract = (
    Constant | Num | ArrayRef | Expanded | Reshaped | Lazy | BooleanIndexed | Items | ListRef | DictRef | OutsideDict
    | Record | ObjectRef | Uniform | Range | Super | BoundMethod | PartialCall | UnreadAttribute | IterableValue
    | Closure | Method | SubscriptSlice | Poison | Conflict | Unbound | PossiblyUnbound | FilteredValues | DeferredText
    | ExceptionValue
)  # fmt: skip

NONE = Constant(None)
TRUE = Constant(True)
FALSE = Constant(False)
POISON = Poison()
MARK = Constant(type("list that has grown", (), {}))
"""What the cell of a list starts with that has grown (`values/containers/growing.py`): no program has this value."""
UNBOUND = Unbound()


def is_number(value: Any) -> bool:
    """A Python or NumPy number (bool included, complex not)."""
    return isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))


def is_scalar(value: Abstract) -> bool:
    """A number, known or not."""
    return isinstance(value, Num) or (isinstance(value, Constant) and is_number(value.value))


def is_grown(items: tuple[Abstract, ...]) -> bool:
    """Whether a list holds its mark, its memory and how many items there are, in place of the items."""
    return len(items) == 3 and items[0] is MARK


def is_array(value: Abstract) -> bool:
    """A NumPy array of one axis or more, in memory or not; lists that are kept in memory are none."""
    if isinstance(value, ArrayRef):
        return value.literal is None and value.rank > 0
    return isinstance(value, (Expanded, Reshaped, Lazy, BooleanIndexed))
