"""Jacobians, and second derivatives: exact, by forward mode over the reverse sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adcore.functional import Evaluation, Wrt, at, scalar_seeds
from adcore.ir.types import NUMPY_NAMES, ArrayType, Scalar
from adcore.runtime.arguments import refuse
from adcore.runtime.leaves import LeafValue
from adcore.signature import ArrayArg, ScalarArg, UniformArg
from adcore.versions import Options, is_differentiable

Array = np.ndarray[Any, Any]


def hvp(f: Callable[..., Any], wrt: Wrt = 0) -> Callable[..., Any]:
    """`hvp(f)(*args, vector=v)`: the product of the Hessian of the scalar function `f` with `v`.

    `v` and the result have the structure of the argument (of a tuple of arguments, if `wrt` is a tuple).
    """

    def product(*args: Any, vector: Any, **kwargs: Any) -> Any:
        evaluation = at(f, args, kwargs, wrt, Options())
        scalar_seeds(evaluation)
        vectors = vector if isinstance(wrt, tuple) else (vector,)
        if len(vectors) != len(evaluation.chosen):
            refuse(f"hvp got {len(vectors)} vectors for {len(evaluation.chosen)} arguments")
        given = {k: evaluation.tangent_leaves(k, v) for k, v in zip(evaluation.chosen, vectors, strict=True)}
        _, change = evaluation.second(evaluation.leaf_tangents(given))
        found = tuple(evaluation.structured(change, k) for k in evaluation.chosen)
        return found if isinstance(wrt, tuple) else found[0]

    product.__doc__ = f"Hessian-vector products of {getattr(f, '__name__', f)}."
    return product


def hessian(f: Callable[..., Any], wrt: Wrt = 0) -> Callable[..., Any]:
    """The Hessian of the scalar function `f`: an array of shape `x.shape + x.shape` (a float for a float).

    For a tuple of arguments a tuple of tuples of blocks.
    """

    def matrix(*args: Any, **kwargs: Any) -> Any:
        evaluation = at(f, args, kwargs, wrt, Options())
        scalar_seeds(evaluation)
        chosen = evaluation.chosen
        blocks: list[list[list[Any]]] = [[[] for _ in chosen] for _ in chosen]
        for row, position in enumerate(chosen):
            for tangents in _directions(evaluation, position):
                _, change = evaluation.second(tangents)
                for column, other in enumerate(chosen):
                    blocks[row][column].append(_single(evaluation, change, other))
        shaped = tuple(
            tuple(_shaped(rows, evaluation, position) for rows in line)
            for position, line in zip(chosen, blocks, strict=True)
        )
        return shaped if isinstance(wrt, tuple) else shaped[0][0]

    matrix.__doc__ = f"The Hessian of {getattr(f, '__name__', f)}."
    return matrix


def jacobian(f: Callable[..., Any], wrt: Wrt = 0) -> Callable[..., Any]:
    """The Jacobian of `f` by one argument: shape `output.shape + x.shape`; a tuple of them for a tuple of arguments,
    and a tuple over the outputs where there are several.

    Runs one forward sweep per input or one reverse sweep per output, whichever is fewer.
    """

    def matrix(*args: Any, **kwargs: Any) -> Any:
        evaluation = at(f, args, kwargs, wrt, Options())
        outputs = evaluation.results()
        inputs = sum(_size(evaluation, k) for k in evaluation.chosen)
        rows = sum(int(np.size(o)) for o in outputs)
        blocks = (_by_columns if inputs <= rows else _by_rows)(evaluation, outputs)
        found = [tuple(line) if isinstance(wrt, tuple) else line[0] for line in blocks]
        return found[0] if evaluation.primal.is_single else tuple(found)

    matrix.__doc__ = f"The Jacobian of {getattr(f, '__name__', f)}."
    return matrix


def _by_columns(evaluation: Evaluation, outputs: Sequence[Any]) -> list[list[Any]]:
    """Forward mode: a block per output and argument."""
    blocks: list[list[Any]] = [[] for _ in outputs]
    for position in evaluation.chosen:
        columns: list[list[Any]] = [[] for _ in outputs]
        for tangents in _directions(evaluation, position):
            _, moved = evaluation.pushforward(tangents)
            for column, tangent, output in zip(columns, moved, outputs, strict=True):
                column.append(np.zeros(np.shape(output)) if tangent is None else tangent)
        shape = _shape(evaluation, position)
        for line, column, output in zip(blocks, columns, outputs, strict=True):
            stacked = np.array(column).reshape((*shape, *np.shape(output)))
            moved_axes = np.moveaxis(stacked, range(len(shape)), range(-len(shape), 0)) if shape else stacked
            line.append(_plain(np.ascontiguousarray(moved_axes) if moved_axes.ndim else moved_axes))
    return blocks


def _by_rows(evaluation: Evaluation, outputs: Sequence[Any]) -> list[list[Any]]:
    """Reverse mode: a block per output and argument."""
    blocks = []
    types = evaluation.primal.result_types
    for number, (type_, output) in enumerate(zip(types, outputs, strict=True)):
        rows: list[list[Any]] = [[] for _ in evaluation.chosen]
        for k in range(int(np.size(output))):
            seeds: list[Any | None] = [None] * len(types)
            seeds[number] = _unit_seed(type_, output, k)
            if seeds[number] is None:
                adjoints: list[Any] = [None] * len(evaluation.kinds)
            else:
                _, adjoints = evaluation.pullback(seeds)
            for row, position in zip(rows, evaluation.chosen, strict=True):
                row.append(_single(evaluation, adjoints, position))
        shape = np.shape(output)
        blocks.append([
            _plain(np.array(row).reshape((*shape, *_shape(evaluation, position))))
            for row, position in zip(rows, evaluation.chosen, strict=True)
        ])  # fmt: skip
    return blocks


def _unit_seed(type_: Any, output: Any, k: int) -> Any | None:
    if not is_differentiable(type_):
        return None
    if isinstance(type_, Scalar):
        return 1.0
    assert isinstance(type_, ArrayType)
    seed = np.zeros(output.shape, NUMPY_NAMES[type_.element.name])
    seed.flat[k] = 1.0
    return seed


def _shape(evaluation: Evaluation, position: int) -> tuple[int, ...]:
    """Shape of an argument: numbers, arrays and lists of numbers have one."""
    arg, value = evaluation.signature.args[position], evaluation.arguments[position]
    if isinstance(arg, ScalarArg):
        return ()
    if isinstance(arg, ArrayArg):
        return tuple(value.shape)
    if isinstance(arg, UniformArg) and isinstance(arg.item, ScalarArg):
        return (len(value),)
    return refuse(
        f"`{evaluation.names[position]}` has no one shape: its second derivatives and Jacobians are no arrays",
        help="pass one array, or use ad.hvp, ad.jvp and ad.vjp, which keep structures",
    )


def _size(evaluation: Evaluation, position: int) -> int:
    return int(np.prod(_shape(evaluation, position)))


def _directions(evaluation: Evaluation, position: int) -> Iterator[list[LeafValue | None]]:
    """Unit tangents along every element of an argument."""
    shape, arg = _shape(evaluation, position), evaluation.signature.args[position]
    for k in range(int(np.prod(shape))):
        unit: Any = 1.0
        if shape or isinstance(arg, ArrayArg):
            unit = np.zeros(shape)
            unit.flat[k] = 1.0
        yield evaluation.leaf_tangents({position: evaluation.tangent_leaves(position, unit)})


def _single(evaluation: Evaluation, per_leaf: Sequence[Any], position: int) -> Any:
    """A copy of the derivative by an argument with one leaf; zero where there is none."""
    value = per_leaf[evaluation.spans[position][0]]
    return np.zeros(_shape(evaluation, position)) if value is None else np.array(value)


def _shaped(rows: Sequence[Any], evaluation: Evaluation, position: int) -> Any:
    inner = np.shape(rows[0]) if rows else ()
    return _plain(np.array(rows).reshape((*_shape(evaluation, position), *inner)))


def _plain(array: Array) -> Any:
    """A Python float for what has no axes."""
    return float(array) if array.ndim == 0 else array
