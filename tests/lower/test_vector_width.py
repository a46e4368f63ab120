"""An iteration takes one vector where its additions wait for each other anyhow, and as many as LLVM likes elsewhere."""

from __future__ import annotations

import pytest

from adcore.ir import F64, parse_function
from adcore.lower import lower, vector_math

LOOP = """
func @f(%x: array<f64,1,C>, %y: array<f64,1,C>, %s: f64) -> (f64, f64) {{
  %zero: i64 = const [type='i64', value=0]
  %n: i64 = dim %x [axis=0]
  %t: f64, %r: f64 = for %zero, %n, %s, %s [step=1] {{
  (%i: i64, %u: f64, %q: f64):
    %a: f64 = load %x, %i
{body}
    yield {yields}
  }}
  return %t, %r
}}
"""

SUM = "    %v: f64 = add %u, %a"
STORED = SUM + "\n    %c: f64 = mul %a, %a\n    accumulate %c, %y, %i"
NEXT = SUM + "\n    %w: f64 = mul %a, %s [flags='adjoint']"
READ_BY_THE_NEXT = NEXT + "\n    %c: f64 = add %w, %q [flags='adjoint']\n    accumulate %c, %y, %i"
FREE_BESIDE = SUM + "\n    %w: f64 = add %q, %a [flags='adjoint']"
FREE_IN_TWO_STEPS = FREE_BESIDE + "\n    %z: f64 = add %w, %a [flags='adjoint']"
FREE_ALONE = "    %v: f64 = add %u, %a [flags='adjoint']"
NO_SUM = "    %v: f64 = mul %a, %a"
BRANCH = SUM + "\n    %b: bool = lt %a, %s\n    if %b {\n    ():\n      yield\n    } {\n    ():\n      yield\n    }"


def one_vector(body: str, yields: str, *, fastmath: bool = False) -> bool:
    text = lower(parse_function(LOOP.format(body=body, yields=yields)), fastmath=fastmath).text
    return "llvm.loop.interleave.count" in text


@pytest.mark.parametrize(
    ("body", "yields"), [(SUM, "%v, %q"), (STORED, "%v, %q"), (NEXT, "%v, %w"), (READ_BY_THE_NEXT, "%v, %w")]
)
def test_sums_in_the_order_of_the_user_take_one(body: str, yields: str) -> None:
    assert one_vector(body, yields)


@pytest.mark.parametrize(
    ("body", "yields"),
    [
        (FREE_BESIDE, "%v, %w"),
        (FREE_IN_TWO_STEPS, "%v, %z"),
        (FREE_ALONE, "%v, %q"),
        (NO_SUM, "%v, %q"),
        (BRANCH, "%v, %q"),
    ],
)
def test_other_loops_are_left_to_llvm(body: str, yields: str) -> None:
    assert not one_vector(body, yields)


def test_sums_are_free_with_fastmath() -> None:
    assert not one_vector(SUM, "%v, %q", fastmath=True)


@pytest.mark.skipif(not vector_math.host().variants("exp", F64, 1), reason="no vector functions on this machine")
def test_calls_of_vector_functions_keep_their_lanes() -> None:
    """A lane computes other last bits than the scalar function: how many lanes there are is seen in results."""
    assert not one_vector("    %e: f64 = exp %a\n    %v: f64 = add %u, %e", "%v, %q")
