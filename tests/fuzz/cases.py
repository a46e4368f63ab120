"""A random program as a module, with buffers: its arguments, shadows and tangents are views of them."""

from __future__ import annotations

import copy
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import adcore as ad
from tests.fuzz.programs import SHAPES, Program


@dataclass
class Point:
    """Contents of all float inputs: buffers and numbers."""

    buffers: list[np.ndarray[Any, Any]]
    numbers: list[float]

    @staticmethod
    def random(rng: np.random.Generator, numbers: int) -> Point:
        return Point([rng.uniform(-2.0, 2.0, s) for s in SHAPES], [float(rng.uniform(-2, 2)) for _ in range(numbers)])

    def copy(self) -> Point:
        return Point([b.copy() for b in self.buffers], list(self.numbers))

    def moved(self, direction: Point, step: float) -> Point:
        buffers = [b + step * d for b, d in zip(self.buffers, direction.buffers, strict=True)]
        return Point(buffers, [x + step * d for x, d in zip(self.numbers, direction.numbers, strict=True)])

    def dot(self, other: Point) -> float:
        pairs = zip(self.buffers, other.buffers, strict=True)
        numbers = zip(self.numbers, other.numbers, strict=True)
        return float(sum(np.sum(a * b) for a, b in pairs) + sum(a * b for a, b in numbers))


@dataclass
class Outcome:
    """What a call did: its value and the buffers afterwards, or its exception and the line of that."""

    value: Any = None
    buffers: list[np.ndarray[Any, Any]] = field(default_factory=list)
    error: Exception | None = None
    line: int | None = None


class Case:
    """A program and a point at which it is differentiated."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.file = folder / f"program_{program.seed}.py"
        self.file.write_text(program.source)
        self.module = load(self.file)
        self.function: Callable[..., Any] = self.module.program
        self.rng = np.random.default_rng(program.seed)
        self.point = Point.random(self.rng, program.numbers)

    def arguments(self, point: Point) -> tuple[Any, ...]:
        """The arguments over the buffers of `point`."""
        made: tuple[Any, ...] = self.module.arguments(point.buffers, point.numbers)
        return made

    def annotated(self, point: Point, shadow: Point, forward: bool) -> list[Any]:
        """The arguments with activities: whatever holds floats is differentiated."""
        pairs = zip(self.arguments(point), self.arguments(shadow), strict=True)
        return [annotate(value, other, forward) for value, other in pairs]

    def outcome(self, call: Callable[[Point], Any], at: Point | None = None) -> Outcome:
        """What `call` does with a copy of the point."""
        own = (at or self.point).copy()
        try:
            with np.errstate(all="ignore"):
                value = copy.deepcopy(call(own))
        except (ArithmeticError, LookupError, ValueError, NameError, AssertionError) as error:
            return Outcome(None, own.buffers, error, line_of(error, self.file))
        return Outcome(value, own.buffers)


def annotate(value: Any, shadow: Any, forward: bool) -> Any:
    if isinstance(value, float) or (isinstance(value, tuple) and isinstance(value[0], float)):
        return ad.Duplicated(value, shadow) if forward else ad.Active(value)
    if isinstance(value, np.ndarray) and value.dtype.kind != "f":
        return ad.Const(value)
    if isinstance(value, (bool, int)):
        return ad.Const(value)
    return ad.Duplicated(value, shadow)


def line_of(error: Exception, file: Path) -> int | None:
    """The line of the program that an exception is about."""
    span = getattr(error, "span", None)
    if span is not None:
        return int(span.line)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    return lines[-1] if lines else None


def load(file: Path) -> ModuleType:
    """The module of a file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def same(a: Any, b: Any, tolerance: float) -> bool:
    """Equal in structure, and in value up to a relative tolerance."""
    if a is None or b is None:
        return a is b
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if np.shape(a) != np.shape(b):
        return False
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def same_buffers(a: Sequence[Any], b: Sequence[Any], tolerance: float) -> bool:
    return all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
