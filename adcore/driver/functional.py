"""Functional differentiation: arguments stay as they are, derivatives come back as new values in the same structure.

What the function writes into is copied first; arrays that share memory share it in the copies, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adcore.driver.fast_path import Answer, Served, kinds_of, remember, served
from adcore.driver.inplace import tangents_of
from adcore.driver.pipeline import Groups, Sweep
from adcore.driver.specialisations import Options, Prepared, Version, bind, is_differentiable, prepare, python_function
from adcore.ir.types import NUMPY_NAMES, ArrayType, ListType, Scalar, Type
from adcore.runtime.alias_guard import alias_groups, detach, mirror
from adcore.runtime.arguments import refuse, signature
from adcore.runtime.leaves import LeafValue, arrays, flatten, rebuild, record
from adcore.runtime.shadows import check_structure
from adcore.signature import ArgType, ArrayArg, RecordArg, ScalarArg, SequenceArg, Signature, UniformArg, leaves

Wrt = int | str | tuple[int | str, ...]


class Evaluation:
    """A function at a point: primal values as leaves, and the sweeps that can be run there.

    `chosen` are the arguments (by position) with respect to which derivatives are taken.
    """

    def __init__(
        self, function: Callable[..., Any], names: Sequence[str], values: Sequence[Any], chosen: Sequence[int],
        options: Options, described: Signature | None = None,
    ) -> None:  # fmt: skip
        self.function, self.names, self.arguments, self.chosen = function, names, values, tuple(chosen)
        self.signature = described or signature(names, values)
        self.prepared: Prepared = prepare(function, self.signature, values, options)
        self.primal = self.prepared.primal
        self.groups: Groups = self.prepared.groups
        self.spans: list[range] = []
        for name, arg in zip(names, self.signature.args, strict=True):
            start = self.spans[-1].stop if self.spans else 0
            self.spans.append(range(start, start + len(list(leaves(arg, name)))))
        self.kinds = self._kinds()

    def _kinds(self) -> tuple[str, ...]:
        wanted = {k for position in self.chosen for k in self.spans[position]}
        kinds = []
        for k, leaf in enumerate(self.primal.leaves):
            scratch = isinstance(leaf.type, ListType) and k in self.primal.written
            # What shares memory with something written shares its derivative, whoever asks for it.
            shared = any(k in group for group in self.groups)
            if not is_differentiable(leaf.type) or not (k in wanted or scratch or shared):
                kinds.append("const")
            else:
                kinds.append("active" if isinstance(leaf.type, Scalar) else "duplicated")
        return tuple(kinds)

    def fresh(self) -> list[LeafValue]:
        """The primal leaves, with copies of what the function writes into."""
        return detach(self.prepared.values, self.primal.written, self.groups)

    def _version(self, sweeps: tuple[Sweep, ...], values: Sequence[LeafValue], written: frozenset[int]) -> Version:
        aliases = self.primal.relevant(alias_groups(values), self.primal.written | written)
        return self.primal.version(sweeps, aliases, self.prepared.values)

    def results(self) -> list[Any]:
        """The function's results, one per result of the IR."""
        values = self.fresh()
        return list(self._version((), values, frozenset()).kernel(values))

    def pullback(self, seeds: Sequence[Any | None]) -> tuple[list[Any], list[Any]]:
        """Results, and for each primal leaf its adjoint (None where it has none), for one seed per result."""
        sweep = Sweep("reverse", self.kinds, tuple(seed is not None for seed in seeds), self.groups)
        values, shadows = self.fresh(), self.shadows()
        duplicated = [s for s in shadows if s is not None]
        given = [*values, *duplicated, *(seed for seed in seeds if seed is not None)]
        version = self._version((sweep,), given, frozenset(range(len(values), len(given))))
        results = version.kernel(given)
        count = len(self.primal.result_types)
        active = iter(results[count:])
        adjoints = [next(active) if kind == "active" else shadow
                    for kind, shadow in zip(self.kinds, shadows, strict=True)]  # fmt: skip
        return list(results[:count]), adjoints

    def shadows(self) -> list[LeafValue | None]:
        """Fresh zeros for the leaves that have a shadow, sharing memory as the leaves do."""
        chosen = frozenset(k for k, kind in enumerate(self.kinds) if kind == "duplicated")
        return mirror(self.prepared.values, chosen, self.groups)

    def pushforward(self, tangents: Sequence[LeafValue | None]) -> tuple[list[Any], list[Any]]:
        """Results and their tangents, for one tangent per primal leaf (None: constant)."""
        sweep = Sweep("forward", self.kinds, (), self.groups)
        values = self.fresh()
        # Laid out as the leaves are: where two share memory that is written, so do their tangents.
        shadows = self.shadows()
        directions = [_filled(s, t) for s, t, kind in zip(shadows, tangents, self.kinds, strict=True)
                      if kind != "const"]  # fmt: skip
        for k in (k for group in self.groups for k in group):
            pairs = zip(arrays(shadows[k]), arrays(tangents[k]), strict=False)
            if any(not np.array_equal(own, given, equal_nan=True) for own, given in pairs):
                path = self.prepared.names[k]
                refuse(f"`{path}` shares memory that the function writes, and its tangent differs there from another's")
        given = [*values, *directions]
        version = self._version((sweep,), given, frozenset(range(len(values), len(given))))
        results = version.kernel(given)
        count = len(self.primal.result_types)
        return list(results[:count]), tangents_of(self.primal.result_types, results[count:])

    def structured(self, per_leaf: Sequence[Any], position: int) -> Any:
        """Values per leaf in the structure of argument `position`."""
        span = self.spans[position]
        taken: Iterator[Any] = iter([per_leaf[k] if k < len(self.kinds) else None for k in span])
        return rebuild(self.signature.args[position], taken)

    def tangent_leaves(self, position: int, tangent: Any) -> list[LeafValue]:
        """A tangent of argument `position`, as leaves."""
        arg = self.signature.args[position]
        tangent = _as_floats(arg, tangent)
        check_structure(self.names[position], arg, self.arguments[position], tangent)
        return flatten([arg], [tangent]).values

    def leaf_tangents(self, per_argument: dict[int, list[LeafValue]]) -> list[LeafValue | None]:
        """One tangent per primal leaf from those of some arguments; zero elsewhere."""
        found: list[LeafValue | None] = [None] * len(self.kinds)
        for position, values in per_argument.items():
            for k, value in zip(self.spans[position], values, strict=True):
                found[k] = value if self.kinds[k] != "const" else None
        return found


def _filled(shadow: LeafValue | None, tangent: LeafValue | None) -> LeafValue:
    """A tangent as a kernel takes it: a number, or `shadow` with the numbers of `tangent` (None: zeros)."""
    if shadow is None:
        return 0.0 if tangent is None else float(tangent)
    if tangent is not None:
        for own, given in zip(arrays(shadow), arrays(tangent), strict=True):
            np.copyto(own, given)
    return shadow


def _as_floats(arg: ArgType, value: Any) -> Any:
    """Numbers and arrays that people write as tangents of floats, as floats (1 for 1.0, [1, 0] for an array)."""
    if isinstance(arg, ArrayArg) and arg.dtype[0] == "f" and not isinstance(value, np.ndarray):
        return np.asarray(value, NUMPY_NAMES[arg.dtype])
    if isinstance(arg, ArrayArg) and arg.dtype[0] == "f" and value.dtype != NUMPY_NAMES[arg.dtype]:
        return value.astype(NUMPY_NAMES[arg.dtype])
    if isinstance(arg, UniformArg) and isinstance(arg.item, ScalarArg) and isinstance(value, (list, tuple, np.ndarray)):
        return [float(v) for v in value]
    return value


# Choosing arguments


def positions(function: Callable[..., Any], names: Sequence[str], wrt: Wrt) -> tuple[int, ...]:
    """Argument numbers that `wrt` names. Raises ArgumentError for what is no argument."""
    found = []
    for item in wrt if isinstance(wrt, tuple) else (wrt,):
        if isinstance(item, bool) or not isinstance(item, (int, str)):
            refuse(f"wrt={wrt!r}: give argument numbers or names, or a tuple of them")
        if isinstance(item, str):
            if item not in names:
                refuse(f"{function.__name__} has no argument `{item}`", help=f"its arguments are {', '.join(names)}")
            found.append(names.index(item))
        else:
            if not -len(names) <= item < len(names):
                refuse(f"wrt={item}: {function.__name__} has {len(names)} arguments")
            found.append(item % len(names))
    if len(set(found)) != len(found):
        refuse(f"wrt={wrt!r} names an argument twice")
    return tuple(found)


def at(function: Any, args: Sequence[Any], kwargs: dict[str, Any], wrt: Wrt, options: Options) -> Evaluation:
    """`function` at these arguments, to be differentiated by `wrt`."""
    python = python_function(function)
    names, values = bind(python, args, kwargs)
    chosen = positions(python, names, wrt)
    described = signature(names, values)
    for position in chosen:
        if not _has_floats(described.args[position]):
            _refuse_without_floats(names[position], described.args[position])
    return Evaluation(python, names, values, chosen, options, described)


def _has_floats(arg: ArgType) -> bool:
    return any(is_differentiable(leaf.type) for leaf in leaves(arg, ""))


def _refuse_without_floats(name: str, arg: ArgType) -> None:
    if isinstance(arg, ScalarArg):
        what = "a bool" if arg.dtype == "bool" else "an integer"
        refuse(f"`{name}` is {what}: it has no derivative", help=f"pass float({name}), or leave it out of wrt")
    if isinstance(arg, ArrayArg):
        what = "bools" if arg.dtype == "bool" else "integers"
        help = f"pass {name}.astype(float), or leave it out of wrt"
        refuse(f"`{name}` is an array of {what}: it has no derivative", help=help)
    what = (
        arg.kind
        if isinstance(arg, (UniformArg, SequenceArg))
        else arg.cls.__name__
        if isinstance(arg, RecordArg)
        else ""
    )
    if what:
        refuse(f"`{name}` is a {what} without floats: it has no derivative", help="pass floats, or leave it out of wrt")
    refuse(f"`{name}` is no number: it has no derivative", help="leave it out of wrt")


def scalar_seeds(evaluation: Evaluation) -> list[Any]:
    """The seed of a scalar function's result. Raises ArgumentError for any other result."""
    types, primal = evaluation.primal.result_types, evaluation.primal
    name = evaluation.function.__name__
    if len(types) == 1 and primal.is_single and isinstance(types[0], Scalar) and is_differentiable(types[0]):
        return [1.0]
    if not types:
        evaluation.results()  # raises what a function without results may be there to raise
        refuse(f"{name} returns nothing; its gradient needs a float", help="return the value, or use ad.autodiff")
    if isinstance(types[0], ArrayType) and primal.is_single:
        refuse(f"{name} returns an array; its gradient needs a float", help="use ad.jacobian or ad.vjp")
    if not primal.is_single:
        refuse(f"{name} returns several values; its gradient needs one float", help="use ad.jacobian or ad.vjp")
    return refuse(f"{name} returns {'a bool' if str(types[0]) == 'bool' else 'an integer'}; its gradient needs a float")


# The public functions


def value_and_grad(
    f: Callable[..., Any], wrt: Wrt = 0, *, workspace: Any = "auto", fastmath: bool = False, boundscheck: bool = True
) -> Callable[..., tuple[Any, Any]]:
    """A function that returns `(value, gradient)` of the scalar function `f`; see `grad`."""
    options = Options(workspace, fastmath, boundscheck)
    known: Served | None = None

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        nonlocal known
        if known is None:
            known = served(python_function(f), wrt, options)
        kinds = None if kwargs else kinds_of(args)
        ready = known.get(kinds) if kinds else None
        answer = ready(args) if ready else None
        if answer is None:
            evaluation = at(f, args, kwargs, wrt, options)
            answer = _general(evaluation)
            remember(known, kinds if len(args) == len(evaluation.arguments) else None, evaluation, options)
        value, found = answer
        return value, found if isinstance(wrt, tuple) else found[0]

    return _named(value_and_gradient, f, "value and gradient")


def _general(evaluation: Evaluation) -> Answer:
    """Value and gradients, whatever the arguments are."""
    results, adjoints = evaluation.pullback(scalar_seeds(evaluation))
    found = tuple(evaluation.structured(adjoints, position) for position in evaluation.chosen)
    return evaluation.primal.rebuild(results), found


def grad(
    f: Callable[..., Any], wrt: Wrt = 0, *, workspace: Any = "auto", fastmath: bool = False, boundscheck: bool = True
) -> Callable[..., Any]:
    """The gradient function of `f`, a function of any arguments with one float as its result.

    `wrt`: argument number or name, or a tuple of them (the result is then a tuple). The gradient of a float is a float,
    of an array a new array of its shape and dtype, of a list, tuple, named tuple or dataclass the same with gradients
    in place of floats, and None in place of what has no derivative. Arguments are not modified.
    Raises CompileError, WorkspaceError, ArgumentError, and what `f` itself raises.
    """
    both = value_and_grad(f, wrt, workspace=workspace, fastmath=fastmath, boundscheck=boundscheck)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return _named(gradient, f, "gradient")


def _named(made: Callable[..., Any], f: Any, what: str) -> Callable[..., Any]:
    functools.update_wrapper(made, f, assigned=("__name__", "__qualname__", "__module__"), updated=())
    # Nobody may look through it: the source of a derivative is not that of its function.
    del made.__wrapped__  # type: ignore[attr-defined]
    made.__dict__["__adcore_derivative__"] = what
    made.__doc__ = f"The {what} of {getattr(f, '__name__', f)}."
    return made


def vjp(f: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Outputs of `f`, and its pullback: `pullback(cotangent)` gives the cotangents of all arguments, as a tuple.

    `cotangent` has the structure of the outputs. Integers and the like have cotangent None.
    """
    python = python_function(f)
    names, values = bind(python, args, kwargs)
    evaluation = Evaluation(python, names, _kept(names, values), range(len(names)), Options())

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        """Cotangents of the arguments for a cotangent of the outputs."""
        _, adjoints = evaluation.pullback(seeds_of(evaluation, outputs, cotangent))
        return tuple(evaluation.structured(adjoints, k) for k in range(len(names)))

    outputs = evaluation.results()
    return evaluation.primal.rebuild(outputs), pullback


def _kept(names: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """Copies of the arguments: a pullback belongs to the point at which it was made."""
    described = signature(names, values)
    flattened = flatten(described.args, values)
    groups = alias_groups(flattened.values)
    copies = iter(detach(flattened.values, frozenset(range(len(flattened.values))), groups))
    return [_rebuilt(arg, copies, value) for arg, value in zip(described.args, values, strict=True)]


def _rebuilt(arg: ArgType, leaf: Iterator[LeafValue], value: Any) -> Any:
    """The argument with the next leaves for its own; numbers keep their type, static parts their value."""
    if isinstance(arg, ScalarArg):
        next(leaf)
        return value
    if isinstance(arg, SequenceArg):
        items = [_rebuilt(item, leaf, part) for item, part in zip(arg.items, value, strict=True)]
        return items if arg.kind == "list" else tuple(items)
    if isinstance(arg, RecordArg):
        return record(arg.cls, [(name, _rebuilt(field, leaf, getattr(value, name))) for name, field in arg.fields])
    if isinstance(arg, UniformArg):
        return _rebuilt_column(arg, leaf, value)
    return next(leaf) if isinstance(arg, ArrayArg) else value


def _rebuilt_column(arg: UniformArg, leaf: Iterator[LeafValue], value: Any) -> Any:
    if isinstance(arg.item, ScalarArg):
        next(leaf)
        return list(value)
    if isinstance(arg.item, ArrayArg):
        column = next(leaf)
        return list(column) if arg.kind == "list" else column
    assert isinstance(arg.item, RecordArg)
    columns = []
    for name, field in arg.item.fields:
        own = [getattr(part, name) for part in value]
        columns.append(_rebuilt_column(UniformArg("list", field), leaf, own) if list(leaves(field, "")) else own)
    names = [name for name, _ in arg.item.fields]
    rows = [record(arg.item.cls, list(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    return rows if arg.kind == "list" else tuple(rows)


def seeds_of(evaluation: Evaluation, outputs: Sequence[Any], cotangent: Any) -> list[Any | None]:
    """One seed per result from a cotangent in the structure of the outputs."""
    parts = evaluation.primal.parts(cotangent)
    return [_seed(type_, output, part)
            for type_, output, part in zip(evaluation.primal.result_types, outputs, parts, strict=True)]  # fmt: skip


def _seed(type_: Type, output: Any, part: Any) -> Any | None:
    if not is_differentiable(type_) or part is None:
        return None
    if isinstance(type_, Scalar):
        if np.ndim(part):
            refuse("the cotangent of a number must be a number")
        return float(part)
    assert isinstance(type_, ArrayType)
    if np.shape(part) != output.shape:
        refuse(f"the cotangent has shape {np.shape(part)}; the output has shape {output.shape}")
    # The kernel may use its seed up; the caller's stays whole. C order fits every layout.
    return np.array(part, NUMPY_NAMES[type_.element.name], order="C")


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Outputs of `f` and their derivative along `tangents`, which are built as `primals` (None: constant)."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        refuse("jvp(f, primals, tangents) takes a tuple of arguments and a tuple of tangents")
    if len(primals) != len(tangents):
        refuse(f"jvp got {len(primals)} primals and {len(tangents)} tangents")
    python = python_function(f)
    names, values = bind(python, primals, {})
    chosen = [k for k, tangent in enumerate(tangents) if tangent is not None]
    evaluation = Evaluation(python, names, values, chosen, Options())
    directions = {k: evaluation.tangent_leaves(k, tangents[k]) for k in chosen}
    results, moved = evaluation.pushforward(evaluation.leaf_tangents(directions))
    return evaluation.primal.rebuild(results), evaluation.primal.rebuild_tangent(moved)


__all__ = ["Evaluation", "at", "grad", "jvp", "positions", "scalar_seeds", "value_and_grad", "vjp"]
