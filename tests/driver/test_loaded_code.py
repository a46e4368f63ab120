"""What runs is what is loaded: code, defaults, names of modules and builtins that were replaced, files that changed."""

from __future__ import annotations

import builtins
import importlib
import math
import os
import sys

import numpy as np
import pytest

import adcore as ad


def test_replaced_code_of_the_function():
    def f(x):
        return 2.0 * x

    def new(x):
        return 7.0 * x

    assert ad.grad(f)(1.0) == 2.0
    assert ad.grad(f)(1.0) == 2.0  # on the fast path
    f.__code__ = new.__code__
    assert ad.grad(f)(1.0) == 7.0
    assert ad.value_and_grad(f)(3.0) == (21.0, 7.0)


def test_another_signature_of_the_same_function():
    def f(x, k=1.0):
        return k * x

    def new(x, k=1.0, m=3.0):
        return k * m * x

    assert ad.grad(f)(1.0) == 1.0
    f.__defaults__ = (4.0,)
    assert ad.grad(f)(1.0) == 4.0
    f.__code__, f.__defaults__ = new.__code__, new.__defaults__
    assert ad.grad(f)(1.0) == 3.0


def test_replaced_code_and_defaults_of_a_callee():
    def callee(x, k=2.0, *, m=1.0):
        return k * x * m

    def other(x, k=2.0, *, m=1.0):
        return 10.0 * k * x * m

    def f(x):
        return callee(x)

    assert ad.grad(f)(1.0) == 2.0
    callee.__defaults__ = (9.0,)
    assert ad.grad(f)(1.0) == 9.0
    callee.__kwdefaults__["m"] = 2.0
    assert ad.grad(f)(1.0) == 18.0
    callee.__code__ = other.__code__
    assert ad.grad(f)(1.0) == 180.0


def test_replaced_functions_of_modules_and_builtins(monkeypatch):
    def f(x):
        return math.sin(x) + abs(x) * np.cos(x)

    before = ad.value_and_grad(f)(0.5)
    assert before[0] == pytest.approx(math.sin(0.5) + 0.5 * math.cos(0.5))
    monkeypatch.setattr(math, "sin", lambda x: 3.0 * x)
    assert ad.value_and_grad(f)(0.5)[0] == pytest.approx(1.5 + 0.5 * math.cos(0.5))
    monkeypatch.setattr(builtins, "abs", lambda x: 2.0 * x)
    assert ad.value_and_grad(f)(0.5)[0] == pytest.approx(1.5 + math.cos(0.5))
    monkeypatch.setattr(np, "cos", lambda x: x)
    assert ad.value_and_grad(f)(0.5) == pytest.approx((1.5 + 0.5, 3.0 + 2.0))
    monkeypatch.undo()
    assert ad.value_and_grad(f)(0.5) == before


def test_a_global_that_takes_the_name_of_a_builtin(monkeypatch):
    def f(x):
        return abs(x)

    assert ad.grad(f)(0.5) == 1.0
    monkeypatch.setitem(globals(), "abs", lambda x: 4.0 * x)
    assert ad.grad(f)(0.5) == 4.0


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module's file and gives the module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    name = "module_that_changes"

    def write(text):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        os.utime(path, (1, 1 + len(text)))
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield write
    sys.modules.pop(name, None)


FIRST = "def f(x):\n    return x * 2.0\n\n\ndef g(x, k=1.0):\n    return x * 7.0 * k\n"


@pytest.mark.parametrize("edit", ["x * 11.0 * k", "x * 7.0 - k", "x * 7.0 * (k)\n\n\nclass"])
def test_an_edited_file_is_refused(module, edit):
    loaded = module(FIRST)
    module(FIRST.replace("x * 7.0 * k", edit))
    with pytest.raises(ad.CompileError, match="not what is loaded"):
        ad.grad(loaded.g)(3.0)
    importlib.reload(loaded) if "class" not in edit else None


def test_moved_lines_are_refused_and_reloading_helps(module):
    loaded = module(FIRST)
    module("# one\n# two\n" + FIRST.replace("2.0", "5.0"))
    with pytest.raises(ad.CompileError, match="not what is loaded"):
        ad.grad(loaded.f)(3.0)
    importlib.reload(loaded)
    assert ad.grad(loaded.f)(3.0) == 5.0


def test_only_the_lines_of_the_function_need_to_say_the_same(module):
    """What was edited below it, or is half written there, is not compiled; above it nothing may have moved."""
    loaded = module("import functools\n\n\n" + FIRST + "\n\n@functools.lru_cache\ndef h(x):\n    return x * 3.0\n")
    path = loaded.__file__
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("2.0", "5.0") + "\n\ndef half(written\n")
    importlib.invalidate_caches()
    assert ad.grad(loaded.g)(3.0) == 7.0
    assert ad.grad(loaded.h.__wrapped__)(1.0) == 3.0
    with pytest.raises(ad.CompileError, match="not what is loaded"):
        ad.grad(loaded.f)(3.0)


def test_functions_in_functions_and_classes_are_recognised(module):
    loaded = module(
        "import numpy as np\n\n\ndef outer(k):\n    def inner(x, m=1.0):\n        'text'\n        return k * x * m\n"
        "    return inner\n\n\nclass C:\n    @staticmethod\n"
        "    def __private(x):\n        return [v * v for v in (x, x)][0]\n"
        "    entry = __private\n"
    )
    assert ad.grad(loaded.outer(3.0))(1.0) == 3.0
    assert ad.grad(loaded.C.entry)(1.0) == 2.0
