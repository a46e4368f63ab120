"""`round(x, n)` to the last bit: at numbers on, beside and far from halves, and where floats are as far apart."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest

from adcore.ir import F32, F64, Builder, Function, Scalar, Value
from adcore.ops import TABLE
from adcore.ops.decimals import MOST_PLACES
from tests.lower.native import Native


def rounding(places: int, type_: Scalar = F64) -> Native:
    builder = Builder(TABLE)
    x = Value(type_)
    return Native(Function("rounded", builder.finish([x], [builder.emit("round_decimal", x, places=places)])))


def numbers(places: int) -> list[float]:
    """Half of a last place and its neighbours, the numbers around 2**53 last places, and any bits."""
    rng = random.Random(places)
    unit = 10.0**-places
    found = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7e308, 2.675, 2.5]
    for _ in range(150):
        halves = (rng.randrange(10 ** rng.randrange(1, 17)) + 0.5) * unit
        dyadic = rng.randrange(2**20) / 2 ** rng.randrange(1, 20) * max(unit, 1.0)
        at_the_end = (2.0**53 + rng.randrange(-40, 40) / 4) * unit
        (bits,) = struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))
        around = [math.nextafter(halves, side) for side in (-math.inf, math.inf)]
        found += [halves, *around, -halves, dyadic, -dyadic, at_the_end, -at_the_end, bits]
    return found


@pytest.mark.parametrize("places", [1, 2, 3, 7, 15, MOST_PLACES, -1, -2, -5, -16, -MOST_PLACES])
def test_is_pythons_to_the_last_bit(places: int) -> None:
    native = rounding(places)
    for x in numbers(places):
        expected, actual = round(x, places), native(x)[0]
        same = expected == actual and math.copysign(1.0, expected) == math.copysign(1.0, actual)
        assert same or (math.isnan(expected) and math.isnan(actual)), (x.hex(), expected, actual)
    assert native.artifact.certificate.proven


def test_single_precision_is_rounded_through_double() -> None:
    native = rounding(2, F32)
    for x in np.random.default_rng(3).uniform(-9, 9, 200).astype(np.float32):
        assert native(x)[0] == np.float32(round(float(x), 2))
