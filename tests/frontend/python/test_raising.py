"""`raise` and `assert`: texts with numbers of the run, classes of the user's, arguments of any kind."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything
from tests.frontend.python.raising_programs import PROGRAMS, Unstable

X = np.array([0.7, 1.3, 2.1])


def raised(call):
    """Everything that can be told of the exception of a call."""
    with pytest.raises(Exception) as caught:
        call()
    error = caught.value
    told = {key: value for key, value in vars(error).items() if key not in ("span", "__notes__")}
    return type(error), repr(error.args), str(error), repr(told), error.__suppress_context__


@pytest.mark.parametrize("f", PROGRAMS)
def test_the_exception_is_that_of_python(f):
    assert np.isclose(ad.value_and_grad(f)(X)[0], f(X))
    for k in range(3):
        x = X.copy()
        x[k] = -1.23456
        expected = raised(lambda x=x: f(x))
        assert raised(lambda x=x: ad.value_and_grad(f)(x)) == expected
        assert raised(lambda x=x: ad.autodiff(ad.Forward, f, ad.Duplicated(x, np.ones(3)))) == expected
        assert raised(lambda x=x: ad.compile(f, ad.Const(X), mode=ad.Primal)(x)) == expected
        assert raised(lambda x=x: ad.hessian(f)(x)) == expected


@pytest.mark.parametrize("f", PROGRAMS[:3])
def test_derivatives(f):
    everything(f, X)


def test_python_numbers_and_numpy_numbers_are_told_apart():
    def f(x, k):
        if k > 2.0:
            raise Unstable(k, x[0])
        return x[0]

    with pytest.raises(Unstable) as caught:
        ad.grad(f)(X, 3.0)
    assert (type(caught.value.step), type(caught.value.value)) == (float, np.float64)


def test_texts_of_constants():
    def f(x, kind="Sq-uare"):
        name = kind.lower().replace("-", "")
        if name.startswith("sq") and name in ("square", "sq") and name[0] == "s" and len(name.split("u")) == 2:
            return np.sum(x * x) if "qu" in name and name in {"square"} else x[0]
        raise ValueError("unknown kind: " + kind + f" {len(kind)}")

    everything(f, X)
    with pytest.raises(ValueError, match="unknown kind: other 5"):
        ad.grad(f)(X, "other")


def test_arrays_in_messages_are_refused():
    def f(x):
        if x[0] < 0:
            raise ValueError(f"bad {x}")
        return x[0]

    with pytest.raises(ad.CompileError, match="can't stand in a text"):
        ad.grad(f)(X)


def test_an_error_says_that_arguments_may_be_otherwise():
    def f(x):
        for i in range(len(x)):
            x[i] = 2.0 * x[i]
            if x[i] > 3.0:
                raise ValueError("too large")
        return x[0]

    with pytest.raises(ValueError, match="too large") as caught:
        ad.autodiff(ad.Reverse, f, ad.Duplicated(X.copy(), np.zeros(3)))
    assert any("`x`" in note and "other values" in note for note in caught.value.__notes__)
    with pytest.raises(ValueError, match="too large") as caught:
        ad.grad(f)(X)
    assert not getattr(caught.value, "__notes__", None)
