"""Arguments as trees and as vectors: copies keep strides, flags and overlaps; every component has a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from pytest_adalloc.checks.inputs.arguments import Moved, Point, Replica


class Pair(NamedTuple):
    mass: float
    place: Any


@dataclass(frozen=True, slots=True)
class Body:
    speed: Any
    charge: float
    label: str = "electron"


def tree() -> tuple[Any, ...]:
    body = Body(np.arange(4.0).reshape(2, 2), -1.0)
    return ([np.ones(2), np.zeros(3)], Pair(2.0, np.array([5.0])), body, {"k": 0.5}, 7, True)


def test_paths_are_those_of_the_source() -> None:
    point = Point(("a", "p", "b", "d", "n", "flag"), tree())
    assert [leaf.path for leaf in point.leaves if leaf.moves] == [
        "a[0]", "a[1]", "p.mass", "p.place", "b.speed", "b.charge", "d['k']"
    ]  # fmt: skip
    assert [point.spelled(k) for k in (0, 4, 5, 6, 10, 11, 12)] == [
        "a[0][0]", "a[1][2]", "p.mass", "p.place[0]", "b.speed[1, 1]", "b.charge", "d['k']"
    ]  # fmt: skip
    assert point.place(9) == ("b.speed", (1, 0))
    assert point.size == 13


def test_a_vector_comes_back_in_the_structure_of_the_arguments() -> None:
    point = Point(("a", "p", "b", "d", "n", "flag"), tree())
    a, p, b, d = point.split(np.arange(13.0))
    assert a[0].tolist() == [0, 1]
    assert a[1].tolist() == [2, 3, 4]
    assert p == Pair(5.0, np.array([6.0]))
    assert b.speed.tolist() == [[7, 8], [9, 10]]
    assert (b.charge, b.label, d) == (11.0, None, {"k": 12.0})


def test_copies_share_memory_as_the_originals_do() -> None:
    base = np.arange(10.0)
    copies = Replica((base[2:8:2], base[::-1], base[4:], np.zeros(3))).arguments()
    copies[2][0] = 99.0
    assert copies[0].tolist() == [2, 99, 6]
    assert copies[1][5] == 99.0
    assert base[4] == 4.0
    assert not np.shares_memory(copies[0], copies[3])


def test_copies_keep_strides_and_flags() -> None:
    frozen = np.arange(6.0).reshape(2, 3).T
    frozen.flags.writeable = False
    copied = Replica((frozen,)).arguments()[0]
    assert copied.strides == frozen.strides
    assert copied.tolist() == frozen.tolist()
    assert not copied.flags.writeable


@pytest.mark.parametrize("array", [np.zeros(0), np.zeros((0, 3)), np.array(4.0), np.broadcast_to(2.0, (3, 4))])
def test_odd_arrays_are_copied(array: Any) -> None:
    copied = Replica((array,)).arguments()[0]
    assert copied.shape == array.shape
    assert copied.tolist() == array.tolist()


def test_a_function_may_write_into_arguments_and_lists() -> None:
    def f(x: Any, numbers: list[float]) -> None:
        x[:] = 0.0
        numbers[0] = -1.0

    x, numbers = np.ones(3), [1.0, 2.0]
    moved = Moved(Point(("x", "numbers"), (x, numbers)))
    for _ in range(2):
        at = moved.at()
        assert (at[0].tolist(), at[1]) == ([1, 1, 1], [1.0, 2.0])
        f(*at)
        assert moved.written() == (0,)
    assert x.tolist() == [1, 1, 1]
    assert numbers == [1.0, 2.0]


def test_moving_one_component_and_all() -> None:
    point = Point(("x", "s"), (np.array([1.0, 2.0]), np.float32(3.0)))
    moved = Moved(point)
    x, s = moved.along(1, 0.5)
    assert (x.tolist(), s) == ([1.0, 2.5], 3.0)
    x, s = moved.along(2, 0.25)
    assert (x.tolist(), s, type(s)) == ([1.0, 2.0], 3.25, np.float32)
    x, s = moved.at(np.array([7.0, 8.0, 9.0]))
    assert (x.tolist(), s) == ([7.0, 8.0], 9.0)


def test_what_is_differentiated_is_chosen() -> None:
    args = (1.0, 2, np.ones(2))
    assert Point(("x", "n", "y"), args).wrt == (0, 2)
    assert Point(("x", "n", "y"), args, "y").wrt == (2,)
    assert Point(("x", "n", "y"), args, (0, "y")).wrt == (0, 2)
    assert Point(("x", "n", "y"), args, -1).wrt == (2,)
    for wrt, reason in (("z", "there is no such argument; the arguments are x, n, y"), ("n", "n holds no floating")):
        with pytest.raises(TypeError, match=reason):
            Point(("x", "n", "y"), args, wrt)
    with pytest.raises(TypeError, match=r"nothing to differentiate: no argument of \(n\)"):
        Point(("n",), (3,))


def test_the_narrowest_type_counts() -> None:
    assert Point(("x", "y"), (np.ones(2, np.float32), 1.0)).dtype == np.float32
    assert Point(("x", "n"), (1.0, np.ones(2, np.int8))).dtype == np.float64
