"""Messages (`print`, warnings, logging): after the call, once, in order, with Python's words and the user's line."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc
from adcore.runtime import frames
from tests.frontend.everything import everything
from tests.frontend.python.message_programs import PROGRAMS, Hot, divides, in_place, logs, raises, steps, warns

X = np.array([0.5, 0.75, 1.25])
"""Numbers whose products are exact: what is printed does not depend on roundings."""


def said(call):
    """Everything that a call prints, warns of and logs, in order, and what it raises."""
    out, found = io.StringIO(), []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda r: found.append((r.name, r.levelname, r.getMessage(), r.pathname, r.lineno, r.funcName))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    error = None
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            try:
                call()
            except Exception as raised:
                error = type(raised), str(raised)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    shown = [(str(w.message), w.category, w.filename, w.lineno) for w in caught]
    return out.getvalue(), found, shown, error


QUICK = (in_place, warns, logs)
SAMPLED = [pytest.param(f, marks=() if f in QUICK else pytest.mark.slow, id=f.__name__) for f in PROGRAMS]


def derivatives(f, x):
    """Ways to call compiled code, each of which is one call of `f` to the user."""
    g = ad.compile(f, ad.Duplicated(x.copy(), np.zeros(len(x))))
    split = ad.compile(f, ad.Duplicated(x.copy(), np.zeros(len(x))), mode=ad.ReverseSplit)
    shadow = np.zeros(len(x))
    return {
        "primal": lambda: ad.compile(f, ad.Const(x), mode=ad.Primal)(x.copy()),
        "gradient": lambda: ad.grad(f)(x),
        "gradient once more": lambda: ad.grad(f)(x),
        "on the heap": lambda: ad.grad(f, workspace="heap")(x),
        "forward": lambda: ad.jvp(f, (x,), (np.ones(len(x)),)),
        "hessian": lambda: ad.hessian(f)(x),
        "jacobian": lambda: ad.jacobian(f)(x),
        "hvp": lambda: ad.hvp(f)(x, vector=np.ones(len(x))),
        "pullback": lambda: ad.vjp(f, x)[1](1.0),
        "handle": lambda: g(x.copy(), shadow),
        "split": lambda: split.reverse(split.forward(ad.Duplicated(x.copy(), shadow))),
    }


@pytest.mark.parametrize("f", SAMPLED)
def test_said_once_in_order_and_with_pythons_words(f):
    for name, call in derivatives(f, X).items():
        plain = said(lambda: f(X.copy()))
        shown = [w[:2] for w in plain[2]]
        got = said(call)
        assert got[:2] == plain[:2], name
        # Of warnings that stand for the caller of the program, the line is another one here.
        assert [w[:2] for w in got[2]] == shown, name
        inside = [w for w in plain[2] if w[2] != __file__]
        assert [w for w in got[2] if w[2] != __file__] == inside, name
        assert any(plain[:3])


@pytest.mark.parametrize("f", SAMPLED[:-1])
def test_derivatives_are_those_of_the_silent_program(f):
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        everything(f, X)


def test_what_an_error_leaves_unsaid_is_what_python_leaves_unsaid():
    for f, args in ((raises, (X,)), (divides, (0.5, 5))):
        plain = said(lambda f=f, args=args: f(copy.copy(args[0]), *args[1:]))
        assert plain[3] is not None
        along = 1.0 if isinstance(args[0], float) else np.ones(3)
        assert said(lambda f=f, args=args: ad.grad(f)(*args)) == plain
        assert said(lambda f=f, args=args, along=along: ad.jvp(f, args, (along, *[None] * (len(args) - 1)))) == plain


def test_filters_that_make_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", Hot)
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(Hot) as caught:
            ad.grad(warns)(X)
    assert caught.value.degrees == X[1]
    assert caught.traceback[-1].path.name == "message_programs.py"


def test_a_location_warns_once_by_the_default_filter():
    def f(x):
        for _ in range(3):
            warnings.warn("slow", stacklevel=1)
        return x * x

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        ad.grad(f)(2.0)
        ad.grad(f)(2.0)
    assert len(caught) == 1


def test_loggers_are_asked_when_a_message_is_sent():
    logger = logging.getLogger(logs.__module__)
    plain = said(lambda: ad.grad(logs)(X))[1]
    logger.setLevel(logging.ERROR)
    try:
        quiet = said(lambda: ad.grad(logs)(X))[1]
    finally:
        logger.setLevel(logging.NOTSET)
    assert (len(plain), len(quiet)) == (3, 1)


def test_a_bound_call_says_it_each_time():
    bound = ad.compile(steps, ad.Duplicated(X.copy(), np.zeros(3))).bind()
    assert said(bound)[0] == said(bound)[0] == said(lambda: steps(X))[0]


def chatty(x, n):
    for k in range(n):
        print(k)
    return x


def test_more_than_there_is_room_for_is_an_error_after_what_fits(monkeypatch):
    monkeypatch.setattr(frames, "ROOM", 1 << 16)
    out, _, _, error = said(lambda: ad.grad(chatty)(1.0, 10**6))
    assert error is not None
    assert error[0] is RuntimeError
    assert "65536 bytes" in error[1]
    lines = out.split()
    assert lines == [str(k) for k in range(65536 // 16)]


def test_what_the_receiver_calls_may_be_compiled_too():
    class Stream(io.StringIO):
        def write(self, text):
            ad.grad(lambda x: x * x)(2.0)
            return super().write(text)

    with contextlib.redirect_stdout(Stream()) as out:
        found = ad.grad(steps)(X)
    assert np.array_equal(found, 2 * X)
    assert out.getvalue() == said(lambda: steps(X))[0]


def test_other_callers_would_lose_messages():
    handle = ad.compile(steps, ad.Duplicated(X.copy(), np.zeros(3)))
    with pytest.raises(ad.ArgumentError, match="sends messages"):
        handle.export("unused")


def outer(x):
    return ad.grad(until)(x) * x


def until(x):
    print(x)
    return x * x


def test_in_derivatives_inside_of_compiled_code():
    with pytest.raises(ad.CompileError, match="differentiated inside compiled code"):
        ad.grad(outer)(1.0)


def shows_an_array(x):
    print(x)
    return x[0]


def makes_errors(x):
    warnings.simplefilter("error")
    return x[0]


def to_a_file(x, f=None):
    print(x[0], file=contextlib)
    return x[0]


@pytest.mark.parametrize(
    ("f", "title", "help"),
    [
        (shows_an_array, "can't stand in a text", "name its elements"),
        (makes_errors, "makes errors is not supported", "test the operands"),
        (to_a_file, "other than sys.stdout and sys.stderr", ""),
    ],
)
def test_refused(f, title, help):
    with pytest.raises(ad.CompileError, match=title) as caught:
        ad.grad(f)(X)
    (found,) = caught.value.diagnostics
    assert help in (found.help or "")


def test_the_gate_counts_nothing():
    with contextlib.redirect_stdout(io.StringIO()):
        report = pytest_adalloc.check(steps, X, calls=20)
    assert set(report.allocs_per_call) == {0}


def in_finally(x):
    try:
        y = x[0] / x[1]
    finally:
        print("done")
    return y


def test_in_finally_an_error_could_pass_by():
    with pytest.raises(ad.CompileError, match="a message in `finally`"):
        ad.grad(in_finally)(X)
