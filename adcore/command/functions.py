"""The function that a command is about, and its arguments: `FILE:FUNCTION --args EXPRESSION`."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adcore.command.usage import CommandError


def add_function(parser: argparse.ArgumentParser) -> None:
    """The arguments of a command that say which function, and where."""
    parser.add_argument("function", metavar="FILE:FUNCTION", help="such as model.py:energy, or package.model:energy")
    parser.add_argument(
        "--args",
        metavar="EXPRESSION",
        help="its arguments as Python, over np and the names of the file, such as '(np.ones(8), 2.0)'; without it, "
        "defaults, what annotations say, and an array of 8 numbers",
    )


def function_and_arguments(options: argparse.Namespace) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What the options name. Raises CommandError where there is no such thing."""
    import numpy as np

    try:
        names, function = find(options.function)
    except LookupError as problem:
        raise CommandError(problem.args[0]) from None
    except Exception as problem:  # the file itself
        raise CommandError(f"{options.function.rpartition(':')[0]}: {type(problem).__name__}: {problem}") from None
    if not callable(function):
        raise CommandError(f"{options.function} is no function")
    if not options.args:
        return function, example(function)
    try:
        return function, evaluate(options.args, {**names, "np": np})
    except Exception as problem:
        raise CommandError(f"--args {options.args}: {type(problem).__name__}: {problem}") from None


def find(target: str) -> tuple[dict[str, Any], Callable[..., Any]]:
    """The names of a file (or module) and the function in it. Raises LookupError."""
    place, _, name = target.rpartition(":")
    if not place:
        raise LookupError(f"{target!r}: write FILE:FUNCTION")
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise LookupError(f"there is no file {place}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
    else:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise LookupError(str(error)) from error
    if not hasattr(module, name):
        raise LookupError(f"{place} has no function {name}")
    return vars(module), getattr(module, name)


def evaluate(expression: str, names: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments that an expression gives: a tuple is all of them, anything else the only one."""
    value = eval(expression, names)
    return value if isinstance(value, tuple) else (value,)


def example(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Example arguments: defaults; else from annotations (float, int, bool, arrays); else an array of 8 numbers."""
    import numpy as np

    by_annotation = {float: 1.5, int: 3, bool: True, "float": 1.5, "int": 3, "bool": True}
    found: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty:
            found.append(parameter.default)
        else:
            found.append(by_annotation.get(parameter.annotation, np.linspace(0.5, 1.5, 8)))
    return tuple(found)


def annotation(value: Any, mode: str) -> Any:
    """The annotation that differentiates by `value` where it has floats."""
    import adcore as ad
    from adcore.driver.specialisations import is_differentiable
    from adcore.runtime.values.arguments import describe
    from adcore.runtime.values.leaves import flatten, rebuild, zeros
    from adcore.signature import ScalarArg, leaves

    arg = describe(value, "argument")
    types = [leaf.type for leaf in leaves(arg, "")]
    if mode == "primal" or not any(is_differentiable(t) for t in types):
        return ad.Const(value)
    if isinstance(arg, ScalarArg):
        return ad.Active(value) if mode == "reverse" else ad.Duplicated(value, 1.0)
    shadow = [
        zeros(v) if is_differentiable(t) else None for v, t in zip(flatten([arg], [value]).values, types, strict=True)
    ]
    return ad.Duplicated(value, rebuild(arg, iter(shadow)))
