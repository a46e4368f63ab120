"""Which kind of argument a value is, and what is refused."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from adcore.errors import ArgumentError
from adcore.runtime.values.arguments import describe, signature
from adcore.signature import ArrayArg, RecordArg, ScalarArg, SequenceArg, StaticArg, UniformArg

Point = namedtuple("Point", "x y")


@dataclass
class Body:
    mass: float
    position: Any
    name: str = "body"


MATRIX = np.zeros((3, 4))

KINDS = [
    (2.0, ScalarArg("f64")),
    (3, ScalarArg("i64")),
    (True, ScalarArg("bool")),
    (np.float64(1), ScalarArg("f64", weak=False)),
    (np.float32(1), ScalarArg("f32", weak=False)),
    (np.int8(1), ScalarArg("i8", weak=False)),
    (np.bool_(True), ScalarArg("bool", weak=False)),
    (np.zeros(()), ArrayArg("f64", 0)),
    (MATRIX, ArrayArg("f64", 2)),
    (MATRIX.T, ArrayArg("f64", 2, "S")),
    (np.asfortranarray(MATRIX), ArrayArg("f64", 2, "S")),
    (MATRIX[::-1], ArrayArg("f64", 2, "S")),
    (np.zeros((0, 4)), ArrayArg("f64", 2)),
    (np.zeros(3, np.longlong), ArrayArg("i64", 1)),
    (np.zeros(3, bool), ArrayArg("bool", 1)),
    (np.broadcast_to(1.0, (3,)), ArrayArg("f64", 1, "S", writeable=False)),
    ([1.0, 2.0], UniformArg("list", ScalarArg("f64"))),
    ([1, 2], UniformArg("list", ScalarArg("i64"))),
    ([1, 2.0], SequenceArg("list", (ScalarArg("i64"), ScalarArg("f64")))),
    ((1.0, 2.0), SequenceArg("tuple", (ScalarArg("f64"), ScalarArg("f64")))),
    ([], SequenceArg("list", ())),
    ([MATRIX, np.asfortranarray(MATRIX)], UniformArg("list", ArrayArg("f64", 2, "S"))),
    # Other numbers of columns: layers, one kind each.
    ([MATRIX, MATRIX.T[:2]], SequenceArg("list", (ArrayArg("f64", 2), ArrayArg("f64", 2, "S")))),
    ((MATRIX, MATRIX), UniformArg("tuple", ArrayArg("f64", 2))),
    ([MATRIX, np.zeros(3)], SequenceArg("list", (ArrayArg("f64", 2), ArrayArg("f64", 1)))),
    ([[1.0], [2.0, 3.0]], SequenceArg("list", (UniformArg("list", ScalarArg("f64")),) * 2)),
    (Point(1.0, 2), RecordArg(Point, (("x", ScalarArg("f64")), ("y", ScalarArg("i64"))))),
    (
        [Body(1.0, MATRIX), Body(2.0, MATRIX)],
        UniformArg(
            "list",
            RecordArg(
                Body, (("mass", ScalarArg("f64")), ("position", ArrayArg("f64", 2)), ("name", StaticArg("body")))
            ),
        ),
    ),
    (None, StaticArg(None)),
    ("text", StaticArg("text")),
    (math.sin, StaticArg(math.sin)),
    (math, StaticArg(math)),
]


@pytest.mark.parametrize(("value", "kind"), KINDS, ids=[str(k) for k in range(len(KINDS))])
def test_kind(value: Any, kind: Any) -> None:
    assert describe(value, "a") == kind


def test_bodies_that_differ_in_a_static_field_are_taken_apart() -> None:
    described = describe([Body(1.0, MATRIX), Body(2.0, MATRIX, "sun")], "bodies")
    assert isinstance(described, SequenceArg)


@dataclass
class Incomplete:
    value: float = field(init=False)


REFUSED = [
    (1j, "is a complex", "real and the imaginary part"),
    (np.zeros(3, complex), "complex array", ".real"),
    (np.zeros(3, ">f8"), "swapped byte order", "newbyteorder"),
    (np.array([1, "a"], object), "Python objects", "dtype=float"),
    (np.zeros(3, np.float16), "float16", "astype"),
    (np.zeros(3, "U4"), "<U4", "astype"),
    (np.frombuffer(bytes(25), np.uint8)[1:].view(np.float64), "not aligned", ".copy()"),
    (np.ma.masked_array([1.0]), "MaskedArray", "np.asarray"),
    ({1.0}, "a set", "list"),
    (2**70, "beyond 64 bits", "float"),
    ([2**70], "beyond 64 bits", "float"),
    ([1, 2.0] * 200, "400 items", "array"),
    (Incomplete(), "no value for its field `value`", ""),
]


@pytest.mark.parametrize(("value", "what", "instead"), REFUSED, ids=[what for _, what, _ in REFUSED])
def test_refused(value: Any, what: str, instead: str) -> None:
    with pytest.raises(ArgumentError) as refusal:
        describe(value, "a")
    (finding,) = refusal.value.diagnostics
    assert what in finding.title
    assert "`a" in finding.title
    assert instead in finding.help


def test_every_bad_argument_is_reported_at_once() -> None:
    with pytest.raises(ArgumentError) as refusal:
        signature(["x", "y", "z"], [1j, 2.0, {1.0}])
    assert [d.title.split("`")[1] for d in refusal.value.diagnostics] == ["x", "z"]


def test_a_million_numbers_are_described_quickly() -> None:
    assert describe([0.5] * 1_000_000, "xs") == UniformArg("list", ScalarArg("f64"))
