"""Many derivatives at one point: kernels with their buffers, made once, run for one chunk of directions after another.

`Tangents` runs forward mode (or forward mode over the reverse sweep) along several directions at once, `Cotangents` the
reverse sweep for one output at a time. Running them allocates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adcore.abi.frame import words
from adcore.analysis.planning.explain import Explanation
from adcore.driver.functional import Evaluation
from adcore.driver.pipeline import Sweep
from adcore.driver.specialisations import Version, is_differentiable
from adcore.ir.core import walk
from adcore.ir.types import ArrayType, Scalar
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.frames import Frame, read_scalar, view_at
from adcore.runtime.leaves import LeafValue, arrays, is_number

MOST_LANES = 8
LARGEST_BODY = 4000
"""Instructions that a sweep may have with all its lanes: beyond, compiling takes longer than sweeping."""


def lanes_for(evaluation: Evaluation, directions: int, second: bool) -> int:
    """How many directions to take at once: up to 8, fewer for few directions and for large programs."""
    size = sum(1 for _ in walk(evaluation.primal.function.region)) * (3 if second else 1)
    lanes = MOST_LANES
    while lanes > 1 and (lanes // 2 >= directions or size * lanes > LARGEST_BODY):
        lanes //= 2
    return lanes


class _Sweeper:
    """A kernel at a point, with buffers of its own for whatever it writes."""

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation, self.primal = evaluation, evaluation.primal
        self.kinds, self.types = evaluation.kinds, evaluation.primal.result_types
        self.values = evaluation.fresh()
        self.version: Version
        self.frame: Frame

    def link(self, sweeps: tuple[Sweep, ...], given: Sequence[LeafValue]) -> None:
        """Find the code for these parameters, of which those behind the primal's are written."""
        written = frozenset(range(len(self.values), len(given)))
        self.version = self.evaluation._version(sweeps, given, written)
        self.frame = self.version.kernel.frame(given)

    def run(self) -> None:
        for k in self.primal.written:
            for own, original in zip(arrays(self.values[k]), arrays(self.evaluation.prepared.values[k]), strict=True):
                np.copyto(own, original)
        self.version.kernel.run(self.frame)

    def number(self, k: int) -> Any:
        """Result `k` of the kernel, a number."""
        type_ = self.frame.layout.results[k]
        assert isinstance(type_, Scalar)
        return read_scalar(self.frame.words, self.frame.layout.result_words[k], type_)

    def put(self, k: int, out: np.ndarray[Any, Any]) -> None:
        """Result `k` of the kernel into `out`, which has its number of elements."""
        type_ = self.frame.layout.results[k]
        if isinstance(type_, Scalar):
            out[...] = self.number(k)
            return
        assert isinstance(type_, ArrayType)
        at = self.frame.layout.result_words[k]
        found = view_at(self.frame.words[at : at + words(type_)], type_)
        np.copyto(out.reshape(found.shape), found)

    def explain(self) -> Explanation:
        """What the reverse sweep keeps, if there is one."""
        return self.version.explain(self.evaluation.prepared.values)


def clear(buffers: Iterable[LeafValue | None]) -> None:
    """Zeros in all arrays."""
    for buffer in buffers:
        for array in arrays(buffer):
            array.fill(0.0)


def shadows_of(evaluation: Evaluation, lanes: int) -> tuple[list[list[LeafValue | None]], list[LeafValue | None]]:
    """Shadows for each lane, and the memory behind all of them: one array per leaf where leaves share no memory."""
    made = [evaluation.shadows() for _ in range(lanes)]
    memory: list[LeafValue | None] = [value for lane in made for value in lane if isinstance(value, tuple)]
    for k, value in enumerate(made[0]):
        if isinstance(value, np.ndarray) and evaluation.groups:
            memory += [lane[k] for lane in made]
        elif isinstance(value, np.ndarray):
            whole = np.zeros((lanes, *value.shape), value.dtype)
            memory.append(whole)
            for number, lane in enumerate(made):
                lane[k] = whole[number, ...]  # an array even where it has no axes
    return made, memory


class Tangents(_Sweeper):
    """Forward mode along `lanes` directions; `second`: over the reverse sweep of a scalar function."""

    def __init__(self, evaluation: Evaluation, lanes: int, second: bool) -> None:
        super().__init__(evaluation)
        self.lanes = lanes
        self.moving, self.memory = shadows_of(evaluation, lanes)
        varied = [k for k, kind in enumerate(self.kinds) if kind != "const"]
        directions = [0.0 if m[k] is None else m[k] for k in varied for m in self.moving]
        self.adjoints = evaluation.shadows() if second else []
        self.changes: list[list[LeafValue | None]] = []
        forward = Sweep("forward", self.kinds, (), evaluation.groups, lanes)
        if not second:
            self.start = len(self.values)
            self.link((forward,), [*self.values, *directions])
        else:
            seeds = tuple(map(is_differentiable, self.types))
            shadows = [s for s in self.adjoints if s is not None]
            inner = ("duplicated",) * len(shadows) + ("const",) * sum(seeds)
            given = [*self.values, *shadows, *(1.0 for s in seeds if s)]
            self.start = len(given)
            self.changes, more = shadows_of(evaluation, lanes)
            self.memory += more
            moved = [c[k] for k, s in enumerate(self.adjoints) if s is not None for c in self.changes]
            first = Sweep("reverse", self.kinds, seeds, evaluation.groups)
            # Shadows of leaves that share memory share theirs.
            over = Sweep("forward", (*self.kinds, *inner), (), alias_groups(given), lanes)
            self.link((first, over), [*given, *directions, *moved])
        self.varied = varied
        self.numbers = [k for k in varied if self.kinds[k] == "active"]

    def clear(self) -> None:
        """Zeros wherever a sweep adds or writes, and for all directions."""
        clear(self.adjoints)
        clear(self.memory)
        for leaf in self.numbers:
            first = self.start + self.varied.index(leaf) * self.lanes
            for lane in range(self.lanes):
                self.frame.set_param(first + lane, 0.0)

    def aim(self, lane: int, leaf: int, index: tuple[int, ...]) -> None:
        """Direction `lane` along one element of a leaf."""
        own = self.moving[lane][leaf]
        if leaf in self.numbers:
            self.frame.set_param(self.start + self.varied.index(leaf) * self.lanes + lane, 1.0)
        else:
            assert own is not None
            own[index] = 1.0  # `own.flat` would allocate an iterator

    def along(self, tangents: Sequence[LeafValue | None]) -> None:
        """The first direction as given, per leaf."""
        for k, leaf in enumerate(self.varied):
            tangent = tangents[leaf]
            if tangent is not None and is_number(tangent):
                self.frame.set_param(self.start + k * self.lanes, float(tangent))
            elif tangent is not None:
                for own, given in zip(arrays(self.moving[0][leaf]), arrays(tangent), strict=True):
                    np.copyto(own, given)

    def tangent(self, result: int, lane: int, out: np.ndarray[Any, Any]) -> None:
        """The tangent of a result of the function into `out`; zero if it has none."""
        kept = [r for r, t in enumerate(self.types) if is_differentiable(t) or isinstance(t, ArrayType)]
        if result not in kept or not is_differentiable(self.types[result]):
            out.fill(0.0)
        else:
            self.put(len(self.types) + kept.index(result) * self.lanes + lane, out)

    def change(self, leaf: int, lane: int) -> Any:
        """The derivative, in direction `lane`, of the adjoint of a leaf: a number, array or tuple of arrays."""
        if self.kinds[leaf] == "const":
            return None
        if self.kinds[leaf] == "duplicated":
            return self.changes[lane][leaf]
        active = [k for k, kind in enumerate(self.kinds) if kind == "active"]
        floats = sum(1 for t in self.types if is_differentiable(t) or not isinstance(t, Scalar))
        first = len(self.types) + len(active) + floats * self.lanes
        return self.number(first + active.index(leaf) * self.lanes + lane)


class Cotangents(_Sweeper):
    """The reverse sweep from one element of one result (number `result`) at a time."""

    def __init__(self, evaluation: Evaluation, result: int, output: Any) -> None:
        super().__init__(evaluation)
        self.shadows = evaluation.shadows()
        type_ = self.types[result]
        self.seed: Any = 1.0 if isinstance(type_, Scalar) else np.zeros(np.shape(output), output.dtype)
        sweep = Sweep("reverse", self.kinds, tuple(k == result for k in range(len(self.types))), evaluation.groups)
        self.link((sweep,), [*self.values, *(s for s in self.shadows if s is not None), self.seed])
        self.elements = list(np.ndindex(np.shape(output)))

    def aim(self, element: int) -> None:
        """Seed one element of the result, and clear what the sweep adds to."""
        clear(self.shadows)
        if not is_number(self.seed):
            self.seed.fill(0.0)
            self.seed[self.elements[element]] = 1.0

    def adjoint(self, leaf: int) -> Any:
        """The derivative by a leaf."""
        if self.kinds[leaf] == "active":
            active = [k for k, kind in enumerate(self.kinds) if kind == "active"]
            return self.number(len(self.types) + active.index(leaf))
        return self.shadows[leaf]
