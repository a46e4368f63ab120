"""Products that undo a root have the derivative of what stands under it."""

from __future__ import annotations

import pytest

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.diff import squared_roots
from adcore.transform.diff.squared_roots import differentiate_squared_roots
from tests.transform.texts import check_pass, check_unchanged, docstring_texts

PARAMETERS = "%u: f64, %k: f64"


def run(function: Function) -> Function:
    return differentiate_squared_roots(function, TABLE)


def program(body: str) -> str:
    return f"func @f({PARAMETERS}) -> (f64) {{\n{body}\n}}"


def test_among_other_factors_by_its_text() -> None:
    before, after = docstring_texts(squared_roots)
    check_pass(run, program(before), program(after), arguments=[(4.0, 3.0), (2.25, -1.0)])


def test_the_sign_is_kept() -> None:
    root = "%s: f64 = sqrt %u\n%t: f64 = neg %s\n"
    after = "%p: f64 = mul %t, %s\n%q: f64 = neg %u\n%y: f64 = attach %p, %q\nreturn %y"
    check_pass(run, program(f"{root}%y: f64 = mul %t, %s\nreturn %y"), program(root + after), arguments=[(4.0, 1.0)])


def test_the_square_of_a_length() -> None:
    root = "%s: f64 = hypot %u, %k\n"
    after = """
    %p: f64 = mul %s, %s
    %a: f64 = mul %u, %u
    %b: f64 = mul %k, %k
    %c: f64 = add %a, %b
    %y: f64 = attach %p, %c
    return %y
    """
    check_pass(run, program(f"{root}%y: f64 = mul %s, %s\nreturn %y"), program(root + after), arguments=[(3.0, 4.0)])


@pytest.mark.parametrize(
    "body",
    [
        "%s: f64 = sqrt %u\n%y: f64 = mul %s, %k\nreturn %y",
        "%s: f64 = sqrt %u\n%t: f64 = sqrt %k\n%y: f64 = mul %s, %t\nreturn %y",
        "%s: f64 = sqrt %u\n%t: f64 = add %s, %k\n%y: f64 = mul %t, %t\nreturn %y",
    ],
)
def test_other_products_stay(body: str) -> None:
    check_unchanged(run, program(body))
