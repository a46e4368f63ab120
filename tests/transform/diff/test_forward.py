"""Tangents: each instruction's beside it."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff import forward as module
from adcore.transform.diff.forward import forward
from tests.transform.derivative_texts import check_tangent, kinds_of
from tests.transform.texts import check_text, docstring_texts, parse


def tangent(function: Function) -> Function:
    return simplify(forward(function, kinds_of(function), TABLE), TABLE)


def test_an_expression() -> None:
    check_tangent(tangent, *docstring_texts(module))


def test_a_loop_carries_tangents_beside_values() -> None:
    check_tangent(
        tangent,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %p: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %w: f64 = mul %u, %v
            yield %w
          }
          return %p
        }
        """,
        """
        func @f_forward(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>) -> (f64, f64) {
          %p: f64, %d_p: f64 = for 0, %n, 1.0, 0.0 [step=1] {
          (%i: i64, %u: f64, %d_u: f64):
            %v: f64 = load %x, %i
            %1: f64 = load %d_x, %i
            %w: f64 = mul %u, %v
            %2: f64 = mul %v, %d_u
            %3: f64 = mul %u, %1
            %4: f64 = add %2, %3
            yield %w, %4
          }
          return %p, %d_p
        }
        """,
    )


def test_a_store_is_followed_by_one_into_the_shadow() -> None:
    check_tangent(
        tangent,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> () {
          for 0, %n [step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %v
            store %w, %x, %i
            yield
          }
          return
        }
        """,
        """
        func @f_forward(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>) -> () {
          for 0, %n [step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            %0: f64 = load %d_x, %i
            %w: f64 = mul %v, %v
            %1: f64 = mul %v, %0
            %2: f64 = add %1, %1
            store %w, %x, %i
            store %2, %d_x, %i
            yield
          }
          return
        }
        """,
    )


def test_what_is_constant_has_no_tangent() -> None:
    function = parse(
        """
        func @f(%x: f64, %y: f64) -> (f64) {
          %z: f64 = mul %y, %y
          %w: f64 = mul %x, %z
          return %w
        }
        """
    )
    check_text(
        simplify(forward(function, ("active", "const"), TABLE), TABLE),
        """
        func @f_forward(%x: f64, %y: f64, %d_x: f64) -> (f64, f64) {
          %z: f64 = mul %y, %y
          %w: f64 = mul %x, %z
          %d_w: f64 = mul %z, %d_x
          return %w, %d_w
        }
        """,
    )
