"""Frames: what is put in comes out, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcore.abi.faults import Fault
from adcore.abi.frame import FIRST, FrameLayout
from adcore.ir.types import F64, I64, SCALARS, ArrayType, ListType
from adcore.runtime.arena import SMALLEST, Arena
from adcore.runtime.faults import raise_fault
from adcore.runtime.frames import Frame, array_words, pack_scalar, read_scalar, view_at
from adcore.runtime.workspaces import Lease
from adcore.source import Span


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("f64", [0.0, -0.0, 1.5, float("inf")]), ("f32", [0.1, -2.0]), ("i64", [-(2**63), 2**63 - 1]),
        ("u64", [0, 2**64 - 1]), ("i8", [-128, 127]), ("u8", [255]), ("bool", [True, False, np.bool_(True)]),
    ],
)  # fmt: skip
def test_scalars(name: str, values: list[Any]) -> None:
    words = np.full(3, -1, np.int64)
    for value in values:
        pack_scalar(words, 1, SCALARS[name], value)
        assert read_scalar(words, 1, SCALARS[name]) == (np.float32(value) if name == "f32" else value)
        assert np.signbit(float(read_scalar(words, 1, SCALARS[name]))) == np.signbit(float(value))
        assert list(words[[0, 2]]) == [-1, -1]


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0).reshape(3, 4)[::-1, ::2], np.arange(3, dtype=np.int16), np.array(2.0), np.zeros((0, 3)),
     np.arange(3) > 1],
    ids=["strided", "narrow", "scalar", "empty", "bool"],
)  # fmt: skip
def test_arrays(array: Any) -> None:
    names = {"float64": "f64", "int16": "i16", "bool": "bool"}
    seen = view_at(array_words(array), ArrayType(SCALARS[names[array.dtype.name]], array.ndim))
    assert seen.dtype == array.dtype
    assert np.array_equal(seen, array)


def test_layout() -> None:
    layout = FrameLayout.of([F64, ArrayType(F64, 2, "C"), ListType(F64, 1), I64], [F64, ArrayType(F64, 1)])
    assert layout.param_words == (FIRST, FIRST + 1, FIRST + 6, FIRST + 8)
    assert layout.result_words == (FIRST + 9, FIRST + 10)
    assert layout.size == FIRST + 13


def test_lists_go_through_a_table() -> None:
    layout = FrameLayout.of([ListType(F64, 1)], [])
    frame = Frame(layout)
    items = (np.ones(2), np.ones(6)[::3])
    frame.set_param(0, items)
    table, value = frame.pinned[0]
    assert value is items
    assert list(frame.words[FIRST : FIRST + 2]) == [table.__array_interface__["data"][0], 2]
    assert [list(row[1:]) for row in table] == [[2, 8], [2, 24]]


def test_a_workspace_is_reserved_once_and_used_again() -> None:
    first = Lease()
    second = Lease()
    assert first.end - first.base >= SMALLEST
    assert first.end <= second.base or second.end <= first.base
    base = first.base
    first.release()
    first.release()
    third = Lease()
    assert third.base == base
    del second, third
    assert Lease().base == base


def test_an_arena_can_be_small() -> None:
    small = Arena(SMALLEST)
    assert (small.base % 4096, small.size) == (0, SMALLEST)


def test_a_fault_is_raised_at_the_users_line() -> None:
    fault = Fault("IndexError", "index {0} is out of bounds for size {1}", Span(__file__, 7, 0, 7, 10))
    frame = Frame(FrameLayout.of([], [], details=2))
    frame.words[:2] = 10, 3
    with pytest.raises(IndexError, match="index 10 is out of bounds for size 3") as raised:
        raise_fault(fault, frame, "kernel")
    last = raised.traceback[-1]
    assert (str(last.path), last.lineno + 1, last.name) == (__file__, 7, "kernel")
    assert raised.value.span == fault.span  # type: ignore[attr-defined]
