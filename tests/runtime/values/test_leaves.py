"""Taking arguments apart and putting results together."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from adcore.runtime.values.arguments import describe
from adcore.runtime.values.leaves import exact, flatten, rebuild, zeros
from adcore.signature import leaves

Point = namedtuple("Point", "x y")


@dataclass
class Body:
    mass: float
    position: Any
    name: str = "body"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.mass == other.mass and np.array_equal(self.position, other.position)


@dataclass(frozen=True)
class Frozen:
    value: float

    def __post_init__(self) -> None:
        assert self.value > 0, "derivatives need not be valid values"


VALUES = [
    2.0,
    [1.0, 2.0],
    (1.0, 2.0),
    Point(1.0, [1.0, 2.0]),
    [Body(1.0, np.ones(2)), Body(2.0, np.zeros(2))],
    ([np.ones(2), np.zeros(2)], 1.0),
    (Body(1.0, np.ones(2)), [3.0]),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_round_trip(value: Any) -> None:
    kind = describe(value, "a")
    flat = flatten([kind], [value]).values
    assert len(flat) == len(list(leaves(kind, "a")))
    assert str(rebuild(kind, iter(flat), exact)) == str(value).replace("'body'", "None")


def test_what_has_no_derivative_is_none() -> None:
    kind = describe((1, "a", 2.0), "a")
    assert rebuild(kind, iter([None, 3.0])) == (None, None, 3.0)


def test_a_frozen_record_is_rebuilt_without_its_checks() -> None:
    assert rebuild(describe(Frozen(1.0), "a"), iter([-1.0])).value == -1.0


def test_lists_of_numbers_are_written_back() -> None:
    numbers = [1.0, 2.0]
    flattened = flatten([describe(numbers, "a")], [numbers])
    flattened.values[0][0] = 5.0
    flattened.packed[0].write_back()
    assert numbers == [5.0, 2.0]
    assert type(numbers[0]) is float


def test_numbers_in_records_are_written_back() -> None:
    bodies = [Body(1.0, np.ones(2)), Body(2.0, np.ones(2))]
    flattened = flatten([describe(bodies, "a")], [bodies])
    flattened.packed[0].array[:] = 7.0
    flattened.packed[0].write_back()
    assert [b.mass for b in bodies] == [7.0, 7.0]


def test_frozen_records_and_tuples_are_not_written_back() -> None:
    points = [Point(1.0, 2.0), Point(3.0, 4.0)]
    flattened = flatten([describe(points, "a")], [points])
    for packed in flattened.packed:
        packed.array[:] = 0.0
        packed.write_back()
    assert points == [Point(1.0, 2.0), Point(3.0, 4.0)]


def test_zeros_keep_shape_and_dtype() -> None:
    shadow = zeros((np.ones((2, 3), np.float32), np.ones(0)))
    assert [(s.shape, s.dtype) for s in shadow] == [((2, 3), np.float32), ((0,), np.float64)]
