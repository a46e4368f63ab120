"""In place, as Enzyme does it: shadows accumulate, annotations decide, what does not fit is refused by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs
from tests.driver.programs import Body, Pair

V = np.array([1.0, 2.0, 3.0])


def test_shadows_accumulate() -> None:
    dx = np.ones(3)
    for k in (1, 2):
        assert ad.autodiff(ad.Reverse, programs.squares, ad.Duplicated(V, dx)) is None
        assert dx.tolist() == (1 + 2 * k * V).tolist()


def test_active_numbers_come_back() -> None:
    f = programs.polynomial
    assert ad.autodiff(ad.Reverse, f, ad.Active(2.0), ad.Active(3.0)) == (12.0, 5.0)
    assert ad.autodiff(ad.Reverse, f, ad.Const(2.0), ad.Active(3.0)) == (5.0,)
    assert ad.autodiff(ad.ReverseWithPrimal, f, ad.Active(2.0), 3.0) == ((12.0,), 15.0)
    assert ad.autodiff(ad.Reverse, programs.product, ad.Active((2.0, 3.0))) == ((3.0, 2.0),)
    assert ad.autodiff(ad.ReverseWithPrimal, programs.squares, ad.Duplicated(V, np.zeros(3))) == (None, 14.0)


def test_what_the_function_writes_is_written() -> None:
    x, dx = V.copy(), np.zeros(3)
    ad.autodiff(ad.Reverse, programs.read_square_clear, ad.Duplicated(x, dx))
    assert (x.tolist(), dx.tolist()) == ([0.0] * 3, [2.0, 4.0, 6.0])


def test_outputs_through_arguments() -> None:
    out, dout, x, dx = np.zeros(1), np.ones(1), np.array([3.0, 4.0]), np.zeros(2)
    assert ad.autodiff(ad.Reverse, programs.multiply, ad.Duplicated(out, dout), ad.Duplicated(x, dx)) is None
    assert (out[0], dout[0], dx.tolist()) == (12.0, 0.0, [4.0, 3.0])


def test_the_same_buffer_twice() -> None:
    b, db = np.array([3.0, 4.0]), np.array([1.0, 0.0])
    ad.autodiff(ad.Reverse, programs.multiply, ad.Duplicated(b, db), ad.Duplicated(b, db))
    assert (b.tolist(), db.tolist()) == ([12.0, 4.0], [4.0, 3.0])


def test_nested_arguments() -> None:
    matrices, shadows = [[np.zeros((3, 1)) for _ in V] for _ in range(2)]
    dv = np.zeros(3)
    ad.autodiff(ad.Reverse, programs.fill_matrices, ad.Duplicated(matrices, shadows), ad.Duplicated(V, dv))
    assert dv.tolist() == [0.0, 0.0, 1.0]
    assert [m[0, 0] for m in matrices] == V.tolist()
    bodies, shadow = [Body(1.0, V), Body(2.0, V)], [Body(0.0, np.zeros(3)), Body(0.0, np.zeros(3))]
    ad.autodiff(ad.Reverse, programs.energies, ad.Duplicated(bodies, shadow))
    assert [(b.mass, b.position.tolist()) for b in shadow] == [(1.0, [2.0, 0.0, 0.0]), (1.0, [4.0, 0.0, 0.0])]
    body = Body(1.0, np.zeros(3))
    assert ad.autodiff(ad.Reverse, programs.energy, ad.Duplicated(Body(1.0, V), body), ad.Active(3.0)) == (1.0,)
    assert (body.mass, body.position.tolist()) == (4.0, [2.0, 2.0, 2.0])
    ws, dws = [1.0, 2.0], [0.5, 0.0]
    ad.autodiff(ad.Reverse, programs.numbers, ad.Duplicated(ws, dws))
    assert dws == [2.5, 4.0]


def test_constant_scratch_carries_derivatives() -> None:
    def through(x, scratch):
        for i in range(len(x)):
            scratch[i] = x[i] * x[i]
        return np.sum(scratch)

    dx = np.zeros(3)
    ad.autodiff(ad.Reverse, through, ad.Duplicated(V, dx), ad.Const(np.zeros(3)))
    assert dx.tolist() == [2.0, 4.0, 6.0]
    assert ad.grad(through)(V, np.zeros(3)).tolist() == [2.0, 4.0, 6.0]


def test_forward() -> None:
    f = programs.polynomial
    assert ad.autodiff(ad.Forward, f, ad.Duplicated(2.0, 1.0), ad.Const(3.0)) == 12.0
    assert ad.autodiff(ad.Forward, f, ad.Duplicated(2.0, 1.0), ad.Duplicated(3.0, 1.0)) == 17.0
    assert ad.autodiff(ad.ForwardWithPrimal, f, ad.Duplicated(2.0, 1.0), 3.0) == (12.0, 15.0)
    out, dout, x = np.zeros(1), np.full(1, 9.0), np.array([3.0, 4.0])
    assert ad.autodiff(ad.Forward, programs.multiply, ad.Duplicated(out, dout), ad.Duplicated(x, np.ones(2))) is None
    assert (out[0], dout[0]) == (12.0, 7.0)
    assert ad.autodiff(ad.Forward, programs.several, ad.Duplicated(2.0, 1.0), 3.0) == (3.0, math.cos(2.0), None)
    assert ad.autodiff(ad.Forward, programs.squares, ad.Duplicated(V, V)) == 28.0


def test_batches() -> None:
    tangents = (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    assert ad.autodiff(ad.Forward, programs.squares, ad.BatchDuplicated(V, tangents)) == (2.0, 4.0)
    x = V.copy()
    tangents = tuple(t.copy() for t in tangents)
    assert ad.autodiff(ad.Forward, programs.squares_in_place, ad.BatchDuplicated(x, tangents)) == (2.0, 4.0)
    assert x.tolist() == [1.0, 4.0, 9.0]
    with pytest.raises(ad.ArgumentError, match="forward and reverse mode"):
        ad.autodiff(ad.Primal, programs.squares, ad.BatchDuplicated(V, tangents))


def test_no_need_is_as_duplicated() -> None:
    dx = np.zeros(3)
    ad.autodiff(ad.Reverse, programs.squares, ad.DuplicatedNoNeed(V, dx))
    assert dx.tolist() == [2.0, 4.0, 6.0]


def test_strided_shadows() -> None:
    memory = np.zeros(6)
    ad.autodiff(ad.Reverse, programs.squares, ad.Duplicated(V, memory[::2]))
    assert memory.tolist() == [2.0, 0.0, 4.0, 0.0, 6.0, 0.0]


READ_ONLY = np.zeros(3)
READ_ONLY.flags.writeable = False

REFUSED = {
    "shape": (ad.Reverse, (ad.Duplicated(V, np.zeros(2)),), "the shadow of `x` has shape"),
    "dtype": (ad.Reverse, (ad.Duplicated(V, np.zeros(3, np.float32)),), "the shadow of `x` has dtype"),
    "read-only": (ad.Reverse, (ad.Duplicated(V, READ_ONLY),), "the shadow of `x` is read-only"),
    "itself": (ad.Reverse, (ad.Duplicated(V, V),), "shares memory with `x` itself"),
    "overlap": (ad.Reverse, (ad.Duplicated(V, V[::-1]),), "shares memory with `x` itself"),
    "active array": (ad.Reverse, (ad.Active(V),), "can't be Active"),
    "not built alike": (ad.Reverse, (ad.Duplicated(V, [0.0] * 3),), "must be an array"),
}


@pytest.mark.parametrize(("mode", "args", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(mode: ad.Mode, args: Any, message: str) -> None:
    with pytest.raises(ad.ArgumentError, match=message):
        ad.autodiff(mode, programs.squares, *args)


def test_refused_numbers() -> None:
    f = programs.polynomial
    with pytest.raises(ad.ArgumentError, match="`a` is an integer"):
        ad.autodiff(ad.Reverse, f, ad.Active(2), 3.0)
    with pytest.raises(ad.ArgumentError, match="needs its tangent"):
        ad.autodiff(ad.Forward, f, ad.Active(2.0), 3.0)
    with pytest.raises(ad.ArgumentError, match="cannot be added to in place"):
        ad.autodiff(ad.Reverse, f, ad.Duplicated(2.0, 0.0), 3.0)
    with pytest.raises(ad.ArgumentError, match="can't be changed in place"):
        ad.autodiff(ad.Reverse, programs.named, ad.Duplicated(Pair(2.0, V), Pair(0.0, np.zeros(3))))
    with pytest.raises(ad.ArgumentError, match="is no mode"):
        ad.autodiff("reverse", f, 2.0, 3.0)  # type: ignore[arg-type]
    with pytest.raises(ad.ArgumentError, match="tail returns an array"):
        ad.autodiff(ad.Reverse, programs.tail, ad.Duplicated(V, np.zeros(3)))


def test_shadows_of_overlapping_arguments_must_overlap_alike() -> None:
    b = np.array([3.0, 4.0])
    with pytest.raises(ad.ArgumentError, match="share memory that the function writes"):
        ad.autodiff(ad.Reverse, programs.multiply, ad.Duplicated(b, np.ones(2)), ad.Duplicated(b, np.zeros(2)))
    d = np.zeros(2)
    with pytest.raises(ad.ArgumentError, match="the arguments do not"):
        ad.autodiff(ad.Reverse, programs.multiply, ad.Duplicated(np.zeros(2), d), ad.Duplicated(b, d))
