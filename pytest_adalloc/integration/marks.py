"""The mark `no_alloc_grad`: what it says about a test, and running it.

With positional arguments it names a function and its arguments, and the test's body runs afterwards. Without, the
body is the function: arguments come from the mark's keywords, from fixtures and from parametrize.
"""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_adalloc.checks.inputs.arguments import Replica
from pytest_adalloc.options import NAMES, unknown
from pytest_adalloc.session import Recorder, with_defaults

if TYPE_CHECKING:
    from pytest_adalloc.checks.task import CheckTask

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
    strange = [name for name in mark.kwargs if name not in wanted and name not in NAMES]
    if strange:
        name = strange[0]
        fail(f"{metafunc.function.__name__} takes no argument {name!r}, and it is {unknown(name, wanted)}")
    for name in (name for name in mark.kwargs if name in metafunc.fixturenames):
        metafunc.parametrize(name, [mark.kwargs[name]], ids=[HIDDEN])


def check_named(item: pytest.Item, mark: pytest.Mark, recorder: Recorder) -> None:
    """Check the function that the mark names."""
    __tracebackhide__ = True
    from pytest_adalloc.integration.settle import settled

    function, *args = mark.args
    if not callable(function):
        fail(f"the first argument is the function to check, and {function!r} can't be called")
    given = dict(mark.kwargs)
    grad = given.pop("grad", None)
    settled(_task(function, args, with_defaults(given, recorder), grad), recorder)


def check_body(item: pytest.Function, mark: pytest.Mark, recorder: Recorder) -> None:
    """Check the test's own body. It does not run as a test: it is called on copies of its arguments only."""
    __tracebackhide__ = True
    from pytest_adalloc.integration.settle import settled

    function = item.obj
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        fail("an async body can't be differentiated; name a plain function in the mark instead")
    names = parameters_of(function)
    given = {name: _argument(item, mark, name) for name in names}
    for name, value in given.items():
        if type(value).__module__.startswith("pytest_adalloc"):
            fail(f"the body is the function and can't use the fixture {name!r}; name a function in the mark instead")
    if recorder.settings.policy == "off":
        copies = Replica(tuple(given.values())).arguments()
        function(**dict(zip(given, copies, strict=True)))
    options = {name: value for name, value in mark.kwargs.items() if name in NAMES and name not in names}
    parameters = inspect.signature(function).parameters
    by_name = {name: given.pop(name) for name in names if parameters[name].kind is inspect.Parameter.KEYWORD_ONLY}
    others = [name for name in NAMES if name not in names]
    options = with_defaults(options, recorder, others)
    settled(_task(function, list(given.values()), {**options, **by_name}), recorder)


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


def _task(function: Callable[..., Any], args: Sequence[Any], given: dict[str, Any], grad: Any = None) -> CheckTask:
    from pytest_adalloc.checks.task import task_of

    try:
        return task_of(function, args, given, grad=grad)
    except (TypeError, ValueError) as problem:
        fail(str(problem))
        raise
