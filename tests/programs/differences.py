"""Slopes of plain Python along random directions: the judge of the programs, which shares nothing with the compiler."""

from __future__ import annotations

import copy
import enum
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .program import Program


def floats(value: Any) -> Iterator[tuple[tuple[Any, ...], np.ndarray]]:
    """The path and the value of every float below `value`, arrays whole."""
    if isinstance(value, (bool, str, int, np.integer, enum.Enum)) or not hasattr(value, "__dict__") and callable(value):
        return
    if isinstance(value, float | np.floating):
        yield (), np.asarray(value)
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            yield (), value
    else:
        for key, item in children(value):
            for path, leaf in floats(item):
                yield (key, *path), leaf


def children(value: Any) -> list[tuple[Any, Any]]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, dict):
        return list(value.items())
    return list(vars(value).items())


def child(value: Any, key: Any) -> Any:
    return value[key] if isinstance(value, list | tuple | dict) else getattr(value, key)


def moved(value: Any, direction: dict[tuple[Any, ...], np.ndarray], step: float) -> Any:
    """A copy of `value` whose floats are moved by `step` along `direction`."""
    if () in direction:
        shifted = np.asarray(value) + step * direction[()]
        return shifted if isinstance(value, np.ndarray) else float(shifted)
    if not direction:
        return value
    below: dict[Any, dict[tuple[Any, ...], np.ndarray]] = {}
    for (key, *rest), leaf in direction.items():
        below.setdefault(key, {})[tuple(rest)] = leaf
    changed = {key: moved(child(value, key), part, step) for key, part in below.items()}
    if isinstance(value, tuple):
        items = [changed.get(i, item) for i, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    result = copy.copy(value)
    for key, item in changed.items():
        if isinstance(result, list | dict):
            result[key] = item
        else:
            object.__setattr__(result, key, item)
    return result


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = child(value, key)
    return value


def slope(function: Callable[[float], float], step: float = 2e-5) -> float:
    """The derivative of a smooth function at 0, from central differences extrapolated twice (Richardson)."""
    d = [(function(h) - function(-h)) / (2 * h) for h in (4 * step, 2 * step, step)]
    first = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    return (16 * first[1] - first[0]) / 15


def split_path(path: str) -> list[Any]:
    """`self.layers[0].w` as its keys, without `self`."""
    keys = re.findall(r"\.(\w+)|\[(\d+)\]|\['(\w+)'\]", path)
    return [int(index) if index else name or key for name, index, key in keys]


def differentiated(program: Program) -> list[tuple[Any, Callable[[Any], float]]]:
    """Each differentiated argument with the program as a function of it alone."""
    names = list(program.function.__code__.co_varnames) if hasattr(program.function, "__code__") else []
    if hasattr(program.function, "__func__"):
        names = names[1:]
    result: list[tuple[Any, Callable[[Any], float]]] = []
    for which in program.wrt if isinstance(program.wrt, tuple) else (program.wrt,):
        if isinstance(which, str) and which.startswith("self."):
            result.append(_of_attribute(program, split_path(which)))
            continue
        index = names.index(which) if isinstance(which, str) else which

        def call(value: Any, index: int = index) -> float:
            args = list(copy.deepcopy(program.args))
            args[index] = value
            return float(_fresh(program.function)(*args, **copy.deepcopy(program.kwargs)))

        result.append((program.args[index], call))
    return result


def _fresh(function: Any) -> Any:
    """A method of a copy of its object, so that no call sees what another one left there."""
    if hasattr(function, "__func__"):
        return getattr(copy.deepcopy(function.__self__), function.__name__)
    return copy.deepcopy(function)


def _of_attribute(program: Program, keys: list[Any]) -> tuple[Any, Callable[[Any], float]]:
    method: Any = program.function

    def call(value: Any) -> float:
        owner = copy.deepcopy(method.__self__)
        holder = at(owner, tuple(keys[:-1]))
        if isinstance(holder, list | dict):
            operator.setitem(holder, keys[-1], value)
        else:
            object.__setattr__(holder, keys[-1], value)
        return float(getattr(owner, method.__name__)(*copy.deepcopy(program.args), **copy.deepcopy(program.kwargs)))

    return at(method.__self__, tuple(keys)), call


def directional(program: Program, gradient: Any, seed: int) -> tuple[float, float, float]:
    """The slope along a random direction: by differences, by `gradient`, and the size to measure their distance by."""
    random = np.random.default_rng(seed)
    gradients = gradient if isinstance(program.wrt, tuple) else (gradient,)
    expected = got = size = 0.0
    for (value, call), g in zip(differentiated(program), gradients, strict=True):
        direction = {
            path: random.uniform(0.5, 1.0, leaf.shape) * random.choice([-1.0, 1.0], leaf.shape) * (np.abs(leaf) + 1e-2)
            for path, leaf in floats(value)
        }
        for path, leaf in direction.items():
            part = np.asarray(at(g, path), dtype=float) * leaf
            assert part.shape == leaf.shape
            got += float(part.sum())
            size += float(np.abs(part).sum())
        expected += slope(lambda h, value=value, call=call, direction=direction: call(moved(value, direction, h)))
    return expected, got, size
