"""What compiling a function may read: every change of it is another hash, and equal programs have the same in every
process."""

from __future__ import annotations

import colorsys
import ctypes
import dataclasses
import enum
import functools
import math
import os
import subprocess
import sys
import types
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcore.captures import Capture
from adcore.runtime.cache.identity import Unstable, reach
from adcore.runtime.cache.libraries import is_found

BASE = """
K = 2.0
TABLE = (1.0, [2, 3])
A = np.zeros((2, 3))
POINT = Point(1.0, 2)
def h(x, factor=1.5, *, shift=0.0):
    return x * K * factor + shift
def f(x):
    y = h(x) + 1.0 + TABLE[0] + A[0, 0] + cfg.alpha + math.sin(x) + POINT.x + (lambda t: t * 3.0)(x)
    return y if x in (1, 2.5) else max(x, 0.0)
"""

POINT_TEXT = "@dataclasses.dataclass\nclass Point:\n    x: float\n    y: int = 4\n"


def world(text: str = BASE, point: str = POINT_TEXT, alpha: Any = 1.0) -> dict[str, Any]:
    cfg = types.ModuleType("cfg")
    cfg.alpha = alpha  # type: ignore[attr-defined]
    space: dict[str, Any] = {"np": np, "math": math, "dataclasses": dataclasses, "cfg": cfg, "__name__": __name__}
    exec(compile(point, "<point>", "exec"), space)
    exec(compile(text, "<world>", "exec"), space)
    return space


def digest(space: dict[str, Any], name: str = "f") -> str:
    return reach(space[name]).digest


def test_the_same_program_has_the_same_hash() -> None:
    assert digest(world()) == digest(world())


TEXTS = {
    "constant": ("+ 1.0 +", "+ 1.5 +"),
    "type of a constant": ("+ 1.0 +", "+ 1 +"),
    "bool for a number": ("(1, 2.5)", "(True, 2.5)"),
    "sign of zero": ("max(x, 0.0)", "max(x, -0.0)"),
    "callee": ("x * K", "x / K"),
    "callee of the builtins": ("max(x", "min(x"),
    "default": ("factor=1.5", "factor=1.25"),
    "type of a default": ("factor=1.5", "factor=1"),
    "keyword default": ("shift=0.0", "shift=-0.0"),
    "global": ("K = 2.0", "K = 3.0"),
    "type of a global": ("K = 2.0", "K = 2"),
    "NumPy's number": ("K = 2.0", "K = np.float64(2.0)"),
    "narrow number": ("K = 2.0", "K = np.float32(2.0)"),
    "tuple": ("(1.0, [2, 3])", "(1.0, [2, 4])"),
    "list for a tuple": ("(1.0, [2, 3])", "[1.0, [2, 3]]"),
    "dtype": ("np.zeros((2, 3))", "np.zeros((2, 3), np.float32)"),
    "rank": ("np.zeros((2, 3))", "np.zeros((2, 3, 1))"),
    "layout": ("np.zeros((2, 3))", "np.zeros((2, 3)).T"),
    "array that became a number": ("A = np.zeros((2, 3))", "A = 0.0"),
    "field": ("Point(1.0, 2)", "Point(1.5, 2)"),
    "inner function": ("t * 3.0", "t * 4.0"),
    "line": ("def f(x)", "\ndef f(x)"),
    "column": ("max(x", "max( x"),
    "another name": ("math.sin", "math.cos"),
    "shadowed builtin": ("K = 2.0", "K = 2.0\ndef max(a, b): return a"),
}


@pytest.mark.parametrize("what", TEXTS)
def test_a_change_is_another_hash(what: str) -> None:
    old, new = TEXTS[what]
    assert old in BASE
    assert digest(world(BASE.replace(old, new))) != digest(world())


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.__setitem__("K", 3.0),
        lambda w: setattr(w["cfg"], "alpha", 2.0),
        lambda w: setattr(w["cfg"], "alpha", 1),
        lambda w: setattr(w["h"], "__defaults__", (2.0,)),
        lambda w: setattr(w["h"], "__kwdefaults__", {"shift": 1.0}),
        lambda w: w.__setitem__("h", lambda x: x),
        lambda w: setattr(w["h"], "__code__", (lambda x, factor=1.5, *, shift=0.0: x).__code__),
        lambda w: setattr(w["POINT"], "x", 1.25),
        lambda w: w["A"].setflags(write=False),
        lambda w: w["TABLE"][1].append(5),
        lambda w: w.__setitem__("math", types.SimpleNamespace(sin=math.cos)),
        lambda w: w.pop("K"),
    ],
)
def test_a_change_while_it_runs_is_another_hash(change: Callable[[dict[str, Any]], object]) -> None:
    space = world()
    before = digest(space)
    change(space)
    assert digest(space) != before


def test_elements_of_arrays_are_arguments() -> None:
    space = world()
    before = digest(space)
    space["A"][...] = 5.0
    assert digest(space) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y: int = 4", "y: int = 5"),
        ("x: float\n    y: int = 4", "y: float\n    x: int = 4"),
        ("    y: int = 4\n", "    y: int = 4\n    def __post_init__(self): self.x = 2.0\n"),
        ("dataclass\n", "dataclass(frozen=True)\n"),
    ],
)
def test_a_class_is_its_definition(old: str, new: str) -> None:
    assert digest(world(point=POINT_TEXT.replace(old, new))) != digest(world())


def outer(c: Any) -> Callable[[float], float]:
    def f(x: float) -> float:
        return x * c

    return f


@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 1), (1, True), (0.0, -0.0), (1.0, np.float64(1.0)), ("a", b"a")])
def test_closures(values: tuple[Any, Any]) -> None:
    a, b = (reach(outer(value)).digest for value in values)
    assert a != b
    assert a == reach(outer(values[0])).digest


def test_imports_inside_a_function_are_read() -> None:
    cfg = types.ModuleType("some_settings")
    cfg.alpha = 1.0  # type: ignore[attr-defined]
    sys.modules["some_settings"] = cfg
    try:
        space = world("def f(x):\n    from some_settings import alpha\n    return x * alpha\n")
        before = digest(space)
        cfg.alpha = 2.0  # type: ignore[attr-defined]
        assert digest(space) != before
    finally:
        del sys.modules["some_settings"]


def test_decorators_are_seen_through() -> None:
    import functools

    def decorated(by: float) -> Callable[[Any], Any]:
        def decorate(function: Any) -> Any:
            @functools.wraps(function)
            def wrapper(x: float) -> Any:
                return by * function(x)

            return wrapper

        return decorate

    def plain(x: float) -> float:
        return x

    a, b = (reach(decorated(by)(plain)).digest for by in (1.0, 2.0))
    assert a != b


def test_arguments_that_are_baked_in_count() -> None:
    space = world()
    colour = enum.Enum("Colour", "RED GREEN")
    statics = [None, "a", "b", 1, True, colour.RED, colour.GREEN, math.sin, math.cos, space["h"], np.float64, float]  # type: ignore[attr-defined]
    found = [reach(space["f"], [value]).digest for value in statics]
    assert len(set(found)) == len(found)
    fields = [namedtuple("P", "a b"), namedtuple("P", "b a")]
    assert reach(space["f"], [fields[0]]).digest != reach(space["f"], [fields[1]]).digest


@pytest.mark.parametrize("value", [object(), {1: object()}, np.zeros(3), [object()], ctypes.CDLL(None).labs])
def test_what_has_no_identity_is_refused_where_it_is_baked_in(value: Any) -> None:
    with pytest.raises(Unstable):
        reach(outer(1.0), [value])


def test_what_has_no_identity_elsewhere_is_for_the_captures_to_say() -> None:
    value = object()
    reached = reach(outer(value))
    cell = reached.functions[0].__closure__[0]  # type: ignore[index]
    capture = Capture("c", lambda: cell.cell_contents, value, None, (id(cell),))
    assert not reached.covers([capture])
    assert reached.covers([])

    def f(x: float, k: Any = value) -> float:
        return x

    # A default is looked at in each call, as a global is: it may be replaced.
    assert reach(f).covers([])


def test_functions_of_other_libraries_count_by_name() -> None:
    space = world("def f(x):\n    return K(x)\n")
    found = []
    for name in ("one", "other"):
        space["K"] = type(name, (), {"__call__": lambda self, x: x, "__name__": name})()
        found.append(digest(space))
    assert found[0] != found[1]


def test_rules() -> None:
    space = world()

    class Rule:
        name, native, adjoint = "h", None, None

        def __init__(self, tangent: Any) -> None:
            self.primal, self.tangent = space["h"], tangent

    def hashed(rule: Any, of: Any = space["h"]) -> str:
        return reach(space["f"], rule_of=lambda function: rule if function is of else None).digest

    one, two = (lambda a, r, d: d), (lambda a, r, d: 2.0 * d)
    assert len({hashed(None), hashed(Rule(one)), hashed(Rule(two))}) == 3
    with pytest.raises(Unstable):
        hashed(types.SimpleNamespace(native=1))
    with pytest.raises(Unstable):
        hashed(Rule(one), math.sin)


def test_rules_for_functions_of_libraries() -> None:
    space = world("import colorsys\ndef f(x):\n    return colorsys.hls_to_rgb(x, 2.0, 1.0)\n")

    def hashed(adjoint: Any) -> str:
        rule = types.SimpleNamespace(name="v", native=None, primal=None, tangent=None, adjoint=adjoint)
        found = None if adjoint is None else rule
        return reach(space["f"], rule_of=lambda function: found if function is colorsys.hls_to_rgb else None).digest

    one, two = (lambda a, b, c, r, ct: ct), (lambda a, b, c, r, ct: 2.0 * ct)
    assert len({hashed(None), hashed(one), hashed(two)}) == 3


def test_what_replaces_a_function_of_a_library_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """`functools.wraps` makes it look like one."""
    space = world("import colorsys\ndef f(x):\n    return colorsys.hls_to_rgb(x, 2.0, 1.0)\n")
    found = [digest(space)]
    for other in ((lambda a, b, c: 2.0 * a), (lambda a, b, c: 3.0 * a)):
        monkeypatch.setattr(colorsys, "hls_to_rgb", functools.update_wrapper(other, colorsys.hls_to_rgb))
        found.append(digest(space))
    assert len(set(found)) == 3


def test_a_module_that_makes_its_attributes_up_is_refused() -> None:
    space = world()
    space["cfg"].__getattr__ = lambda name: 1.0
    with pytest.raises(Unstable):
        digest(space)


def test_objects_that_raise_are_no_reason_to_fail() -> None:
    class Wild:
        def __call__(self) -> None: ...

        def __getattr__(self, name: str) -> Any:
            raise OSError(name)

    with pytest.raises(Unstable, match="OSError"):
        reach(outer(Wild()))


def test_places_are_found_again() -> None:
    space = world()
    reached = reach(space["f"])
    scope = id(space["h"].__globals__)
    for key, value in {
        (scope, "K"): 2.0, (scope, "TABLE", 1, 0): 2, (scope, "TABLE", 1, len): 2, (scope, "POINT", "x"): 1.0,
        (scope, "POINT", type): space["Point"], (id(space["cfg"]), "alpha"): 1.0,
        (scope, "h", types.CodeType): space["h"].__code__,
    }.items():  # fmt: skip
        place = reached.place(key)
        assert place is not None
        assert reached.fetcher(place)() == value
    other = reach(world()["f"])
    assert other.fetcher(reached.place((scope, "TABLE", 1, 0)))() == 2  # type: ignore[arg-type]
    for unknown in ((scope, "Z"), (id(object()), "K"), (), (scope, "K", object())):
        assert reached.place(unknown) is None


def test_two_processes_agree(tmp_path: Any) -> None:
    (tmp_path / "program.py").write_text(
        "import math, enum\nimport numpy as np\nS = 3.0\nclass C(enum.Enum):\n    A = 1\n"
        "def g(x):\n    return np.sum(x) if x in {'a', 'b', 'c', 1.5} else np.linalg.norm(x) * S\n"
        "def f(x, y=C.A):\n    return math.exp(g(x)) + len(x)\n"
    )
    command = "from adcore.runtime.cache.identity import reach\nimport program\nprint(reach(program.f).digest)"
    found = [
        subprocess.run(
            [sys.executable, "-c", command], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1]


def test_names_are_looked_up_without_warnings() -> None:
    # A method of `str` says no module, and `numpy.str` warns.
    assert not is_found(str.join)
    assert is_found(np.add)
    assert is_found(np.linalg.norm)
