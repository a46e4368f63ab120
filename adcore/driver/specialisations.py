"""Which compiled version serves a call: by function, kinds of arguments, what is differentiated, and aliasing.

A function is read and compiled to IR once per signature (`Primal`); numbers that it takes from outside are looked up
again at each use, and a change means a new one. Each `Primal` keeps its compiled versions.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any, Literal

import numpy as np

from adcore.analysis.planning.explain import Explanation
from adcore.driver import inspection, pipeline
from adcore.driver.pipeline import Build, Groups, Request, Sweep, compile_request
from adcore.errors import ArgumentError, Diagnostic, WorkspaceError
from adcore.frontend.custom_derivatives import generation
from adcore.ir.core import Function
from adcore.ir.types import ArrayType, ListType, Type, is_float
from adcore.lower import Part
from adcore.ops import TABLE, Table
from adcore.runtime import allocator
from adcore.runtime import linker as jit
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.arguments import refuse
from adcore.runtime.calls import Kernel
from adcore.runtime.leaves import Flattened, LeafValue, exact, flatten, rebuild
from adcore.signature import ArrayArg, Leaf, ScalarArg, Signature

Workspace = int | Literal["auto", "heap"]


@dataclass(frozen=True)
class Options:
    """How to compile."""

    workspace: Workspace = "auto"
    fastmath: bool = False
    boundscheck: bool = True
    ops: Table = field(default=TABLE, repr=False, hash=False, compare=False)

    def __post_init__(self) -> None:
        valid = self.workspace in ("auto", "heap") or (
            isinstance(self.workspace, int) and not isinstance(self.workspace, bool) and self.workspace >= 0
        )
        if not valid:
            refuse(f'workspace={self.workspace!r}: give "auto", "heap", or a number of bytes')


@dataclass(frozen=True, eq=False)
class Version:
    """Compiled code and how it came about."""

    build: Build
    kernel: Kernel
    primal: Primal

    def explain(self, values: Sequence[LeafValue] | None) -> Explanation:
        """What is kept for the reverse sweep, in bytes for the primal leaf `values`."""
        derived = self.build.products["derived"]
        explained: Explanation | None = derived.explain(values)
        if explained is None:
            function = self.primal.function
            return Explanation(function.name, function.span, (), "0", 0)
        return explained

    def bytes(self, values: Sequence[LeafValue] | None) -> int | None:
        """What is kept for the reverse sweep, for the primal leaf `values`; None where only a run can tell."""
        derived = self.build.products["derived"]
        size: int | None = derived.bytes(values)
        return size


@dataclass(frozen=True, eq=False)
class Primal:
    """A function for one signature, ready to be differentiated; `written` are the parameters that it writes into."""

    python: Callable[..., Any]
    signature: Signature
    options: Options
    build: Build
    written: frozenset[int]
    versions: dict[tuple[Any, ...], Version] = field(default_factory=dict)

    @property
    def products(self) -> Mapping[str, Any]:
        """What the stages before differentiation made."""
        return self.build.products

    @property
    def function(self) -> Function:
        function: Function = self.build.products["simplified"]
        return function

    @property
    def program(self) -> Any:
        return self.build.products["ir"]

    def rebuild(self, results: Sequence[Any]) -> Any:
        """What the function returns, from the results of its IR."""
        return rebuild(self.program.result, iter(results), exact)

    def rebuild_tangent(self, tangents: Sequence[Any]) -> Any:
        """The derivative of what it returns: floats for floats, None for what has no derivative."""
        return rebuild(self.program.result, iter(tangents))

    def parts(self, cotangent: Any) -> list[Any]:
        """A cotangent in the structure of what the function returns, by result."""
        return flatten([self.program.result], [cotangent]).values

    def stretched(self, values: Sequence[LeafValue]) -> set[tuple[int, int]]:
        """Axes of length 1 in a call with these leaves that stretch, or for which this was compiled."""
        found = {
            (k, axis) for k, axis in self.program.compared if getattr(values[k], "shape", ())[axis : axis + 1] == (1,)
        }
        return found | set(self.signature.ones)

    @property
    def is_single(self) -> bool:
        """Whether the function returns one number or one array, in no container."""
        return isinstance(self.program.result, (ScalarArg, ArrayArg))

    @property
    def result_types(self) -> tuple[Type, ...]:
        return tuple(result.type for result in self.function.results)

    @functools.cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The signature's leaves, then the captured arrays."""
        captured = [c for c in self.program.captures if c.arg is not None]
        params = self.function.params[len(self.signature.leaves()) :]
        extra = [Leaf(c.path, p.type, c.arg.writeable) for c, p in zip(captured, params, strict=True)]
        return (*self.signature.leaves(), *extra)

    def captured(self) -> list[Any]:
        """The arrays that the function takes from outside, as they are now."""
        arrays = [capture for capture in self.program.captures if capture.arg is not None]
        for capture in arrays:
            if not capture.unchanged():
                refuse(
                    f"`{capture.path}` is no longer an array of the kind that this was compiled for",
                    help="compile again",
                )
        return [capture.fetch() for capture in arrays]

    def is_current(self) -> bool:
        """Whether everything that was baked in still has its value."""
        return all(capture.unchanged() for capture in self.program.captures)

    def relevant(self, groups: Groups, writes: frozenset[int]) -> Groups:
        """The alias groups that matter: sharing memory that nobody writes is harmless."""
        return tuple(group for group in groups if writes & frozenset(group))

    def version(
        self, sweeps: tuple[Sweep, ...], aliases: Groups, values: Sequence[LeafValue], part: Part = "whole"
    ) -> Version:
        """Code for these sweeps under this aliasing; `values` are the primal leaves, for limits in bytes."""
        key = (sweeps, aliases, self.options.fastmath, self.options.boundscheck, part)
        limit = self.options.workspace
        if not isinstance(limit, int):
            return self._made((*key, limit), self._request(sweeps, aliases, part=part, heap=limit == "heap"))
        if limit == 0:
            return self._made((*key, 0), self._request(sweeps, aliases, part=part, limit=0))
        version = self._made((*key, "auto"), self._request(sweeps, aliases, part=part))
        needed = version.bytes(values)
        if needed is not None and needed <= limit:
            return version
        # Leaner code depends on the shapes, through what the plan takes for them.
        shapes = tuple(np.shape(v) if isinstance(v, np.ndarray) else v for v in values if not isinstance(v, list))
        request = self._request(sweeps, aliases, part=part, limit=limit, values=tuple(values))
        return self._made((*key, limit, repr(shapes)), request)

    def _request(self, sweeps: tuple[Sweep, ...], aliases: Groups, **how: Any) -> Request:
        options = self.options
        return Request(
            self.python, self.signature, sweeps, aliases, fastmath=options.fastmath, boundscheck=options.boundscheck,
            ops=options.ops, **how,
        )  # fmt: skip

    def _made(self, key: tuple[Any, ...], request: Request) -> Version:
        if key not in self.versions:
            self.versions[key] = load_version(self, compile_request(request, self.build))
        return self.versions[key]


def load_version(primal: Primal, build: Build) -> Version:
    """Link a build and make it callable."""
    lowered, function = build.lowered, build.products["gradient"]
    loaded = jit.load(build.artifact.object_code, entries(build), imports(build))
    kernel = Kernel(
        loaded[lowered.name],
        lowered.layout,
        lowered.faults,
        primal.python.__name__,
        pipeline.written_params(function),
        loaded,
    )
    version = Version(build, kernel, primal)
    inspection.rows_of(build, kernel.name, primal.function.span, loaded)
    return version


def entries(build: Build) -> list[str]:
    """Symbols of a build's object that callers may want the address of: the entry, and what calls malloc."""
    sites = [site.symbol for site in build.lowered.allocation_sites]
    return [build.lowered.name, *(symbol for symbol in sites if symbol in build.artifact.symbols)]


def imports(build: Build) -> dict[str, int]:
    """Addresses of the functions outside that a build calls: those of its rules and, if need be, of the allocator."""
    natives = {symbol: native.address for symbol, native in build.lowered.natives.items()}
    return {**allocator.entries(), **natives} if build.lowered.allocation_sites else natives


MOST_PRIMALS = 1024
"""Compiled functions remembered: lambdas made in a loop, or ever new static values, must not grow for ever."""

_primals: dict[tuple[Any, ...], Primal] = {}


def primal_of(function: Callable[..., Any], signature: Signature, options: Options) -> Primal:
    """`function` compiled to IR for `signature`. Raises CompileError."""
    key = (function, signature, options, id(options.ops), generation())
    found = _primals.get(key)
    if found is not None and found.is_current():
        return found
    # The function itself is the same under every workspace, and each version knows what it was compiled for.
    plain = _primals.get((function, signature, replace(options, workspace="auto"), id(options.ops), generation()))
    if plain is not None and plain.is_current():
        _primals[key] = replace(plain, options=options)
        return _primals[key]
    request = Request(function, signature, boundscheck=options.boundscheck, ops=options.ops)
    build = compile_request(request, until="simplified")
    if len(_primals) >= MOST_PRIMALS:
        _primals.pop(next(iter(_primals)))
    primal = _primals[key] = Primal(
        function, signature, options, build, pipeline.written_params(build.products["simplified"])
    )
    return primal


def python_function(function: Any) -> Callable[..., Any]:
    """The Python function behind a jitted or marked one. Raises ArgumentError for what is no function."""
    inner = getattr(function, "py_func", function)
    derivative = getattr(inner, "__adcore_derivative__", None)
    if derivative:
        help = "use ad.hessian, ad.hvp or ad.jacobian of the function itself"
        refuse(f"{inner.__name__} is the {derivative} of a function, which is not differentiated once more", help=help)
    if isinstance(inner, functools.partial):
        help = f"pass {getattr(inner.func, '__name__', 'the function')} itself, and choose arguments by `wrt`"
        refuse("a functools.partial has no source of its own", help=help)
    if isinstance(inner, type) or not callable(inner):
        raise ArgumentError([Diagnostic(f"{inner!r} is not a function", None, help="pass a Python function")])
    return inner  # type: ignore[no-any-return]


def bind(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    """Names and values of all parameters, defaults filled in. Raises TypeError as a call would."""
    try:
        signature = _signature(function)
    except (TypeError, ValueError):
        names = [f"arg{k}" for k in range(len(args))]
        return names, list(args)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return list(bound.arguments), list(bound.arguments.values())


@functools.lru_cache(maxsize=256)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function, follow_wrapped=not isinstance(function, FunctionType))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A call seen by its compiled function: `values` has one entry per parameter of the primal, `groups` are those of
    them that share memory that is written. `base` is the function for arguments that are disjoint."""

    primal: Primal
    arguments: Sequence[Any]
    flattened: Flattened
    values: list[LeafValue]
    groups: Groups
    base: Primal

    @property
    def names(self) -> list[str]:
        return [leaf.path for leaf in self.primal.leaves]


def prepare(
    function: Callable[..., Any], signature: Signature, values: Sequence[Any], options: Options,
    known: Primal | None = None,
) -> Prepared:  # fmt: skip
    """Compile `function` (or find it compiled) and take its arguments apart.

    `known` is used as it is, with what it took from outside when it was compiled.
    """
    base = primal = known or primal_of(function, signature, options)
    flattened = flatten(signature.args, values)
    leaf_values = [*flattened.values, *primal.captured()]
    groups = primal.relevant(alias_groups(leaf_values), primal.written)
    if groups:
        # What it writes is known only now; with overlapping arguments its statements may mean something else.
        count = len(flattened.values)
        own = tuple(tuple(k for k in group if k < count) for group in groups)
        signature = replace(signature, aliases=tuple(group for group in own if group))
        primal = primal_of(function, signature, options)
    while (ones := primal.stretched(leaf_values)) > set(primal.signature.ones):
        # Which lengths meet is known only now, too.
        primal = primal_of(function, replace(signature, ones=tuple(sorted(ones))), options)
    return Prepared(primal, values, flattened, leaf_values, groups, base)


def is_differentiable(type_: Type) -> bool:
    """Whether a leaf or a result has a derivative."""
    return is_float(type_) if not isinstance(type_, (ArrayType, ListType)) else is_float(type_.element)


__all__ = [
    "Options", "Prepared", "Primal", "Version", "WorkspaceError", "bind", "entries", "imports", "is_differentiable",
    "prepare", "primal_of", "python_function",
]  # fmt: skip
