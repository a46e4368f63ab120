"""Where functions come from: files, nested and indented code, lambdas, wrappers; and what has no source."""

from __future__ import annotations

import functools
import linecache
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from adcore.errors import CompileError
from adcore.frontend import compile_function
from adcore.ir import walk
from adcore.signature import ScalarArg, Signature
from tests.frontend.support import agrees, compiled, run

X = Signature(("x",), (ScalarArg("f64"),))


def lines_of(program):
    """(line, column) of every multiplication."""
    return [(i.span.line, i.span.column) for i in walk(program.module.main.region) if i.op == "mul"]


def test_spans_are_positions_in_the_file():
    def indented(x):
        y = x + 1
        return (
            y
            * x
        )  # fmt: skip

    program = agrees(indented, 2.0)
    line = indented.__code__.co_firstlineno
    assert lines_of(program) == [(line + 3, 12)]
    assert program.span.line == line
    assert program.file == __file__
    text = linecache.getline(program.file, line + 3)
    assert text[12] == "y"


def test_decorators_do_not_shift_positions():
    @functools.lru_cache
    @functools.lru_cache
    def decorated(x):
        return x * x

    program = compile_function(decorated, X)
    assert "x * x" in linecache.getline(__file__, lines_of(program)[0][0])


def test_columns_count_characters():
    def wide(x):
        größe = 2.0; return größe * x  # noqa: E702  # fmt: skip

    ((line, column),) = lines_of(compiled(wide, 1.0))
    assert linecache.getline(__file__, line)[column:].startswith("größe * x")


def test_strings_left_of_the_code():
    def f(x):
        """A docstring
        that is not indented
        """
        return x * x

    ((line, column),) = lines_of(agrees(f, 3.0))
    assert linecache.getline(__file__, line)[column:].startswith("x * x")


square = lambda x: x * x  # noqa: E731
pair = [lambda x: x + 1, lambda x: x * 2]
scale = 3.0
uses_closure = (lambda k: lambda x: x * k * scale)(2.0)


def test_lambdas_on_one_line():
    assert agrees(square, 3.0)
    for function in pair:
        agrees(function, 3.0)
    agrees(uses_closure, 3.0)
    ((line, column),) = lines_of(compiled(square, 1.0))
    assert linecache.getline(__file__, line)[column:].startswith("x * x")


def test_lambda_as_an_argument():
    agrees(functools.partial(lambda x, y: x * y + 1, y=2.0).func, 3.0, 2.0)


def refused(function, signature=X):
    with pytest.raises(CompileError) as caught:
        compile_function(function, signature)
    return caught.value.diagnostics[0]


def test_a_lambda_across_lines():
    functions = [lambda x:
                 x * x]  # fmt: skip
    found = refused(functions[0])
    assert "lambda" in found.title
    assert "def" in found.help


def test_two_equal_lambdas_on_a_line():
    functions = [lambda x: x * x, lambda x: x * x]
    if sys.version_info < (3, 11):
        assert "told apart" in refused(functions[0]).title
        return
    columns = [lines_of(compile_function(f, X))[0][1] for f in functions]
    line = linecache.getline(__file__, functions[0].__code__.co_firstlineno)
    assert columns == [line.index("x * x"), line.rindex("x * x")]


def test_code_without_source():
    namespace = {}
    exec("def f(x):\n    return x * x\n", namespace)
    found = refused(namespace["f"])
    assert "can't be read" in found.title
    assert "put the function into a file" in found.help


@pytest.mark.parametrize("function", [math.sin, np.sin, len, float, 3, functools.partial(square, 2.0)])
def test_what_is_no_python_function(function):
    assert "no Python source" in refused(function).title


def test_generators_and_methods():
    def generator(x):
        yield x

    class C:
        def method(self, x):
            return x

    async def coroutine(x):
        return x

    assert "generator" in refused(generator).title
    assert "generator" in refused(coroutine).title
    assert "bound method" in refused(C().method).title


def test_wrappers_are_looked_through():
    dispatcher = SimpleNamespace(py_func=square)
    marked = SimpleNamespace(__wrapped__=dispatcher)
    assert run(compile_function(marked, X), 3.0) == 9.0

    def caller(x):
        return helper(x) + 1

    helper = dispatcher
    assert run(compile_function(caller, X), 3.0) == 10.0


def test_star_parameters_of_the_function_itself():
    def f(*x):
        return x[0]

    with pytest.raises(IndexError, match="out of range"):
        run(compile_function(f, Signature((), ())))


def test_parameters_must_match():
    def f(x, y, k=3):
        return x * y * k

    two = Signature(("x", "y"), (ScalarArg("f64"), ScalarArg("i64")))
    assert run(compile_function(f, two), 2.0, 5) == 30.0
    assert "without `y`" in refused(f).title
    assert "no parameter `z`" in refused(f, Signature(("z",), (ScalarArg("f64"),))).title
