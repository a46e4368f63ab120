"""What users and saboteurs pass in, end to end: each is refused with a reason, caught by the gate, or just right."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc
from adcore import api
from adcore.driver import stages
from adcore.driver.request import Options
from adcore.ops import TABLE
from adcore.ops.expr import Expr


def waves(x):
    total = 0.0
    for i in range(len(x)):
        total += math.sin(x[i]) * x[i]
    return total


def squares(x):
    total = 0.0
    for v in x:
        total += v * v
    return total


def doubles_in_place(x, k):
    for i in range(len(x)):
        x[i] = k * x[i] * x[i]
    return x[0] + x[len(x) - 1]


X = np.linspace(0.3, 1.7, 6)


# Saboteurs


def test_a_wrong_gradient_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivative of sin becomes 1.001 * cos, in a copy of the ops table."""
    rule = TABLE["sin"].partials
    assert rule is not None

    def wrong(*operands: Any, **attrs: Any) -> list[Expr | None]:
        return [partial * 1.001 if partial is not None else None for partial in rule(*operands, **attrs)]

    pytest_adalloc.check(waves, X)
    monkeypatch.setattr(api, "Options", functools.partial(Options, ops=TABLE.changed("sin", partials=wrong)))
    with pytest.raises(pytest_adalloc.CheckFailed, match=r"gradient wrong: d waves / d x\[\d\]") as failed:
        pytest_adalloc.check(waves, X)
    assert failed.value.report.worst.argument == "x"


def test_a_rule_that_forgets_an_operand_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = TABLE["mul"].partials
    assert rule is not None

    def forgetful(*operands: Any, **attrs: Any) -> list[Expr | None]:
        return [rule(*operands, **attrs)[0], None]

    monkeypatch.setattr(api, "Options", functools.partial(Options, ops=TABLE.changed("mul", partials=forgetful)))
    with pytest.raises(pytest_adalloc.CheckFailed, match="gradient wrong"):
        pytest_adalloc.check(waves, X)


PLANTED = """
  %planted = call ptr @malloc(i64 24)
  store volatile i8 1, ptr %planted
  call void @free(ptr %planted)
"""


@pytest.fixture
def planted_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel asks for 24 bytes at its start."""
    from dataclasses import replace

    genuine = stages.lower

    def lower(*args: Any, **options: Any) -> Any:
        lowered = genuine(*args, **options)
        head, brace, body = lowered.text.partition("{\n")
        label, colon, rest = body.partition(":\n")
        text = f"{head}{brace}{label}{colon}{PLANTED}{rest}"
        declared = [f"declare {t} @{n}({a})" for t, n, a in (("ptr", "malloc", "i64"), ("void", "free", "ptr"))]
        return replace(lowered, text="\n".join([text, *(d for d in declared if d not in text)]))

    monkeypatch.setattr(stages, "lower", lower)


@pytest.mark.usefixtures("planted_malloc")
def test_a_planted_malloc_is_counted() -> None:
    def fresh(x):
        return x[0] * x[1] * 3.0

    with pytest.raises(pytest_adalloc.CheckFailed, match="allocates once in every one of 7 calls") as failed:
        pytest_adalloc.check(fresh, X[:2].copy(), calls=7)
    report = failed.value.report
    assert report.allocs_per_call == (1,) * 7
    assert report.bytes_per_call == (24,) * 7
    assert report.allocations.by_function["malloc"] == 7


@pytest.mark.usefixtures("planted_malloc")
def test_a_planted_malloc_is_not_proven_either() -> None:
    def fresh(x):
        return x[0] * x[1] * 4.0

    with pytest.raises(pytest_adalloc.CheckFailed, match=r"not proven[\s\S]*calls malloc, an allocator"):
        pytest_adalloc.check(fresh, X[:2].copy(), max_allocs=1, prove="require")


PAST_THE_HOOKS = """
import numpy as np
import pytest_adalloc
from pytest_adalloc import hooks
from pytest_adalloc.hooks.install.process import installed

def squares(x):
    return np.sum(x * x)

# Kernels are linked past the hooks, to malloc itself.
hooks.hook_addresses = lambda: dict(installed().slots.originals)
try:
    print(pytest_adalloc.check(squares, np.ones(3)).verdict)
except hooks.HooksDead as dead:
    print(dead)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entries", "said"),
    [("on", "passed"), ("off", "a count of 0 would mean nothing")],
)
def test_hooks_switched_off_behind_the_back(tmp_path: Path, entries: str, said: str) -> None:
    """malloc itself counts where it is patched; where it is not, a canary that is linked alike shows it."""
    path = tmp_path / "past_the_hooks.py"
    path.write_text(PAST_THE_HOOKS)
    environment = {**os.environ, "ADALLOC_ENTRIES": entries, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, env=environment, check=True)
    assert said in run.stdout


# Functions that cannot be compiled


def test_unsupported_syntax_is_refused_with_all_errors_at_once() -> None:
    def many(x):
        with open("never") as file:
            file.read()
        return {v: v for v in x}

    with pytest.raises(ad.CompileError) as refused:
        ad.grad(many)(X)
    text = str(refused.value)
    assert "`with` is not supported" in text
    assert text.count("-->") >= 2
    assert "^^^^" in text
    assert "= help:" in text


def test_source_from_exec_is_refused() -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    return x * x\n", space)
    with pytest.raises(ad.CompileError, match="source"):
        ad.grad(space["f"])(2.0)


@pytest.mark.parametrize("builtin", [math.sin, len])
def test_a_builtin_has_no_source(builtin: Any) -> None:
    with pytest.raises((ad.CompileError, ad.ArgumentError), match=r"source|function"):
        ad.grad(builtin)(2.0)


def test_a_lambda_across_lines_is_refused() -> None:
    # fmt: off
    chosen = [lambda x:
              x *
              x][0]
    # fmt: on
    with pytest.raises(ad.CompileError, match="source of this lambda can't be told apart"):
        ad.grad(chosen)(3.0)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ad.ArgumentError, match="is not a function"):
        ad.grad(3.0)(2.0)  # type: ignore[arg-type]


# Arguments that do not fit


def test_shape_and_dtype_of_a_compiled_call() -> None:
    handle = ad.compile(squares, ad.Duplicated(X, np.zeros(6)))
    with pytest.raises(
        ad.ArgumentError,
        match="compiled as a 1-dimensional array of f64, and this call has a 1-dimensional array of f32",
    ):
        handle(X.astype(np.float32), np.zeros(6, np.float32))
    with pytest.raises(ad.ArgumentError, match="2-dimensional"):
        handle(np.ones((2, 3)), np.zeros((2, 3)))
    longer = np.linspace(0.0, 1.0, 9)
    shadow = np.zeros(9)
    handle(longer, shadow)
    assert shadow.tolist() == (2 * longer).tolist(), "another length is the same type"


@pytest.mark.parametrize("value", ["text", None, {"a": 1.0}, np.array(["a"]), np.array([object()]), object()])
def test_values_that_are_no_numbers(value: Any) -> None:
    with pytest.raises((ad.ArgumentError, ad.CompileError)):
        ad.grad(squares)(value)


@pytest.mark.parametrize(
    ("shadow", "message"),
    [(np.zeros(5), "shape"), (np.zeros((6, 1)), "shape"), (np.zeros(6, np.float32), "float32"), (3.0, "shadow")],
)
def test_a_shadow_that_does_not_fit(shadow: Any, message: str) -> None:
    with pytest.raises(ad.ArgumentError, match=message):
        ad.autodiff(ad.Reverse, squares, ad.Duplicated(X, shadow))


def test_a_read_only_shadow() -> None:
    shadow = np.zeros(6)
    shadow.flags.writeable = False
    with pytest.raises(ad.ArgumentError, match="read-only"):
        ad.autodiff(ad.Reverse, squares, ad.Duplicated(X, shadow))


def test_a_shadow_that_overlaps_its_primal() -> None:
    memory = np.linspace(0.0, 1.0, 9)
    for shadow in (memory[:6], memory[3:]):
        with pytest.raises(ad.ArgumentError, match=r"overlap|share"):
            ad.autodiff(ad.Reverse, squares, ad.Duplicated(memory[:6], shadow))


# Values at the edge


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_pass_through(special: float) -> None:
    x = np.array([1.0, special, 2.0])
    assert np.array_equal(ad.grad(squares)(x), 2 * x, equal_nan=True)
    with pytest.raises(pytest_adalloc.CheckFailed, match="edge of the domain: squares has no value"):
        pytest_adalloc.check(squares, x)


def test_empty_arrays_and_loops_without_a_turn() -> None:
    assert ad.grad(squares)(np.zeros(0)).shape == (0,)
    report = pytest_adalloc.check(squares, np.zeros(0))
    assert (report.verdict, report.max_error) == ("passed", 0.0)

    def powers(x, n):
        y = 1.0
        for _ in range(n):
            y *= x
        return y

    assert [ad.grad(powers)(3.0, n) for n in (-2, 0, 1, 2)] == [0.0, 0.0, 1.0, 6.0]
    pytest_adalloc.check(powers, 3.0, 0)


def test_arrays_without_axes() -> None:
    def cube(x):
        return x[()] ** 3

    x, shadow = np.array(2.0), np.array(0.0)
    ad.autodiff(ad.Reverse, cube, ad.Duplicated(x, shadow))
    assert float(shadow) == 12.0
    pytest_adalloc.check(cube, x)


@pytest.mark.slow
def test_a_million_elements() -> None:
    x = np.linspace(-1.0, 1.0, 1_000_000)
    report = pytest_adalloc.check(squares, x, calls=3)
    assert report.allocs_per_call == (0, 0, 0)
    assert np.array_equal(report.gradients[0], 2 * x)


def test_arguments_that_the_function_writes_stay_as_they_are() -> None:
    x, k = X.copy(), 3.0
    value, (dx, dk) = ad.value_and_grad(doubles_in_place, wrt=(0, 1))(x, k)
    assert np.array_equal(x, X)
    assert value == pytest.approx(3.0 * (X[0] ** 2 + X[-1] ** 2))
    assert dx == pytest.approx(np.array([6.0 * X[0], 0, 0, 0, 0, 6.0 * X[-1]]))
    assert dk == pytest.approx(X[0] ** 2 + X[-1] ** 2)


def test_errors_of_the_users_code_stay_its_own() -> None:
    """The index is wrong for this array only: Python's exception, and nothing of the caller's is changed."""

    def third(x):
        return x[2] * x[0]

    x = np.ones(2)
    with pytest.raises(IndexError, match="index 2 is out of bounds for axis 0 with size 2") as raised:
        ad.grad(third)(x)
    assert raised.traceback[-1].name == "third"
    assert x.tolist() == [1.0, 1.0]

    def divided(x, n):
        return x * (7 // n)

    with pytest.raises(ZeroDivisionError):
        ad.grad(divided)(1.0, 0)
