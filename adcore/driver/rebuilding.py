"""Derivatives in the structure of an argument, by a function that is generated for its kind.

    Point(x, (y, z))  ->  made = new(Point); made.__dict__["x"] = d[0]; ...

What it makes is what `adcore.runtime.values.leaves.rebuild` makes, without looking at the structure each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from adcore.instances import is_slot
from adcore.signature import ArgType, ArrayArg, DictArg, RecordArg, ScalarArg, SequenceArg, StaticArg

Rebuild = Callable[[Sequence[Any]], Any]
"""Makes the structure from a derivative per leaf of the call."""


class _Writer:
    def __init__(self, first: int) -> None:
        self.lines = ["def rebuild(d):"]
        self.names: dict[str, Any] = {"new": object.__new__, "put": object.__setattr__, "tuple_of": tuple.__new__}
        self.leaf = count(first)
        self._numbers: Iterator[int] = count()

    def constant(self, value: Any) -> str:
        name = f"c{next(self._numbers)}"
        self.names[name] = value
        return name

    def part(self, arg: ArgType) -> str:
        """The text of an expression; what has to be done first goes into the lines."""
        if isinstance(arg, (ScalarArg, ArrayArg)):
            return f"d[{next(self.leaf)}]"
        if isinstance(arg, StaticArg):
            return "None"
        if isinstance(arg, SequenceArg):
            items = "".join(f"{self.part(item)}, " for item in arg.items)
            return f"[{items}]" if arg.kind == "list" else f"({items})"
        if isinstance(arg, DictArg):
            pairs = (f"{self.constant(key)}: {self.part(item)}" for key, item in zip(arg.keys, arg.items, strict=True))
            return f"{{{', '.join(pairs)}}}"
        if isinstance(arg, RecordArg):
            return self._record(arg)
        raise TypeError(arg)

    def _record(self, arg: RecordArg) -> str:
        cls = self.constant(arg.cls)
        if issubclass(arg.cls, tuple):
            return f"tuple_of({cls}, ({''.join(f'{self.part(field)}, ' for _, field in arg.fields)}))"
        made = f"m{next(self._numbers)}"
        self.lines.append(f"    {made} = new({cls})")
        for name, field in arg.fields:
            text = self.part(field)
            by_slot = is_slot(arg.cls, name)
            self.lines.append(
                f"    put({made}, {name!r}, {text})" if by_slot else f"    {made}.__dict__[{name!r}] = {text}"
            )
        return made


def rebuilder(arg: ArgType, first: int) -> Rebuild | None:
    """What makes derivatives of an argument of this kind, whose leaves start at number `first`; None for objects."""
    writer = _Writer(first)
    try:
        text = writer.part(arg)
    except TypeError:
        return None
    exec("\n".join((*writer.lines, f"    return {text}")), writer.names)
    made: Rebuild = writer.names["rebuild"]
    return made


__all__ = ["rebuilder"]
