"""Many derivatives at one point: kernels with their buffers, made once, run for one batch of directions after another.

`Tangents` runs forward mode (or forward mode over the reverse sweep) along several directions at once, `Cotangents` the
reverse sweep for one output at a time. Running them allocates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adcore.abi.frame import words
from adcore.driver.calls.call import Call, has_tangent
from adcore.driver.calls.run import Run
from adcore.driver.request import Sweep
from adcore.driver.specialisations import is_differentiable
from adcore.ir.types import ArrayType, Scalar
from adcore.machine_model import MODEL
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.frames import read_scalar, view_at
from adcore.runtime.messages import unsent
from adcore.runtime.values.leaves import LeafValue, arrays, is_number


def lanes_for(call: Call, directions: int, higher: bool) -> int:
    """How many directions to take at once: up to 8, fewer for few directions and for large programs. `higher`: they
    go over the reverse sweep."""
    size = call.primal.interface.size * (3 if higher else 1)
    lanes = MODEL.most_lanes
    while lanes > 1 and (lanes // 2 >= directions or size * lanes > MODEL.largest_batched_body):
        lanes //= 2
    return lanes


class _Sweeper(Run):
    """Sweeps at a point, with buffers of their own for whatever they write: `copies` of the primal leaves, and what
    stands `behind` them among the parameters."""

    def __init__(
        self, call: Call, sweeps: tuple[Sweep, ...], copies: Sequence[LeafValue], behind: Sequence[LeafValue]
    ) -> None:
        given = [*copies, *behind]
        super().__init__(call, call.specialised(sweeps, given), given)

    def run(self, again: bool = False) -> None:
        """Sweep over the arguments as they are now; `again`: what the function says was said by an earlier sweep."""
        for k in self.call.primal.written:
            for own, original in zip(arrays(self.values[k]), arrays(self.call.values[k]), strict=True):
                np.copyto(own, original)
        if again and self.specialisation.kernel.messages:
            with unsent():
                self.execute()
        else:
            self.execute()

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


def clear(buffers: Iterable[LeafValue | None]) -> None:
    """Zeros in all arrays."""
    for buffer in buffers:
        for array in arrays(buffer):
            array.fill(0.0)


def shadows_of(call: Call, lanes: int) -> tuple[list[list[LeafValue | None]], list[LeafValue | None]]:
    """Shadows for each lane, and the memory behind all of them: one array per leaf where leaves share no memory."""
    made = [call.shadows() for _ in range(lanes)]
    memory: list[LeafValue | None] = [value for lane in made for value in lane if isinstance(value, tuple)]
    for k, value in enumerate(made[0]):
        if isinstance(value, np.ndarray) and call.groups:
            memory += [lane[k] for lane in made]
        elif isinstance(value, np.ndarray):
            whole = np.zeros((lanes, *value.shape), value.dtype)
            memory.append(whole)
            for number, lane in enumerate(made):
                lane[k] = whole[number, ...]  # an array even where it has no axes
    return made, memory


class Tangents(_Sweeper):
    """Forward mode along `lanes` directions; `higher`: over the reverse sweep of a scalar function."""

    def __init__(self, call: Call, lanes: int, higher: bool) -> None:
        copies = call.copies()
        self.lanes, self.varied = lanes, call.varied
        self.moving, self.memory = shadows_of(call, lanes)
        directions = [0.0 if m[k] is None else m[k] for k in call.varied for m in self.moving]
        self.adjoints = call.shadows() if higher else []
        self.changes: list[list[LeafValue | None]] = []
        self.start = len(copies)
        if higher:
            sweeps, behind = self._over_reverse(call, copies, directions)
        else:
            sweeps, behind = (call.forward(lanes),), directions
        super().__init__(call, sweeps, copies, behind)

    def _over_reverse(
        self, call: Call, copies: Sequence[LeafValue], directions: Sequence[LeafValue]
    ) -> tuple[tuple[Sweep, ...], list[LeafValue]]:
        """Forward mode over the reverse sweep: its sweeps, and the values behind the primal's.

        The parameters of the reverse sweep stay in front; behind them come the directions, then those of its shadows.
        """
        returned = len(call.returned_types)
        seeds = tuple(k < returned and is_differentiable(type_) for k, type_ in enumerate(call.result_types))
        shadows = [self.adjoints[k] for k in call.duplicated]
        inner = ("duplicated",) * len(shadows) + ("const",) * sum(seeds)
        reverse = [*shadows, *(1.0 for seed in seeds if seed)]
        self.start += len(reverse)
        self.changes, more = shadows_of(call, self.lanes)
        self.memory += more
        moved = [lane[k] for k in call.duplicated for lane in self.changes]
        # Shadows of leaves that share memory share theirs.
        over = Sweep("forward", (*call.kinds, *inner), (), alias_groups([*copies, *reverse]), self.lanes)
        return (call.reverse(seeds), over), [*reverse, *directions, *moved]

    def clear(self) -> None:
        """Zeros wherever a sweep adds or writes, and for all directions."""
        clear(self.adjoints)
        clear(self.memory)
        for at, leaf in enumerate(self.varied):
            if self.call.kinds[leaf] == "active":
                for lane in range(self.lanes):
                    self.frame.set_param(self.start + at * self.lanes + lane, 0.0)

    def aim(self, lane: int, leaf: int, index: tuple[int, ...]) -> None:
        """Direction `lane` along one element of a leaf."""
        own = self.moving[lane][leaf]
        if self.call.kinds[leaf] == "active":
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
        types = self.call.result_types
        if not is_differentiable(types[result]):
            out.fill(0.0)
        else:
            before = sum(map(has_tangent, types[:result]))
            self.put(len(types) + before * self.lanes + lane, out)

    def change(self, leaf: int, lane: int) -> Any:
        """The derivative, in direction `lane`, of the adjoint of a leaf: a number, array or tuple of arrays."""
        kinds, types = self.call.kinds, self.call.result_types
        if kinds[leaf] == "const":
            return None
        if kinds[leaf] == "duplicated":
            return self.changes[lane][leaf]
        # Behind all results of the reverse sweep come their tangents, those of the primal's results first.
        first = len(types) + kinds.count("active") + sum(map(has_tangent, types)) * self.lanes
        return self.number(first + kinds[:leaf].count("active") * self.lanes + lane)


class Cotangents(_Sweeper):
    """The reverse sweep from one element of one result (number `result`) at a time."""

    def __init__(self, call: Call, result: int, output: Any) -> None:
        self.shadows = call.shadows()
        scalar = isinstance(call.result_types[result], Scalar)
        self.seed: Any = 1.0 if scalar else np.zeros(np.shape(output), output.dtype)
        sweep = call.reverse([k == result for k in range(len(call.result_types))])
        super().__init__(call, (sweep,), call.copies(), [*(self.shadows[k] for k in call.duplicated), self.seed])
        self.elements = list(np.ndindex(np.shape(output)))

    def aim(self, element: int) -> None:
        """Seed one element of the result, and clear what the sweep adds to."""
        clear(self.shadows)
        if not is_number(self.seed):
            self.seed.fill(0.0)
            self.seed[self.elements[element]] = 1.0

    def adjoint(self, leaf: int) -> Any:
        """The derivative by a leaf."""
        if self.call.kinds[leaf] == "active":
            return self.number(self.call.adjoint_result(leaf))
        return self.shadows[leaf]
