"""Compile a function for real arguments, run the IR and compare with plain Python: the oracle of these tests."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import math
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adcore.captures import array_arg
from adcore.frontend import Program, compile_function
from adcore.ir import interpret, verify
from adcore.ir.types import NUMPY_NAMES
from adcore.ops import TABLE
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    RecordArg,
    ScalarArg,
    SequenceArg,
    Signature,
    StaticArg,
    UniformArg,
)


def kind(value: Any) -> ArgType:
    """The kind of an argument, as the runtime will describe it."""
    if isinstance(value, np.ndarray):
        arg = array_arg(value)
        assert arg is not None
        return arg
    if isinstance(value, (bool, int, float, np.generic)):
        weak = not isinstance(value, np.generic)
        names = {theirs: ours for ours, theirs in NUMPY_NAMES.items()}
        return ScalarArg(names[np.asarray(value).dtype.name], weak)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return RecordArg(type(value), tuple((f.name, kind(getattr(value, f.name))) for f in dataclasses.fields(value)))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return RecordArg(type(value), tuple((name, kind(getattr(value, name))) for name in value._fields))
    if isinstance(value, (list, tuple)):
        kinds = [kind(item) for item in value]
        name = "list" if isinstance(value, list) else "tuple"
        numbers = name == "tuple" and kinds and isinstance(kinds[0], ScalarArg)
        if kinds and all(k == kinds[0] for k in kinds) and liftable(kinds[0]) and not numbers:
            return UniformArg(name, kinds[0])
        return SequenceArg(name, tuple(kinds))
    if type(value) is dict:
        return DictArg(tuple(value), tuple(map(kind, value.values())))
    return StaticArg(value)


def liftable(arg: ArgType) -> bool:
    if isinstance(arg, RecordArg):
        return all(isinstance(f, (ScalarArg, ArrayArg)) for _, f in arg.fields)
    return isinstance(arg, (ScalarArg, ArrayArg))


def flatten(arg: ArgType, value: Any) -> Iterator[Any]:
    """The leaves of a value, in the order of the IR parameters."""
    if isinstance(arg, (ScalarArg, ArrayArg)):
        yield value
    elif isinstance(arg, SequenceArg):
        for item, part in zip(arg.items, value, strict=True):
            yield from flatten(item, part)
    elif isinstance(arg, DictArg):
        for key, item in zip(arg.keys, arg.items, strict=True):
            yield from flatten(item, value[key])
    elif isinstance(arg, RecordArg):
        for name, field in arg.fields:
            yield from flatten(field, getattr(value, name))
    elif isinstance(arg, UniformArg):
        columns = [list(flatten(arg.item, item)) for item in value]
        for column in zip(*columns, strict=True):
            yield list(column) if isinstance(column[0], np.ndarray) else np.array(column)


def unflatten(arg: ArgType, leaves: Iterator[Any]) -> Any:
    if isinstance(arg, (ScalarArg, ArrayArg)):
        return next(leaves)
    if isinstance(arg, SequenceArg):
        items = [unflatten(item, leaves) for item in arg.items]
        return tuple(items) if arg.kind == "tuple" else items
    if isinstance(arg, DictArg):
        return {key: unflatten(item, leaves) for key, item in zip(arg.keys, arg.items, strict=True)}
    if isinstance(arg, RecordArg):
        return arg.cls(*(unflatten(field, leaves) for _, field in arg.fields))
    if isinstance(arg, UniformArg):
        return list(next(leaves)) if arg.kind == "list" else tuple(next(leaves))
    return arg.value


def signature(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Signature:
    import inspect

    bound = inspect.signature(function).bind(*args, **kwargs)
    return Signature(tuple(bound.arguments), tuple(kind(v) for v in bound.arguments.values()))


def compiled(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Program:
    """The verified program."""
    program = compile_function(function, signature(function, *args, **kwargs))
    verify(program.module.main, TABLE)
    return program


def run(program: Program, *args: Any) -> Any:
    """Run the IR; arrays in `args` are written in place."""
    leaves = [leaf for value in args for leaf in flatten(kind(value), value)]
    leaves += [capture.fetch() for capture in program.captures if capture.arg is not None]
    results = interpret(program.module, TABLE, leaves)
    return unflatten(program.result, iter(results))


def same(a: Any, b: Any, exact: bool = True) -> bool:
    """Equal in structure and value; to the bit if `exact`."""
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(lambda x, y: same(x, y, exact), a, b))
    if type(a) is dict:
        return type(b) is dict and list(a) == list(b) and all(same(a[key], b[key], exact) for key in a)
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name), exact) for f in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        if a.shape != np.shape(b) or a.dtype != np.asarray(b).dtype:
            return False
        if exact:
            return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        rtol, atol = (1e-5, 1e-4) if a.dtype == np.float32 else (1e-12, 1e-13)
        return np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
    if a is None or b is None or isinstance(a, str):
        return a == b
    if type(a) is np.float32 and not exact:
        return type(b) is np.float32 and bool(np.isclose(a, b, rtol=1e-5, atol=1e-4, equal_nan=True))
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return x == y if exact else math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-13)


def own_line(error: BaseException) -> int | None:
    """The innermost line of the traceback that is not in a library."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    return frames[-1].lineno


def outcome(call: Callable[..., Any], *args: Any) -> tuple[Any, Any, int | None]:
    """Result or exception of a call, and the line of its exception."""
    try:
        with np.errstate(all="ignore"):
            return call(*args), None, None
    except (ArithmeticError, LookupError, ValueError, NameError, AssertionError, TypeError) as error:
        span = getattr(error, "span", None)
        line = span.line if span is not None else own_line(error)
        return None, error, line


def agrees(function: Callable[..., Any], *args: Any, exact: bool = True, message: bool = True) -> Program:
    """Assert that the compiled function does what Python does: result, writes, exception and its line."""
    program = compiled(function, *args)
    check(program, function, *args, exact=exact, message=message)
    return program


def check(program: Program, function: Callable[..., Any], *args: Any, exact: bool = True, message: bool = True) -> None:
    """Assert that `program` does what `function` does."""
    theirs, ours = copy.deepcopy(args), copy.deepcopy(args)
    expected, error, line = outcome(function, *theirs)
    got, our_error, our_line = outcome(lambda *a: run(program, *a), *ours)
    if error is not None or our_error is not None:
        assert type(our_error) is type(error), (
            f"{our_error!r} instead of {error!r} (result {got!r}, expected {expected!r})"
        )
        # CPython fuses a store with the load of the next line, and blames the store for an unbound name.
        near = isinstance(error, UnboundLocalError) and line is not None and our_line == line + 1
        assert our_line == line or near, f"{our_error!r} at line {our_line} instead of {line}"
        if message and not isinstance(error, AssertionError):  # pytest rewrites the text of an assertion
            assert str(our_error) == str(error)
    else:
        assert same(expected, got, exact), f"{got!r} instead of {expected!r}"
    for mine, other in zip(ours, theirs, strict=True):
        if not isinstance(mine, (type(None), type)) and not callable(mine):
            assert same(other, mine, exact), f"wrote {mine!r} instead of {other!r}"


def written(folder: Path, text: str, name: str = "f") -> Callable[..., Any]:
    """The function `name` of a program's text, which needs a file to be read from."""
    path = folder / f"program_{zlib.crc32(text.encode()):08x}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function
