"""Copies of arguments: a pullback belongs to the point at which it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adcore.runtime.alias_guard import alias_groups, detach
from adcore.runtime.values.arguments import signature
from adcore.runtime.values.leaves import LeafValue, flatten, record
from adcore.signature import ArgType, ArrayArg, DictArg, RecordArg, ScalarArg, SequenceArg, UniformArg, leaves


def kept(names: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """Copies of the arguments, which share memory as they do."""
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
    if isinstance(arg, DictArg):
        return {key: _rebuilt(item, leaf, value[key]) for key, item in zip(arg.keys, arg.items, strict=True)}
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


__all__ = ["kept"]
