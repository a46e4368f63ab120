"""A process that finds everything compiled gives what the one gave that compiled it, and loads no stage to do so."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python(cache: Path | str, *arguments: str, paths: tuple[Path, ...] = ()) -> str:
    environment = {
        **os.environ, "ADCORE_CACHE": str(cache),
        "PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT))),
    }  # fmt: skip
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_warm_answers_are_cold_answers(tmp_path: Path) -> None:
    program = ("-m", "tests.driver.warm_programs")
    cold = python(tmp_path, *program)
    warm = python(tmp_path, *program)
    assert warm.splitlines() == cold.splitlines()
    assert python("off", *program) == cold


# What is in a file of its own, changed between two processes, and what the gradient is then.

MODULE = """
import math
import numpy as np
import settings
from dataclasses import dataclass

@dataclass
class P:
    x: float
    k: float = 2.0

K = 3.0
A = np.array([1.0, 2.0])

def callee(x, factor=1.0):
    return x * factor

def decorate(function):
    def wrapper(x):
        return function(x) * 1.0
    return wrapper

def make(c):
    def inner(x):
        return x * c
    return inner

def f(x):
    p = P(x)
    return callee(p.x) * p.k * K * settings.alpha * A[1] + make(1.0)(x)

@decorate
def g(x):
    return x * 5.0

def twofold(x, factor=1.0):
    return x * 2.0

def tangent(x, factor, result, d_x, d_factor):
    return 2.0 * d_x

def adjoint(x, factor, result, cotangent):
    return 2.0 * cotangent, None
"""
SETTINGS = "alpha = 1.0\n"
ASK = """
import sys
import adcore as ad
import program
{before}
print(ad.grad(program.f)(1.0), ad.grad(program.g)(1.0))
print("adcore.frontend" in sys.modules)
"""

CHANGES = {
    "constant": (("x * 5.0", "x * 7.0"), "", "13.0 7.0"),
    "sign of zero": (("x * 5.0", "x * (5.0 if math.copysign(1.0, -0.0) > 0.0 else 7.0)"), "", "13.0 7.0"),
    "callee": (("return x * factor", "return x * factor * 2.0"), "", "25.0 5.0"),
    "default": (("factor=1.0", "factor=2.0"), "", "25.0 5.0"),
    "global": (("K = 3.0", "K = 6.0"), "", "25.0 5.0"),
    "closure": (("make(1.0)", "make(2.0)"), "", "14.0 5.0"),
    "field of a dataclass": (("k: float = 2.0", "k: float = 4.0"), "", "25.0 5.0"),
    "decorator": (("function(x) * 1.0", "function(x) * 2.0"), "", "13.0 10.0"),
    "elements of an array": (("[1.0, 2.0]", "[1.0, 4.0]"), "", "25.0 5.0"),
    "dtype of an array": (("np.array([1.0, 2.0])", "np.array([1, 4])"), "", "25.0 5.0"),
    "global at run time": ((), "program.K = 6.0", "25.0 5.0"),
    "module attribute at run time": ((), "program.settings.alpha = 2.0", "25.0 5.0"),
    "callee at run time": ((), "program.callee = program.twofold", "25.0 5.0"),
    "default at run time": ((), "program.callee.__defaults__ = (2.0,)", "25.0 5.0"),
    "a rule": ((), "ad.rule(program.callee, tangent=program.tangent, adjoint=program.adjoint)", "25.0 5.0"),
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the unchanged program is."""
    place = tmp_path_factory.mktemp("warm")
    (place / "program.py").write_text(MODULE)
    (place / "settings.py").write_text(SETTINGS)
    ask = ASK.format(before="")
    assert python(place / "cache", "-B", "-c", ask, paths=(place,)) == "13.0 5.0\nTrue\n"
    assert python(place / "cache", "-B", "-c", ask, paths=(place,)) == "13.0 5.0\nFalse\n"
    return place


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_stale_is_found(what: str, filled: Path) -> None:
    edit, before, expected = CHANGES[what]
    if edit:
        assert edit[0] in MODULE
    text = MODULE.replace(*edit) if edit else MODULE
    (filled / "program.py").write_text(text)
    # Not even the time of the file tells them apart: it is the code that counts.
    assert python(filled / "cache", "-B", "-c", ASK.format(before=before), paths=(filled,)).splitlines()[0] == expected


def test_a_file_edited_after_its_import_is_not_kept(tmp_path: Path) -> None:
    """The running function is the old one, the compiler reads the new text: it is refused, and nothing is kept."""
    (tmp_path / "program.py").write_text("def f(x):\n    return x * 2.0\n")
    ask = textwrap.dedent(
        """
        import sys, pathlib
        import adcore as ad
        import program
        if sys.argv[1:]:
            pathlib.Path(program.__file__).write_text("def f(x):\\n    return x * 3.0\\n")
        try:
            print(ad.grad(program.f)(1.0), "adcore.frontend" in sys.modules)
        except ad.CompileError as error:
            print("not what is loaded" in str(error))
        """
    )
    assert python(tmp_path / "cache", "-B", "-c", ask, "edit", paths=(tmp_path,)) == "True\n"
    (tmp_path / "program.py").write_text("def f(x):\n    return x * 2.0\n")
    assert python(tmp_path / "cache", "-B", "-c", ask, paths=(tmp_path,)) == "2.0 True\n"
    assert python(tmp_path / "cache", "-B", "-c", ask, paths=(tmp_path,)) == "2.0 False\n"


def test_a_global_that_changes_after_a_hit_is_noticed(filled: Path) -> None:
    (filled / "program.py").write_text(MODULE)
    ask = ASK.format(before="") + "program.K = 6.0\nprint(ad.grad(program.f)(1.0))\n"
    assert python(filled / "cache", "-c", ask, paths=(filled,)).splitlines()[-1] == "25.0"
    assert python(filled / "cache", "-c", ask, paths=(filled,)).splitlines()[-1] == "25.0"


def test_no_stage_is_loaded_on_a_hit(tmp_path: Path) -> None:
    ask = textwrap.dedent(
        """
        import sys
        import numpy as np
        import adcore as ad
        from tests.driver.warm_programs import STAGES, grows, perceptron, rosenbrock
        x, dx = np.arange(1.0, 4.0), np.zeros(3)
        w = np.ones((3, 4))
        ad.grad(rosenbrock)(x), ad.value_and_grad(perceptron, (1, 2))(np.ones((5, 3)), w, w[0], np.eye(5, 4))
        ad.autodiff(ad.Reverse, rosenbrock, ad.Duplicated(x, dx))
        ad.autodiff(ad.Reverse, grows, ad.Active(0.5), 40, workspace=160)
        g = ad.compile(rosenbrock, ad.Duplicated(x, dx))
        g(x, dx), g.bind()(), g.certificate.proven, g.workspace_bytes, g.workspace_formula, g.address_table
        ad.compile(grows, ad.Active(0.5), ad.Const(3), workspace="heap")(0.5, 3)
        loaded = {m.split(".")[1] for m in sys.modules if m.startswith("adcore.")}
        print(sorted(loaded & set(STAGES)), "llvmlite" in sys.modules)
        """
    )
    assert python(tmp_path, "-c", ask) != "[] False\n"
    assert python(tmp_path, "-c", ask) == "[] False\n"


def test_no_stage_is_loaded_for_the_figures_of_a_plan(tmp_path: Path) -> None:
    """Its explanation is for those who read it. (A check reads the program itself for the true slopes.)"""
    ask = textwrap.dedent(
        """
        import sys
        import numpy as np
        import adcore as ad
        from tests.driver.warm_programs import STAGES, rosenbrock
        x = np.arange(1.0, 4.0)
        gradient = ad.compile(rosenbrock, ad.Duplicated(x, np.zeros(3)))
        gradient(x, np.zeros(3))
        assert gradient.workspace_bytes == 0
        assert gradient.certificate.proven
        print(sorted({m.split(".")[1] for m in sys.modules if m.startswith("adcore.")} & set(STAGES)))
        """
    )
    assert python(tmp_path, "-c", ask) != "[]\n"
    assert python(tmp_path, "-c", ask) == "[]\n"


@pytest.mark.slow
def test_damaged_entries_are_compiled_again(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("def f(x):\n    return x * 2.0\n")
    ask = "import sys, program, adcore as ad\nprint(ad.grad(program.f)(1.0), 'adcore.frontend' in sys.modules)"
    cache = tmp_path / "cache"
    assert python(cache, "-c", ask, paths=(tmp_path,)) == "2.0 True\n"
    for damage in (lambda data: data[:-1], lambda data: data[:70] + b"?" + data[71:], lambda data: b""):
        for path in cache.glob("*.o"):
            path.write_bytes(damage(path.read_bytes()))
        assert python(cache, "-c", ask, paths=(tmp_path,)) == "2.0 True\n"
        assert python(cache, "-c", ask, paths=(tmp_path,)) == "2.0 False\n"


@pytest.mark.slow
def test_processes_may_fill_a_cache_at_once(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("def f(x):\n    return x * 2.0\n")
    ask = "import program, adcore as ad\nprint(ad.grad(program.f)(1.0))"
    environment = {
        **os.environ, "ADCORE_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
    }  # fmt: skip
    started = [
        subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    assert [process.communicate()[0] for process in started] == ["2.0\n"] * 4
