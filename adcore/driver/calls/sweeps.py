"""Sweeps that leave their arguments as they are: derivatives of a call as new values.

What the function writes into is copied first; arrays that share memory share it in the copies, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.driver.calls.call import Call
from adcore.driver.calls.targets import moved
from adcore.ir.types import NUMPY_NAMES
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import LeafValue, arrays, flatten
from adcore.runtime.values.shadows import check_structure
from adcore.runtime.values.structures import DerivativeStructure
from adcore.signature import ArgType, ArrayArg, ScalarArg, UniformArg, has_objects


def results(call: Call) -> list[Any]:
    """The function's results, one per result of the IR."""
    values = call.copies()
    return list(call.specialised((), values).kernel(values))


def pullback(call: Call, seeds: Sequence[Any | None]) -> tuple[list[Any], list[Any]]:
    """Results, and for each primal leaf its adjoint (None where it has none), for one seed per result."""
    seeds = [*seeds, *(None,) * (len(call.result_types) - len(seeds))]
    shadows = call.shadows()
    given = [*call.copies(), *(shadows[k] for k in call.duplicated), *(seed for seed in seeds if seed is not None)]
    sweep = call.reverse([seed is not None for seed in seeds])
    found = call.specialised((sweep,), given).kernel(given)
    adjoints = [found[call.adjoint_result(k)] if kind == "active" else shadows[k] for k, kind in enumerate(call.kinds)]
    return list(found[: len(call.result_types)]), adjoints


def pushforward(call: Call, tangents: Sequence[LeafValue | None]) -> tuple[list[Any], list[Any]]:
    """Results and their tangents, for one tangent per primal leaf (None: constant)."""
    # Laid out as the leaves are: where two share memory that is written, so do their tangents.
    shadows = call.shadows()
    directions = [_filled(shadows[k], tangents[k]) for k in call.varied]
    for k in (k for group in call.groups for k in group):
        pairs = zip(arrays(shadows[k]), arrays(tangents[k]), strict=False)
        if any(not np.array_equal(own, given, equal_nan=True) for own, given in pairs):
            path = call.paths[k]
            refuse(f"`{path}` shares memory that the function writes, and its tangent differs there from another's")
    given = [*call.copies(), *directions]
    found = call.specialised((call.forward(),), given).kernel(given)
    return list(found[: len(call.result_types)]), call.tangents(found)


def _filled(shadow: LeafValue | None, tangent: LeafValue | None) -> LeafValue:
    """A tangent as a kernel takes it: a number, or `shadow` with the numbers of `tangent` (None: zeros)."""
    if shadow is None:
        return 0.0 if tangent is None else float(tangent)
    if tangent is not None:
        for own, given in zip(arrays(shadow), arrays(tangent), strict=True):
            np.copyto(own, given)
    return shadow


# Between leaves and the structure of arguments


def structured(call: Call, per_leaf: Sequence[Any]) -> tuple[Any, ...]:
    """Values per leaf in the structure of what the call is differentiated by."""
    structure = DerivativeStructure(call.parts, per_leaf)
    return tuple(
        structure.zeros(target.value) if target.path is None else structure.of(target.path, target.value)
        for target in call.targets
    )


def tangent_leaves(call: Call, tangents: Sequence[Any]) -> list[LeafValue | None]:
    """One tangent per primal leaf from those of what the call is differentiated by, which are built as these are; None
    elsewhere."""
    found: list[LeafValue | None] = [None] * len(call.kinds)
    for target, tangent in zip(call.targets, tangents, strict=True):
        if target.path is None or tangent is None:
            continue  # never read, or constant
        part = call.parts[target.path]
        given = _as_floats(part.arg, tangent)
        if has_objects(part.arg) and isinstance(given, dict):
            given = moved(target, given)
        check_structure(target.name, part.arg, target.value, given)
        for k, value in zip(part.span, flatten([part.arg], [given]).values, strict=True):
            found[k] = value if call.kinds[k] != "const" else None
    return found


def _as_floats(arg: ArgType, value: Any) -> Any:
    """Numbers and arrays that people write as tangents of floats, as floats (1 for 1.0, [1, 0] for an array)."""
    if isinstance(arg, ArrayArg) and arg.dtype[0] == "f" and not isinstance(value, np.ndarray):
        return np.asarray(value, NUMPY_NAMES[arg.dtype])
    if isinstance(arg, ArrayArg) and arg.dtype[0] == "f" and value.dtype != NUMPY_NAMES[arg.dtype]:
        return value.astype(NUMPY_NAMES[arg.dtype])
    if isinstance(arg, UniformArg) and isinstance(arg.item, ScalarArg) and isinstance(value, (list, tuple, np.ndarray)):
        return [float(v) for v in value]
    return value


__all__ = ["pullback", "pushforward", "results", "structured", "tangent_leaves"]
