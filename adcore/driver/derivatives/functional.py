"""Functional differentiation: arguments stay as they are, derivatives come back as new values in the same structure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.driver.calls.binding import bind, called
from adcore.driver.calls.call import Call
from adcore.driver.calls.copies import kept
from adcore.driver.calls.sweeps import pullback, pushforward, results, structured, tangent_leaves
from adcore.driver.calls.wrt import Wrt, at
from adcore.driver.derivatives.destination import Destination
from adcore.driver.derivatives.mapping import mapped
from adcore.driver.fast_path import Answer, Served, kinds_of, remember, served
from adcore.driver.object_fast_path import ObjectFastPath, object_fast_path
from adcore.driver.request import Fastmath, Options
from adcore.driver.specialisations import is_differentiable
from adcore.ir.types import NUMPY_NAMES, ArrayType, Scalar, Type
from adcore.runtime.messages import unsent
from adcore.runtime.values.arguments import refuse


def value_and_grad(
    f: Callable[..., Any],
    wrt: Wrt = 0,
    *,
    out: Any = None,
    workspace: Any = "auto",
    fastmath: Fastmath = False,
    boundscheck: bool = True,
) -> Callable[..., tuple[Any, Any]]:
    """A function that returns `(value, gradient)` of the scalar function `f`; see `grad`."""
    options = Options(workspace, fastmath, boundscheck)
    several = isinstance(wrt, tuple)
    into = None if out is None else Destination(out, several)
    known: Served | None = None
    objects: tuple[ObjectFastPath, tuple[Any, ...]] | None = None

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        nonlocal known, objects
        # Another thread may put something else there at any moment.
        like_before = objects
        if like_before is not None and not kwargs:
            quick, given = like_before
            answer = quick((*given, *args), into)
            if answer is not None:
                value, found = answer if into is None else into.taken(answer, args)
                return value, found if several else found[0]
        if known is None:
            python, _, _, taken = called(f, (), {})
            # What a method or a partial adds is looked at at each call.
            known = {} if taken or isinstance(f, functools.partial) else served(python, wrt, options)
        kinds = None if kwargs else kinds_of(args)
        ready = known.get(kinds) if kinds else None
        answer = ready(args, into) if ready else None
        if answer is None:
            call = at(f, args, kwargs, wrt, options)
            answer = _general(call)
            remember(known, kinds if len(args) == len(call.arguments) else None, call, options)
            objects = _with_objects(f, args, kwargs, call, options)
            args = tuple(call.arguments)
        value, found = answer if into is None else into.taken(answer, args)
        return value, found if several else found[0]

    return _named(value_and_gradient, f, "value and gradient", wrt, out is not None)


def _with_objects(
    f: Any, args: Sequence[Any], kwargs: dict[str, Any], call: Call, options: Options
) -> tuple[ObjectFastPath, tuple[Any, ...]] | None:
    """What serves later calls with objects like these, and the arguments that a bound method adds to them."""
    if kwargs or isinstance(f, functools.partial):
        return None
    _, given, _, taken = called(f, args, {})
    made = object_fast_path(call, options) if len(given) == len(call.arguments) else None
    return None if made is None else (made, given[:taken])


def _general(call: Call) -> Answer:
    """Value and gradients, whatever the arguments are."""
    found, adjoints = pullback(call, scalar_seeds(call))
    return call.returned(found), structured(call, adjoints)


def grad(
    f: Callable[..., Any],
    wrt: Wrt = 0,
    *,
    out: Any = None,
    workspace: Any = "auto",
    fastmath: Fastmath = False,
    boundscheck: bool = True,
) -> Callable[..., Any]:
    """The gradient function of `f`, a function of any arguments with one float as its result.

    `wrt`: argument number or name, or a tuple of them (the result is then a tuple). The gradient of a float is a float,
    of an array a new array of its shape and dtype, of a list, tuple, named tuple or dataclass the same with gradients
    in place of floats, and None in place of what has no derivative. Arguments are not modified.

    `out`: arrays of the gradient's shape and dtype that take it, built like it, so that a call makes no array; an array
    without dimensions takes the derivative by a number. They are overwritten, and returned. They may share memory with
    no argument. After an exception of `f` they hold anything.

    `grad(f).map(batch, threads=n)` gives the gradients at many inputs: see `ad.Handle.map`.
    Raises CompileError, WorkspaceError, ArgumentError, and what `f` itself raises.
    """
    both = value_and_grad(f, wrt, out=out, workspace=workspace, fastmath=fastmath, boundscheck=boundscheck)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return _named(gradient, f, "gradient", wrt, out is not None)


def _named(made: Callable[..., Any], f: Any, what: str, wrt: Wrt, has_out: bool) -> Callable[..., Any]:
    functools.update_wrapper(made, f, assigned=("__name__", "__qualname__", "__module__"), updated=())
    # Nobody may look through it: the source of a derivative is not that of its function.
    del made.__wrapped__  # type: ignore[attr-defined]
    made.__dict__["__adcore_derivative__"] = what
    # Compiled code that calls it compiles it in, unless it writes into buffers besides.
    made.__dict__["__adcore_of__"] = f, wrt
    made.__dict__["__adcore_has_out__"] = has_out
    made.__dict__["map"] = functools.partial(mapped, made)
    made.__doc__ = f"The {what} of {getattr(f, '__name__', f)}."
    return made


def vjp(f: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Outputs of `f`, and its pullback: `pullback(cotangent)` gives the cotangents of all arguments, as a tuple.

    `cotangent` has the structure of the outputs. Integers and the like have cotangent None.
    """
    python, args, kwargs, taken = called(f, args, kwargs)
    names, values = bind(python, args, kwargs)
    call = Call(python, names, kept(names, values), Options(), range(len(names)))

    def cotangents(cotangent: Any) -> tuple[Any, ...]:
        """Cotangents of the arguments for a cotangent of the outputs."""
        with unsent():  # the function ran when its outputs were asked for
            _, adjoints = pullback(call, _seeds(call, outputs, cotangent))
        return structured(call, adjoints)[taken:]

    cotangents.__name__, cotangents.__qualname__ = "pullback", "vjp.<locals>.pullback"
    outputs = results(call)
    return call.returned(outputs), cotangents


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Outputs of `f` and their derivative along `tangents`, which are built as `primals` (None: constant).

    The tangent of an object is one of its class (`ad.zeros_like`, then changed), or a dict of paths in it with what
    moves there: `{"arm.length": 1.0}`.
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        refuse("jvp(f, primals, tangents) takes a tuple of arguments and a tuple of tangents")
    if len(primals) != len(tangents):
        refuse(f"jvp got {len(primals)} primals and {len(tangents)} tangents")
    python, primals, kwargs, taken = called(f, primals, {})
    tangents = (*(None,) * taken, *tangents)
    names, values = bind(python, primals, kwargs)
    chosen = [k for k, tangent in enumerate(tangents) if tangent is not None]
    call = Call(python, names, values, Options(), chosen)
    found, moved = pushforward(call, tangent_leaves(call, [tangents[k] for k in chosen]))
    return call.returned(found), call.primal.rebuild_tangent(moved)


# What compiled code that calls these compiles in (`adcore/driver/derivatives/nested.py`).
for _function, _kind in ((grad, "gradient"), (value_and_grad, "value and gradient"), (jvp, "jvp")):
    _function.__dict__["__adcore_makes__"] = _kind


# Seeds


def scalar_seeds(call: Call) -> list[Any]:
    """The seed of a scalar function's result. Raises ArgumentError for any other result."""
    types, primal = call.returned_types, call.primal
    name = call.function.__name__
    if len(types) == 1 and primal.is_single and isinstance(types[0], Scalar) and is_differentiable(types[0]):
        return [1.0]
    if not types:
        results(call)  # raises what a function without results may be there to raise
        refuse(f"{name} returns nothing; its gradient needs a float", help="return the value, or use ad.autodiff")
    if isinstance(types[0], ArrayType) and primal.is_single:
        refuse(f"{name} returns an array; its gradient needs a float", help="use ad.jacobian or ad.vjp")
    if not primal.is_single:
        refuse(f"{name} returns several values; its gradient needs one float", help="use ad.jacobian or ad.vjp")
    return refuse(f"{name} returns {'a bool' if str(types[0]) == 'bool' else 'an integer'}; its gradient needs a float")


def _seeds(call: Call, outputs: Sequence[Any], cotangent: Any) -> list[Any | None]:
    """One seed per result from a cotangent in the structure of the outputs."""
    parts = call.primal.parts(cotangent)
    returned = zip(call.returned_types, outputs, parts, strict=False)
    return [_seed(type_, output, part) for type_, output, part in returned]


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


__all__ = ["grad", "jvp", "scalar_seeds", "value_and_grad", "vjp"]
