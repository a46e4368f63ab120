"""Functions in loops: the vector library's results agree with the scalar ones, special values included."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.ir import F32, F64, Scalar, interpret, parse_function
from adcore.lower import vector_math as vectormath
from adcore.ops import TABLE
from tests.lower.native import Native

EDGES = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-310, 1e-40, 88.0, -104.0, 710.0, -746.0, 1e22, -1e22, 3e38)
UNARY = [name for name, op in TABLE.items() if op.lower is not None and op.samples and len(op.samples[0]) == 1]
BINARY = ("pow", "atan2", "hypot", "fmod", "copysign", "logaddexp", "minimum", "maximum", "div")


def program(op: str, element: Scalar, operands: int) -> str:
    attrs = {"polygamma": " [order=1]", "round_decimal": " [places=2]"}.get(op, "")
    names = "abc"[:operands]
    loads = "\n".join(f"    %x{c}: {element} = load %{c}, %i" for c in names)
    return f"""
func @f({", ".join(f"%{c}: array<{element},1,C>" for c in names)}, %out: array<{element},1,C>) -> () {{
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %a [axis=0]
  for %i0, %n [step=1] {{
  (%i: i64):
{loads}
    %y: {element} = {op} {", ".join(f"%x{c}" for c in names)}{attrs}
    store %y, %out, %i
    yield
  }}
  return
}}
"""


def inputs(operands: int, dtype: type) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    with np.errstate(over="ignore"):
        plain = [np.concatenate([rng.normal(size=64), 3 * rng.normal(size=64)]).astype(dtype) for _ in range(operands)]
        edges = np.meshgrid(*[np.array(EDGES)] * operands)
        return [np.concatenate([p, e.ravel()]).astype(dtype) for p, e in zip(plain, edges, strict=True)]


@pytest.mark.parametrize("element", [F64, F32], ids=str)
@pytest.mark.parametrize("op", [*UNARY, *BINARY])
def test_functions_in_loops(op: str, element: Scalar) -> None:
    operands = 2 if op in BINARY else 1
    dtype = np.float64 if element == F64 else np.float32
    text = program(op, element, operands)
    arguments = inputs(operands, dtype)
    out, expected = np.zeros_like(arguments[0]), np.zeros_like(arguments[0])
    native = Native(text)
    native(*arguments, out)
    with np.errstate(all="ignore"):
        interpret(parse_function(text), TABLE, (*arguments, expected))
    # libmvec promises 4 units in the last place; near a zero of the function and in subnormals that is absolute.
    rounding = 8 * np.finfo(dtype).eps
    tolerance = 1e-300 if dtype is np.float64 else 1e-37
    scale = 1.0 if op in ("lgamma", "tan", "sin", "cos", "logaddexp") else 0.0
    np.testing.assert_allclose(out, expected, rtol=rounding, atol=tolerance + rounding * scale)


def test_the_vector_library_is_used() -> None:
    if "d" not in vectormath.host().isas:
        pytest.skip("no AVX2, or no vector library")
    external = Native(program("exp", F64, 1)).artifact.certificate.external_symbols
    assert {"_ZGVdN4v_exp", "_ZGVeN8v_exp"} & set(external)
    external = Native(program("pow", F64, 2)).artifact.certificate.external_symbols
    assert {"_ZGVdN4vv_pow", "_ZGVeN8vv_pow"} & set(external)


def test_without_a_vector_library_calls_are_scalar() -> None:
    native = Native(program("exp", F64, 1), vector_math=vectormath.NO_VECTOR_MATH)
    assert native.artifact.certificate.external_symbols == ("exp",)
