"""80-bit literals against NumPy's long double, and code in 80 bits against long double arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcore.driver.evidence.twin import has_long_double
from adcore.lower.long_double import literal, with_literals

needed = pytest.mark.skipif(not has_long_double(), reason="no 80-bit numbers here")


@needed
@given(st.floats(allow_nan=False))
def test_a_literal_is_the_bytes_of_the_number(x: float) -> None:
    raw = np.longdouble(x).tobytes()[:10][::-1]
    assert literal(x) == "0xK" + raw.hex().upper()


def test_what_is_not_finite() -> None:
    assert literal(math.inf) == "0xK7FFF8000000000000000"
    assert literal(-math.inf) == "0xKFFFF8000000000000000"
    assert literal(math.nan) == "0xK7FFFC000000000000000"


def test_only_lines_about_wide_numbers_change() -> None:
    text = "  %v1 = fadd x86_fp80 %v0, 1.0\n  %v2 = fadd double %v0, 1.0\n  %v3 = fmul x86_fp80 %v1, 0x4000000000000000"
    assert with_literals(text).split("\n") == [
        "  %v1 = fadd x86_fp80 %v0, 0xK3FFF8000000000000000",
        "  %v2 = fadd double %v0, 1.0",
        "  %v3 = fmul x86_fp80 %v1, 0xK40008000000000000000",
    ]
