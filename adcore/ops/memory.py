"""Arrays, storage for the reverse sweep, checks and control flow.

Arrays are descriptors with a root (a parameter or an `alloc`); views keep their root. In the interpreter an array is a
NumPy array, a list of arrays is a Python list.

`view` maps each source axis: attribute `axes` is a string with "i" (an index operand: the axis is dropped) or "s"
(three operands start, count, step: the axis is kept) per source axis; operands follow in axis order.
Index and count operands are normalised (non-negative, checked) before they reach a memory op.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adcore.ir.core import Attributes, Instr
from adcore.ir.exceptions import AssignedBefore, Raising, made_error
from adcore.ir.types import BOOL, I64, NUMPY_NAMES, SCALARS, ArrayType, ListType, Type
from adcore.ops.define import Op, OpTypeError, element_of
from adcore.ops.effects import REGIONS, STOPS, VALUE, Axis, Effects, View, adds, reads, writes

RECORDS = "records"
"""What `push` and `pop` use in the order of the program."""


def _indices(types: tuple[Type, ...], count: int, name: str) -> None:
    if types != (I64,) * count:
        raise OpTypeError(f"{name} takes {count} integer subscripts, not ({', '.join(map(str, types))})")


def load_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    array = types[0]
    element = element_of(array)
    assert isinstance(array, ArrayType)
    _indices(types[1:], array.rank, "load")
    return (element,)


def store_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    value, array = types[:2]
    if element_of(array) != value:
        raise OpTypeError(f"cannot put {value} into {array}")
    assert isinstance(array, ArrayType)
    _indices(types[2:], array.rank, "store")
    return ()


def evaluate_load(array: Any, *index: int) -> Any:
    value = array[index]
    return value if value.dtype == np.float32 else value.item()


def evaluate_store(value: Any, array: Any, *index: int) -> None:
    array[index] = value


def evaluate_accumulate(value: Any, array: Any, *index: int) -> None:
    array[index] += value


def dim_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) != 1 or not isinstance(types[0], ArrayType) or not 0 <= attrs["axis"] < types[0].rank:
        raise OpTypeError(f"dim does not accept ({', '.join(map(str, types))}) with {attrs}")
    return (I64,)


def view_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    array, axes = types[0], attrs["axes"]
    if not isinstance(array, ArrayType) or len(axes) != array.rank or set(axes) - set("is"):
        raise OpTypeError(f"view with axes {axes!r} of {array}")
    _indices(types[1:], axes.count("i") + 3 * axes.count("s"), "view")
    dropped_only_in_front = array.layout == "C" and axes == "i" * axes.count("i") + "s" * axes.count("s")
    whole = bool(attrs.get("whole")) and dropped_only_in_front
    return (ArrayType(array.element, axes.count("s"), "C" if whole or not axes.count("s") else "S"),)


def evaluate_view(array: Any, *operands: int, axes: str, whole: bool = False) -> Any:
    position, key = 0, []
    for axis in axes:
        if axis == "i":
            key.append(slice(operands[position], operands[position] + 1))
            position += 1
        else:
            start, count, step = operands[position : position + 3]
            stop = start + count * step
            key.append(slice(start, stop if stop >= 0 else None, step) if count else slice(0, 0))
            position += 3
    return np.squeeze(array[tuple(key)], axis=tuple(k for k, axis in enumerate(axes) if axis == "i"))


def transpose_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    (array,) = types
    if not isinstance(array, ArrayType) or sorted(attrs["permutation"]) != list(range(array.rank)):
        raise OpTypeError(f"transpose by {attrs['permutation']} of {array}")
    same = tuple(attrs["permutation"]) == tuple(range(array.rank))
    return (ArrayType(array.element, array.rank, array.layout if same else "S"),)


def alloc_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    _indices(types, len(types), "alloc")
    packed = bool(attrs.get("packed"))
    if packed and (attrs["element"] != "bool" or not types):
        raise OpTypeError("only rows of truth values are packed")
    return (ArrayType(SCALARS[attrs["element"]], len(types), "P" if packed else "C"),)


def evaluate_alloc(
    *shape: int, element: str, zero: bool = False, role: str = "", packed: bool = False, late: bool = False
) -> Any:
    if any(n < 0 for n in shape):
        raise ValueError("negative dimensions are not allowed")
    if zero:
        return np.zeros(shape, NUMPY_NAMES[element])
    # Not zero, so that a program (or a pass) that reads what nothing wrote is noticed.
    return np.full(shape, np.nan if element[0] == "f" else 1, NUMPY_NAMES[element])


def item_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) != 2 or not isinstance(types[0], ListType) or types[1] != I64:
        raise OpTypeError(f"item does not accept ({', '.join(map(str, types))})")
    return (ArrayType(types[0].element, types[0].rank, types[0].layout),)


def count_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) != 1 or not isinstance(types[0], ListType):
        raise OpTypeError("count takes a list of arrays")
    return (I64,)


def index_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    _indices(types, 2, "index")
    return (I64,)


def evaluate_index(i: int, n: int, axis: int = 0) -> int:
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")
    return i + n if i < 0 else i


def check_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if not types or types[0] != BOOL:
        raise OpTypeError("check takes a condition")
    return ()


FAULTS: dict[str, type[Exception]] = {
    "IndexError": IndexError, "ZeroDivisionError": ZeroDivisionError, "ValueError": ValueError,
    "OverflowError": OverflowError, "TypeError": TypeError,
    "AssertionError": AssertionError, "UnboundLocalError": UnboundLocalError, "RuntimeError": RuntimeError,
    "ArithmeticError": ArithmeticError, "FloatingPointError": FloatingPointError, "KeyError": KeyError,
    "NotImplementedError": NotImplementedError, "AttributeError": AttributeError,
}  # fmt: skip


def evaluate_check(
    condition: bool, *details: Any, error: str, message: str, raising: Raising | None = None,
    assigned: AssignedBefore | None = None,
) -> None:  # fmt: skip
    if not condition:
        if assigned is not None:
            details = details[: assigned.first]
        if raising is not None:
            pairs = zip(details, raising.kinds, strict=True)
            raise made_error(raising, [x if weak else np.dtype(NUMPY_NAMES[t]).type(x) for x, (t, weak) in pairs])
        raise FAULTS[error](message.format(*details)) if message else FAULTS[error]()


def any_types(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    return ()


def pop_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    return tuple(SCALARS[name] for name in attrs["types"])


def pack_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    tile, row = types[0], types[2]
    packed = isinstance(row, ArrayType) and row.layout == "P"
    if tile != ArrayType(BOOL, 1, "C") or types[1] != I64 or not isinstance(row, ArrayType) or not packed:
        raise OpTypeError(f"a tile and a packed array, not ({', '.join(map(str, types))})")
    _indices(types[3:], row.rank, "pack")
    return ()


def evaluate_pack(tile: Any, octet: int, array: Any, *index: int) -> None:
    row = array[index[:-1]][8 * index[-1] :][:8]
    row[:] = tile[8 * octet :][: len(row)]


def evaluate_unpack(tile: Any, octet: int, array: Any, *index: int) -> None:
    row = array[index[:-1]][8 * index[-1] :][:8]
    tile[8 * octet :][: len(row)] = row


def view_axes(instr: Instr) -> list[Axis]:
    operands, axes, given = iter(instr.operands[1:]), [], 0
    for kind in instr.attrs["axes"]:
        start = next(operands)
        if kind == "i":
            axes.append(Axis(start))
        else:
            next(operands)
            axes.append(Axis(start, given, next(operands)))
            given += 1
    return axes


def transpose_axes(instr: Instr) -> list[Axis]:
    permutation = instr.attrs["permutation"]
    return [Axis(given=permutation.index(axis)) for axis in range(len(permutation))]


def item_axes(instr: Instr) -> list[Axis]:
    (array,) = instr.results
    assert isinstance(array.type, ArrayType)
    return [Axis(instr.operands[1]), *(Axis(given=k) for k in range(array.type.rank))]


OPS = (
    Op("load", load_type, evaluate_load, cost=2.0, effects=Effects((reads(0, at=1),))),
    Op("store", store_type, evaluate_store, cost=2.0, effects=Effects((writes(1, at=2, value=0),))),
    # `accumulate v, a, i...` is a[i] += v with no order that the user could see: it may be reassociated.
    Op("accumulate", store_type, evaluate_accumulate, cost=3.0, effects=Effects((adds(1, at=2, value=0),))),
    # `pack tile, t, array, i..., k`: byte k of a row of a packed array becomes elements 8 t to 8 t + 7 of a tile (fewer
    # where the row ends); `unpack`: the other way round.
    Op("pack", pack_type, evaluate_pack, cost=8.0, effects=Effects((reads(0), writes(2)))),
    Op("unpack", pack_type, evaluate_unpack, cost=8.0, effects=Effects((writes(0), reads(2)))),
    Op("dim", dim_type, lambda array, axis: int(array.shape[axis]), cost=0.0, effects=VALUE),
    Op("view", view_type, evaluate_view, cost=0.0, effects=Effects(view=View(0, view_axes))),
    Op("transpose", transpose_type, lambda array, permutation: array.transpose(permutation), cost=0.0,
       effects=Effects(view=View(0, transpose_axes))),
    # `alloc n... [element, zero, role, packed, late]`: scoped to its region; role says what it is for ("": the user's
    # own array, "shadow", "stored"); truth values that are stored may be packed; late is what the reverse sweep makes.
    Op("alloc", alloc_type, evaluate_alloc, cost=8.0, effects=Effects(allocates=True, raises="memory")),
    Op("item", item_type, lambda arrays, k: arrays[k], cost=0.0, effects=Effects(view=View(0, item_axes))),
    Op("count", count_type, len, cost=0.0, effects=VALUE),
    # `index i, n [axis]`: a subscript as Python takes it: negative counts from the end, outside raises IndexError.
    Op("index", index_type, evaluate_index, effects=STOPS),
    # `check ok, detail... [error, message]` raises `error` with `message` (format fields: details) unless ok.
    Op("check", check_type, evaluate_check, effects=Effects(raises="always", asserts=True)),
    # A stack in the workspace for values whose number is not known beforehand: last in, first out.
    Op("push", any_types, None, effects=Effects(ordered=RECORDS, raises="memory")),
    Op("pop", pop_type, None, effects=Effects(ordered=RECORDS)),
    Op("for", any_types, None, effects=REGIONS),
    Op("while", any_types, None, effects=Effects(recursive=True, terminates=False)),
    Op("if", any_types, None, effects=REGIONS),
    # Replaced by what it calls before any pass looks: its own definition can say nothing about that.
    Op("call", any_types, None, effects=Effects(ordered="calls", raises="always", terminates=False)),
)  # fmt: skip
