"""The compiler's gradient as a subject: called in place on a replica of the arguments, counted in the native loop.

Numbers are Active: their derivatives are returned. Arrays, and what holds arrays, are Duplicated: their shadows start
with the weights of what the function writes and end with the gradient.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

import adcore as ad
from adcore.instances import is_object
from pytest_adalloc.checks.inputs.arguments import Moved, Point, Replica, Vector, bounds, walk
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.checks.subjects.evaluation import Outcome, Weights
from pytest_adalloc.checks.subjects.subject import CountedRun, TimedCall, Unmet, WorkspaceUse
from pytest_adalloc.checks.verdict.diagnostics import diagnostic
from pytest_adalloc.checks.verdict.later import Later
from pytest_adalloc.hooks.reports import Scope
from pytest_adalloc.options import CheckOptions

COLUMNS = 256  # so many components' gradients are made by forward mode alone
HEAP = ("malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign", "mmap", "munmap")

_link_path_seen = False


class CompiledGradient:
    """A compiled function and its derivatives at a point."""

    ours = True
    coarse = False  # it computes with the bits of the arguments

    def __init__(self, f: FlatFunction, point: Point, options: CheckOptions) -> None:
        self._f, self._point, self._options = f, point, options
        self._name = f.name
        self._moved = Moved(point)
        self._shadows = _shadows(point)
        self._reverse: Any = None
        self._forward: Any = None
        # Numbers inside immutable records that hold arrays as well can be differentiated, but not in place.
        self._in_place = not any(_is_fixed(argument) for argument in point.arguments)
        self.primal: Callable[..., Any] | None = self._compile(ad.Primal, list(self._moved.at()))

    def derive(self, outcome: Outcome, weights: Weights) -> None:
        """Compile the derivatives. Raises Unmet where that can't be done."""
        point, options = self._point, self._options
        self._weights = weights
        self._changed = frozenset(point.leaves[k].argument for k in outcome.written if point.leaves[k].floats)
        if weights and not self._in_place:
            advice = "make it mutable, or pass its parts as arguments of their own"
            text = "a record that can't be changed holds numbers and arrays, and the function returns nothing"
            raise Unmet("cannot compile", diagnostic(f"cannot compile: {self._name}: {text}", help=advice))
        if options.mode != "forward" or point.size > COLUMNS:
            self._reset()
            self._reverse = self._compile(ad.Reverse, self._annotated(self._moved.at()))
        if options.mode != "reverse" or self._reverse is None:
            self._forward = self._compile(ad.Forward, self._annotated(self._moved.at(), np.zeros(point.size)))

    @property
    def storage(self) -> WorkspaceUse:
        """What the gradient keeps, as its plan says."""
        handle = self._handles()[0]
        stored = Later(lambda: tuple(handle.explain().stored))
        explanation = Later(lambda: str(handle.explain()))
        return WorkspaceUse(handle.workspace_bytes, handle.workspace_formula, stored, explanation)

    @property
    def certificate(self) -> Any:
        """That of the derivative which is checked; of both modes the one that is not proven."""
        found = [handle.certificate for handle in self._handles()]
        return next((certificate for certificate in found if not certificate.proven), found[0])

    def _handles(self) -> list[Any]:
        """The derivatives that the mode asks for."""
        wanted = {"reverse": [self._reverse], "forward": [self._forward], "both": [self._reverse, self._forward]}
        return [handle for handle in wanted[self._options.mode] if handle is not None]

    def gradient(self, vector: Vector | None = None) -> Vector:
        """By reverse mode, or column by column where forward mode alone is checked."""
        if self._reverse is None:
            return np.array([self.forward(unit, vector) for unit in np.eye(self._point.size)])
        if not self._in_place:
            return self._functional(self._moved.at(vector))
        self._reset()
        returned = self._reverse(*self._annotated(self._moved.at(vector)))
        return self._collected(returned)

    def _functional(self, arguments: Sequence[Any]) -> Vector:
        """The gradient as new values, for arguments that can't take it in place."""
        options, point = self._options, self._point
        args, kwargs = self._f.call(arguments)
        gradient = ad.grad(self._f.function, wrt=point.paths, workspace=options.workspace, fastmath=options.fastmath)
        return _flat(gradient(*args, **kwargs))

    def forward(self, tangent: Vector, vector: Vector | None = None) -> float:
        """The derivative of the value, or of the weighted sum of what is written, along a tangent."""
        annotated = self._annotated(self._moved.at(vector), tangent)
        if self._forward is None:
            self._forward = self._compile(ad.Forward, annotated)
            annotated = self._annotated(self._moved.at(vector), tangent)
        return self._tangent(self._forward(*annotated))

    def _tangent(self, returned: Any) -> float:
        """The derivative that a forward sweep left: of the value, and of what was written."""
        total = float(returned or 0.0)
        for k, weight in self._weights.items():
            total += float(np.sum(self._shadows.array(k).astype(np.float64) * weight))
        return total

    def second(self, vector: Vector) -> Vector:
        """The Hessian times a vector. Raises Unmet where it can't be compiled."""
        point = self._point
        along = point.split(vector)
        try:
            args, kwargs = self._f.call(point.fresh())
            product = ad.hvp(self._f.function, wrt=point.paths)(*args, **kwargs, vector=along)
        except ad.CompileError as error:
            raise Unmet("cannot compile", f"cannot compile: second derivatives of {self._name}\n{error}") from error
        return _flat(product)

    def count(self, calls: int, scope: Scope) -> tuple[CountedRun, ...]:
        """Calls of the bound kernel in a native loop; it is linked once more, with the hooks in malloc's place."""
        _check_link_path()
        counts = []
        if self._options.mode != "forward" and self._reverse is not None:
            self._reset()
            annotated = self._annotated(self._moved.at())
            seen, bound = counted(self._reverse, annotated, calls, scope)
            counts.append(CountedRun(seen, self._collected(bound.finish()) if self._in_place else None))
        if self._options.mode != "reverse" and self._forward is not None:
            ones = np.ones(self._point.size)
            expected = np.array([self.forward(ones)])
            annotated = self._annotated(self._moved.at(), ones)
            seen, bound = counted(self._forward, annotated, calls, scope)
            counts.append(CountedRun(seen, np.array([self._tangent(bound.finish())]), expected, "forward"))
        return tuple(counts)

    def timed(self) -> tuple[TimedCall, TimedCall]:
        """Bound calls, so that the native code is timed and not the way to it."""
        primal = _timed(self.primal, self._moved.at())
        handle = self._handles()[0]
        if handle is self._forward:
            return primal, _timed(handle, self._annotated(self._moved.at(), np.ones(self._point.size)), primal)
        self._reset()
        return primal, _timed(handle, self._annotated(self._moved.at()), primal)

    # Arguments and shadows

    def _compile(self, mode: Any, annotated: Sequence[Any]) -> Any:
        options = self._options
        workspace = options.workspace
        if workspace == "auto" and options.max_workspace is not None:
            workspace = options.max_workspace
        args, kwargs = self._f.call(annotated)
        # Defaults are compiled in: one that is called as an option of ours is named can't be passed.
        kwargs = {n: a for n, a in kwargs.items() if n in self._f.named or isinstance(a, (ad.Active, ad.Duplicated))}
        try:
            return ad.compile(
                self._f.function, *args, mode=mode, workspace=workspace, fastmath=options.fastmath, **kwargs
            )
        except ad.WorkspaceError as error:
            text = diagnostic(f"workspace too large: {self._name} has to keep more than {workspace} bytes", str(error))
            raise Unmet("workspace too large", text) from error
        except (ad.CompileError, ad.ArgumentError) as error:
            text = diagnostic(f"cannot compile: {self._name}", str(error))
            raise Unmet("cannot compile", text) from error

    def _annotated(self, arguments: Sequence[Any], tangent: Vector | None = None) -> list[Any]:
        """The arguments with their activities; with a tangent, for forward mode."""
        shadows = self._shadows.arguments() if tangent is None else self._tangents(tangent)
        annotated: list[Any] = []
        for number, (argument, shadow) in enumerate(zip(arguments, shadows, strict=True)):
            mine = [leaf for leaf in self._point.leaves if leaf.argument == number]
            active = number in self._point.wrt or number in self._changed
            if not active or not any(leaf.floats for leaf in mine):
                annotated.append(ad.Const(argument))
            elif tangent is None and _is_active(argument, mine):
                annotated.append(ad.Active(argument))
            else:
                annotated.append(ad.Duplicated(argument, shadow if tangent is not None else _mutable(shadow)))
        self._given = annotated
        return annotated

    def _reset(self) -> None:
        """Shadows for a reverse sweep: the weights of what is written, zero elsewhere."""
        for k, leaf in enumerate(self._point.leaves):
            if leaf.shape is not None and leaf.floats:
                self._shadows.array(k)[...] = 0.0
        for k, weight in self._weights.items():
            self._shadows.array(k)[...] += weight

    def _tangents(self, tangent: Vector) -> tuple[Any, ...]:
        numbers: dict[int, Any] = {}
        tangent, _ = self._point.consistent(tangent)
        for k, leaf in enumerate(self._point.leaves):
            if leaf.shape is not None and leaf.floats:
                self._shadows.array(k)[...] = 0.0
        for k, leaf in enumerate(self._point.leaves):
            if leaf.moves:
                part = tangent[leaf.start : leaf.start + leaf.size]
                if leaf.shape is None:
                    numbers[k] = float(part[0])
                else:
                    self._shadows.array(k)[...] = part.reshape(leaf.shape)
        return self._shadows.arguments(numbers)

    def _collected(self, returned: Any) -> Vector:
        """The gradient from shadows and returned derivatives."""
        derivatives = iter(returned or ())
        found: list[Any] = []
        for number, given in enumerate(self._given):
            if isinstance(given, ad.Active):
                part = [value for _, value in walk(next(derivatives), "")]
            elif isinstance(given, ad.Duplicated):
                part = [value for _, value in walk(given.shadow, "")]
            else:
                part = [None] * sum(leaf.argument == number for leaf in self._point.leaves)
            found += part
        pieces = [
            np.asarray(value, dtype=np.float64).reshape(-1)
            for leaf, value in zip(self._point.leaves, found, strict=True)
            if leaf.moves
        ]
        return np.concatenate(pieces or [np.zeros(0)])


def _flat(parts: Sequence[Any]) -> Vector:
    leaves = [value for part in parts for _, value in walk(part, "") if value is not None]
    return np.concatenate([np.asarray(leaf, dtype=np.float64).reshape(-1) for leaf in leaves] or [np.zeros(0)])


def _is_fixed(argument: Any, within: bool = False) -> bool:
    """Whether a number sits in a named tuple or frozen dataclass that is more than numbers."""
    if isinstance(argument, (float, np.floating)):
        return within
    fixed = within or hasattr(argument, "_fields") or _is_frozen(argument)
    numbers_only = not isinstance(argument, list) and all(np.ndim(leaf) == 0 for _, leaf in walk(argument, ""))
    if numbers_only and not within:
        return False
    if isinstance(argument, (tuple, list)):
        return any(_is_fixed(item, fixed) for item in argument)
    if is_dataclass(argument) and not isinstance(argument, type):
        return any(_is_fixed(getattr(argument, part.name), fixed) for part in fields(argument))
    return False


def _is_frozen(argument: Any) -> bool:
    parameters = getattr(argument, "__dataclass_params__", None)
    return bool(getattr(parameters, "frozen", False))


def counted(handle: Any, annotated: Sequence[Any], calls: int, scope: Scope) -> tuple[Any, Any]:
    """Calls of a handle counted one by one, arguments put back before each: what was seen, and the bound call."""
    from pytest_adalloc import hooks

    bound = handle.bind(*annotated)
    address = handle.relink({name: at for name, at in hooks.hook_addresses().items() if name in HEAP})
    kept, restore = restored(bound.buffers)
    seen = hooks.measure_native(
        address,
        bound.frame_address,
        calls=calls,
        restore=restore,
        scope=scope,
        address_table=getattr(handle, "address_table", None),
    )
    del kept
    if seen.status:
        bound.raise_fault(seen.status)
    return seen, bound


def _timed(handle: Any, annotated: Sequence[Any], primal: TimedCall | None = None) -> TimedCall:
    """A bound call. Shadows may grow from call to call; what the primal overwrites is put back before each."""
    bound = handle.bind(*annotated)
    kept, blocks = restored(bound.buffers)
    if not blocks or (primal is not None and primal.restore is None):
        return TimedCall(bound)

    def restore() -> None:
        for destination, source, size in blocks:
            ctypes.memmove(destination, source, size)

    restore.kept = kept  # type: ignore[attr-defined]
    return TimedCall(bound, restore)


def restored(buffers: Sequence[Any]) -> tuple[list[Any], list[tuple[int, int, int]]]:
    """Copies of what the calls write, and what to copy back before each: (destination, source, bytes)."""
    kept: list[Any] = []
    blocks = []
    for buffer in buffers:
        if buffer.written and buffer.array.size:
            low, high = bounds(buffer.array)
            copy = ctypes.create_string_buffer(ctypes.string_at(low, high - low), high - low)
            kept.append(copy)
            blocks.append((low, ctypes.addressof(copy), high - low))
    return kept, blocks


def _heap_twin(x: float, n: int) -> float:
    total = x
    for _ in range(n):
        total = total * total + 1.0
    return total


def _check_link_path() -> None:
    """A gradient that has to allocate, linked as every gradient is: if the hooks miss it, they miss all. Once a run."""
    global _link_path_seen
    if _link_path_seen:
        return
    from pytest_adalloc import hooks

    annotated = [ad.Active(0.5), ad.Const(4)]
    handle = ad.compile(_heap_twin, *annotated, mode=ad.Reverse, workspace="heap")
    seen, _ = counted(handle, annotated, 3, "thread")
    if tuple(seen.allocs_per_call) != (1, 1, 1):
        raise hooks.HooksDead(
            "a compiled gradient that allocates once a call was linked with the hooks, and they counted "
            f"{tuple(seen.allocs_per_call)} in 3 calls: a count of 0 would mean nothing"
        )
    _link_path_seen = True


def _shadows(point: Point) -> Replica:
    """A replica in which every number is zero: memory that arguments share, their shadows share."""
    replica = Replica(point.pristine())
    for k, leaf in enumerate(point.leaves):
        if leaf.floats and leaf.shape is None:
            replica.leaves[k] = 0.0
        elif leaf.shape is not None and leaf.floats:
            replica.leaves[k] = replica.array(k)
    return replica


def _is_active(argument: Any, leaves: Sequence[Any]) -> bool:
    mutable = isinstance(argument, list) or is_object(argument)
    return not mutable and all(leaf.shape is None for leaf in leaves)


def _mutable(shadow: Any) -> Any:
    """Lists for tuples, since derivatives of the numbers inside are put into the shadow."""
    if type(shadow) is tuple or isinstance(shadow, list):
        return [_mutable(item) for item in shadow]
    return shadow
