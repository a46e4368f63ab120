"""Annotated calls without overhead: handles open annotations natively, `ad.autodiff` remembers what it ran."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from adcore.driver import in_place_fast_path
from adcore.errors import ArgumentError, CompileError

SCALE = 1.0


def weighted(x, k):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * x[i] * k
    return total * SCALE


def pair(x, y):
    return np.sum(x * y)


def scale(x, k):
    x *= k


def served(function):
    return sum(len(v) for key, v in in_place_fast_path._ready.items() if key[0] is function)


def test_a_handle_takes_annotations_natively():
    x, shadow = np.arange(1.0, 5.0), np.zeros(4)
    handle = ad.compile(weighted, ad.Duplicated(x, shadow), ad.Active(2.0))
    calls = [
        lambda: handle(ad.Duplicated(x, shadow), ad.Active(3.0)),
        lambda: handle(x, shadow, 3.0),
        lambda: handle(ad.Duplicated(x, shadow), 3.0),
        lambda: handle(x, shadow, ad.Active(3.0)),
    ]
    before = handle._general
    handle._general = None  # whatever does not stay native fails
    for k, call in enumerate(calls, start=1):
        assert call() == (30.0,)
        assert np.array_equal(shadow, 6.0 * x * k)
    handle._general = before
    wrong = [
        lambda: handle(ad.Const(x), ad.Active(3.0)),
        lambda: handle(ad.Duplicated(x, shadow), ad.Const(3.0)),
        lambda: handle(ad.Active(3.0), ad.Duplicated(x, shadow)),
        lambda: handle(ad.Duplicated(x, np.zeros(3)), ad.Active(3.0)),
        lambda: handle(ad.Duplicated(x, shadow)),
        lambda: handle(ad.Duplicated(x, shadow), ad.Active(3.0), 1.0),
    ]
    for call in wrong:
        with pytest.raises(ArgumentError):
            call()


def test_a_forward_handle_takes_numbers_with_their_tangents():
    handle = ad.compile(weighted, ad.Const(np.ones(2)), ad.Duplicated(2.0, 1.0), mode=ad.Forward)
    assert handle(ad.Const(np.ones(2)), ad.Duplicated(3.0, 2.0)) == 4.0
    assert handle(np.ones(2), 3.0, 2.0) == 4.0


def test_autodiff_serves_calls_like_one_before():
    x, shadow = np.arange(1.0, 5.0), np.zeros(4)
    for k in range(1, 6):
        assert ad.autodiff(ad.Reverse, weighted, ad.Duplicated(x, shadow), ad.Active(3.0)) == (30.0,)
        assert np.array_equal(shadow, 6.0 * x * k)
    assert served(weighted) == 1
    assert ad.autodiff(ad.ReverseWithPrimal, weighted, ad.Const(x), ad.Active(3.0)) == ((30.0,), 90.0)
    assert ad.autodiff(ad.Forward, weighted, ad.Duplicated(x, x), ad.Const(1.0)) == 60.0


def test_autodiff_keeps_nothing_of_the_caller_alive():
    import weakref

    x = np.ones(3)
    seen = weakref.ref(x)
    for _ in range(3):
        ad.autodiff(ad.Reverse, pair, ad.Duplicated(x, np.zeros(3)), ad.Const(np.ones(3)))
    del x
    assert seen() is None


def test_other_arguments_go_the_general_path():
    x = np.ones(3)
    for _ in range(3):
        assert ad.autodiff(ad.Reverse, weighted, ad.Const(x), ad.Active(2.0)) == (3.0,)
    with pytest.raises(ArgumentError, match="`k` is an integer"):
        ad.autodiff(ad.Reverse, weighted, ad.Const(x), ad.Active(2))
    with pytest.raises((ArgumentError, CompileError)):
        ad.autodiff(ad.Reverse, weighted, ad.Const(2.0), ad.Active(x))
    assert ad.autodiff(ad.Reverse, weighted, ad.Const(x), ad.Active(np.float64(2.0))) == (3.0,)
    assert ad.autodiff(ad.Reverse, weighted, ad.Const(np.ones(3, np.float32)), ad.Active(2.0)) == (3.0,)
    with pytest.raises(TypeError):
        ad.autodiff(ad.Reverse, weighted, ad.Const(x))


def test_an_axis_of_length_1_stretches():
    y = np.arange(3.0)
    for _ in range(3):
        shadow = np.zeros(3)
        ad.autodiff(ad.Reverse, pair, ad.Duplicated(np.ones(3), shadow), ad.Const(y))
        assert np.array_equal(shadow, y)
    shadow = np.zeros(1)
    ad.autodiff(ad.Reverse, pair, ad.Duplicated(np.ones(1), shadow), ad.Const(y))
    assert shadow == [3.0]


def test_what_is_written_is_written():
    x, shadow = np.ones(3), np.ones(3)
    for _ in range(4):
        ad.autodiff(ad.Reverse, scale, ad.Duplicated(x, shadow), ad.Const(2.0))
    assert np.array_equal(x, np.full(3, 16.0))
    assert np.array_equal(shadow, np.full(3, 16.0))


def test_a_changed_global_and_changed_code_are_noticed(monkeypatch):
    def other(x, k):
        return x[0] * k * k

    x = np.ones(2)
    for _ in range(3):
        assert ad.autodiff(ad.Reverse, weighted, ad.Const(x), ad.Active(2.0)) == (2.0,)
    monkeypatch.setitem(weighted.__globals__, "SCALE", 5.0)
    for _ in range(3):
        assert ad.autodiff(ad.Reverse, weighted, ad.Const(x), ad.Active(2.0)) == (10.0,)
    monkeypatch.setattr(weighted, "__code__", other.__code__)
    assert ad.autodiff(ad.Reverse, weighted, ad.Const(x), ad.Active(2.0)) == (4.0,)
