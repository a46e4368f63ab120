"""The mark `no_alloc_grad`: what it says about a test, and running it.

With positional arguments it names a function and its arguments, and the test's body runs afterwards. Without, the
body is the function: arguments come from the mark's keywords, from fixtures and from parametrize.
"""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from pytest_adalloc.checks.inputs.arguments import Replica
from pytest_adalloc.options import NAMES, CheckOptions
from pytest_adalloc.session import Recorder

MARK = "no_alloc_grad"
HIDDEN = getattr(pytest, "HIDDEN_PARAM", "mark")  # keeps test ids as they are; pytest < 8.4 shows an id instead


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """The names that a test function takes."""
    return list(inspect.signature(function).parameters)


def supply(metafunc: pytest.Metafunc, mark: pytest.Mark) -> None:
    """Give the arguments that the mark holds to a test whose body is the function."""
    if mark.args:
        return
    wanted = parameters_of(metafunc.function)
    unknown = [name for name in mark.kwargs if name not in wanted and name not in NAMES]
    if unknown:
        fail(
            f"{metafunc.function.__name__} takes no argument {unknown[0]!r}, and it is no option of the mark; "
            f"the options are {', '.join(NAMES)}"
        )
    for name in (name for name in mark.kwargs if name in metafunc.fixturenames):
        metafunc.parametrize(name, [mark.kwargs[name]], ids=[HIDDEN])


def check_named(item: pytest.Item, mark: pytest.Mark, recorder: Recorder) -> None:
    """Check the function that the mark names."""
    __tracebackhide__ = True
    from pytest_adalloc.integration.settle import settled

    function, *args = mark.args
    if not callable(function):
        fail(f"the first argument is the function to check, and {function!r} can't be called")
    given = {name: value for name, value in mark.kwargs.items() if name not in NAMES}
    grad = given.pop("grad", None)
    args += _by_name(function, len(args), given)
    options = {name: value for name, value in mark.kwargs.items() if name in NAMES}
    settled(function, tuple(args), grad, _options(options), recorder, counted=True)


def check_body(item: pytest.Function, mark: pytest.Mark, recorder: Recorder) -> None:
    """Check the test's own body. It does not run as a test: it is called on copies of its arguments only."""
    __tracebackhide__ = True
    from pytest_adalloc.integration.settle import settled

    function = item.obj
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        fail("an async body can't be differentiated; name a plain function in the mark instead")
    names = parameters_of(function)
    args = tuple(_argument(item, mark, name) for name in names)
    for name, value in zip(names, args, strict=True):
        if type(value).__module__.startswith("pytest_adalloc"):
            fail(f"the body is the function and can't use the fixture {name!r}; name a function in the mark instead")
    if recorder.settings.policy == "off":
        function(*Replica(args).arguments())
    options = {name: value for name, value in mark.kwargs.items() if name in NAMES and name not in names}
    settled(function, args, None, _options(options), recorder, counted=True)


def _argument(item: pytest.Function, mark: pytest.Mark, name: str) -> Any:
    """What pytest supplies; a parameter with a default is none of its business."""
    if name in item.funcargs:
        return item.funcargs[name]
    default = inspect.signature(item.obj).parameters[name].default
    if name not in mark.kwargs and default is inspect.Parameter.empty:
        fail(f"{item.name} takes {name!r}, and neither the mark nor a fixture supplies it")
    return mark.kwargs.get(name, default)


def refuse_unittest(item: pytest.Item) -> None:
    """A TestCase's methods take no arguments, so that their body can't be the function."""
    if isinstance(getattr(item, "cls", None), type) and issubclass(item.cls, unittest.TestCase):  # type: ignore[attr-defined]
        fail("methods of unittest.TestCase take no arguments; call pytest_adalloc.check(f, ...) in the body instead")


def fail(reason: str) -> None:
    """End the test or its collection with what is wrong about the mark."""
    pytest.fail(f"no_alloc_grad: {reason}", pytrace=False)


def _by_name(function: Callable[..., Any], count: int, given: dict[str, Any]) -> list[Any]:
    """Arguments given by keyword, in the order of the function's parameters after the first `count`."""
    rest = []
    for name in parameters_of(function)[count:] if given else []:
        if name not in given:
            break
        rest.append(given.pop(name))
    if given:
        name = next(iter(given))
        fail(f"{name!r} is no argument of {function.__name__} that is missing, and no option ({', '.join(NAMES)})")
    return rest


def _options(given: dict[str, Any]) -> CheckOptions:
    try:
        return CheckOptions.of(given)
    except (TypeError, ValueError) as problem:
        fail(str(problem))
        raise
