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
from tests.fuzz.programs import FLAGS, INTEGERS, SHAPES, SINGLE, Program

Array = np.ndarray[Any, Any]
RAISED = (ArithmeticError, LookupError, ValueError, NameError, AssertionError)


@dataclass
class Point:
    """Contents of all inputs: buffers and numbers."""

    buffers: list[Array]
    numbers: list[float]

    @staticmethod
    def random(rng: np.random.Generator, numbers: int) -> Point:
        buffers: list[Array] = [rng.uniform(-2.0, 2.0, shape) for shape in SHAPES]
        buffers = [np.asarray(b) for b in buffers]
        buffers[SINGLE] = buffers[SINGLE].astype(np.float32)
        buffers[INTEGERS], buffers[FLAGS] = np.array([4, 0, 3, 1, 1]), np.array([True, False, False, True, True])
        return Point(buffers, [float(rng.uniform(-2, 2)) for _ in range(numbers)])

    def copy(self) -> Point:
        return Point([b.copy() for b in self.buffers], list(self.numbers))

    def moved(self, direction: Point, step: float) -> Point:
        """The point `step` further along `direction`; integers and bools stay."""
        pairs = zip(self.buffers, direction.buffers, strict=True)
        buffers = [np.asarray(b + step * d).astype(b.dtype) if b.dtype.kind == "f" else b.copy() for b, d in pairs]
        return Point(buffers, [x + step * d for x, d in zip(self.numbers, direction.numbers, strict=True)])

    def nudged(self, rng: np.random.Generator, size: float) -> Point:
        """A point that differs in each number by about `size`, relatively: as if the inputs had been rounded."""
        buffers = [np.asarray(b * (1.0 + size * rng.uniform(-1, 1, b.shape))).astype(b.dtype) if b.dtype.kind == "f"
                   else b.copy() for b in self.buffers]  # fmt: skip
        return Point(buffers, [x * (1.0 + size * float(rng.uniform(-1, 1))) for x in self.numbers])

    def dot(self, other: Point) -> float:
        return float(sum(self.terms(other)))

    def terms(self, other: Point) -> list[float]:
        """The summands of the inner product."""
        pairs = zip(self.buffers, other.buffers, strict=True)
        found = [np.ravel(a.astype(float) * b) for a, b in pairs if a.dtype.kind == "f"]
        return [*np.concatenate(found).tolist(), *(a * b for a, b in zip(self.numbers, other.numbers, strict=True))]

    def flat(self) -> Array:
        """All floats in a row."""
        return np.concatenate([np.ravel(b).astype(float) for b in self.buffers if b.dtype.kind == "f"] + [self.numbers])


@dataclass
class Outcome:
    """What a call did: its value and the buffers afterwards, or its exception and the line of that."""

    value: Any = None
    buffers: list[Array] = field(default_factory=list)
    error: Exception | None = None
    line: int | None = None

    def flat(self) -> Array:
        """The value's numbers, then those of the buffers."""
        return np.array(
            [*numbers_of(self.value), *(x for b in self.buffers for x in np.ravel(b).tolist())], dtype=float
        )

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.flat()).all())


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

    @property
    def name(self) -> str:
        return f"program_{self.program.seed}"

    def random(self) -> Point:
        """A direction: zero in buffers that no argument shows, which would add nothing but size."""
        point = Point.random(self.rng, self.program.numbers)
        shown = self.program.source[self.program.source.index("def arguments") :]
        for k, buffer in enumerate(point.buffers):
            if buffer.dtype.kind == "f" and f"b[{k}]" not in shown:
                buffer.fill(0.0)
        return point

    def arguments(self, point: Point) -> tuple[Any, ...]:
        """The arguments over the buffers of `point`."""
        made: tuple[Any, ...] = self.module.arguments(point.buffers, point.numbers)
        return made

    def annotated(self, point: Point, shadow: Point, forward: bool) -> list[Any]:
        """The arguments with activities: whatever holds floats is differentiated."""
        pairs = zip(self.arguments(point), self.arguments(shadow), strict=True)
        return [annotate(value, other, forward) for value, other in pairs]

    def python(self, at: Point | None = None) -> Outcome:
        """What plain Python does."""
        return self.outcome(lambda own: self.function(*self.arguments(own)), at)

    def outcome(self, call: Callable[[Point], Any], at: Point | None = None) -> Outcome:
        """What `call` does with a copy of the point."""
        own = (at or self.point).copy()
        try:
            with np.errstate(all="ignore"):
                value = copy.deepcopy(call(own))
        except RAISED as error:
            return Outcome(None, own.buffers, error, line_of(error, self.file))
        return Outcome(value, own.buffers)


def is_numbers(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and isinstance(value[0], float)


def annotate(value: Any, shadow: Any, forward: bool) -> Any:
    if isinstance(value, float) or (isinstance(value, tuple) and is_numbers(value)):
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


def numbers_of(value: Any) -> list[float]:
    """All numbers in a value, in order."""
    if value is None:
        return []
    if isinstance(value, (tuple, list)):
        return [x for v in value for x in numbers_of(v)]
    if hasattr(value, "weight"):
        return numbers_of((value.place, value.speed, value.weight))
    return [float(x) for x in np.ravel(value)]


def alike(a: Any, b: Any) -> bool:
    """Equal in structure and shapes; integers and bools equal in value and kind, too. Compiled, what is an integer on
    one path and a float on another is a float: where Python has `b`, an integer, `a` may be a float."""
    if a is None or b is None:
        return a is b
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b, strict=True))
    kinds = np.asarray(a).dtype.kind + np.asarray(b).dtype.kind
    if np.shape(a) != np.shape(b) or kinds not in ("ff", "fi", "ii", "uu", "bb"):
        return False
    return kinds == "ff" or bool(np.array_equal(a, b))


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
