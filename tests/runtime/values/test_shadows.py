"""Shadows: refused with the argument's name unless they fit."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from adcore.errors import ArgumentError
from adcore.runtime.values.arguments import describe
from adcore.runtime.values.shadows import check_overlaps, check_structure

Point = namedtuple("Point", "x y")
X = np.ones((2, 3))
READ_ONLY = np.zeros((2, 3))
READ_ONLY.flags.writeable = False

REFUSED = [
    (X, np.zeros((3, 2)), r"the shadow of `a` has shape \(3, 2\); `a` has shape \(2, 3\)"),
    (X, np.zeros((2, 3), np.float32), "dtype float32"),
    (X, np.zeros((2, 3), ">f8"), "swapped byte order"),
    (X, [[0.0] * 3] * 2, "is a list; it must be an array"),
    (X, READ_ONLY, "is read-only"),
    (X, np.lib.stride_tricks.as_strided(np.zeros(3), (2, 3), (0, 8)), "overlaps itself"),
    (2.0, np.zeros(1), "must be a number"),
    ([X, X], [X], "a list of 1; it must be a list of 2"),
    ([X, X], [X.copy(), np.zeros(3)], r"the shadow of `a\[1\]` has shape"),
    ([1.0, 2.0], np.zeros(2), "a ndarray of 2; it must be a list of 2"),
    (Point(X, 1.0), (X, 1.0), "is a tuple; it must be a Point"),
    (Point(X, 1.0), Point(np.zeros(2), 1.0), r"the shadow of `a\.x` has shape"),
]


@pytest.mark.parametrize(("value", "shadow", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_refused(value: Any, shadow: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_structure("a", describe(value, "a"), value, shadow)


@pytest.mark.parametrize(
    ("value", "shadow"),
    [(X, np.zeros((2, 3))), (X, np.zeros((3, 2)).T), (2.0, 1), ([1.0], [0.0]), ((X, 1), (X.copy(), None)), (3, None)],
)
def test_accepted(value: Any, shadow: Any) -> None:
    check_structure("a", describe(value, "a"), value, shadow)


def test_a_read_only_tangent_is_fine_where_nothing_is_written() -> None:
    check_structure("a", describe(X, "a"), X, READ_ONLY, writes=False)


def test_memory() -> None:
    b = np.zeros(10)
    db = np.zeros(10)
    none: frozenset[int] = frozenset()
    check_overlaps(["x", "y"], [b[:5], b[5:]], [db[:5], db[5:]], none)
    check_overlaps(["x", "y"], [b, b], [db, db], frozenset({0}))
    check_overlaps(["x", "y"], [b, b], [db, db.copy()], none)
    for primals, shadows, written, message in [
        ([b, b], [b, None], none, "shares memory with `x` itself"),
        ([b, db], [db, None], none, "shares memory with the argument `y`"),
        ([b, b.copy()], [db, db], none, "the shadows of `x` and `y` share memory, and the arguments do not"),
        ([b, b], [db, db.copy()], frozenset({1}), "share memory that the function writes"),
        ([b[:5], b[1:6]], [db[:5], db[2:7]], none, "in another way"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            check_overlaps(["x", "y"], primals, shadows, written)
