"""Building IR: instructions are appended to the innermost open region; types come from the ops table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from adcore.ir.core import Attributes, Instr, Region, Value
from adcore.ir.types import BOOL, F64, I64, Scalar, Type
from adcore.source import Span


class EffectsInfo(Protocol):
    """What the IR layer asks of the effects that an op declares."""

    @property
    def raises(self) -> str: ...
    def problems(self, types: Sequence[Type]) -> list[str]: ...


class OpInfo(Protocol):
    """What the IR layer asks of an op definition (the definitions live in `adcore.ops`)."""

    @property
    def name(self) -> str: ...
    @property
    def type_rule(self) -> Callable[[tuple[Type, ...], Attributes], tuple[Type, ...]]: ...
    @property
    def evaluate(self) -> Callable[..., Any] | None: ...
    @property
    def effects(self) -> EffectsInfo | None: ...


OpTable = Mapping[str, OpInfo]


class Builder:
    """Appends instructions; `region()` opens a nested one. Constants are shared within a region nest."""

    def __init__(self, ops: OpTable) -> None:
        self.ops = ops
        self.span: Span | None = None
        self.late = False  # whether what is appended runs in the reverse sweep
        self._bodies: list[list[Instr]] = [[]]
        self._constants: list[dict[tuple[str, str], Value]] = [{}]

    @property
    def depth(self) -> int:
        """How many regions are open below the outermost."""
        return len(self._bodies) - 1

    @property
    def position(self) -> int:
        """How many instructions the innermost open region has so far."""
        return len(self._bodies[-1])

    def emit(self, op: str, *operands: Value, hint: str = "", **attrs: Any) -> Value:
        """Append an instruction with one result and return that result."""
        (type_,) = self.ops[op].type_rule(tuple([v.type for v in operands]), attrs)
        result = Value(type_, hint)
        self.append(Instr(op, operands, (result,), attrs, (), self.span))
        return result

    def emit_many(
        self,
        op: str,
        operands: Sequence[Value],
        attrs: Attributes,
        regions: Sequence[Region] = (),
        types: Sequence[Type] | None = None,
        hints: Sequence[str] = (),
    ) -> tuple[Value, ...]:
        """Append an instruction; result types from the op's rule unless `types` is given (ops with regions)."""
        if types is None:
            types = self.ops[op].type_rule(tuple([v.type for v in operands]), attrs)
        hints = (*hints, *("",) * (len(types) - len(hints)))
        results = tuple([Value(t, h) for t, h in zip(types, hints, strict=False)])
        self.append(Instr(op, tuple(operands), results, dict(attrs), tuple(regions), self.span))
        return results

    def append(self, instr: Instr) -> None:
        """Append a ready-made instruction to the innermost open region."""
        if self.late and (effects := self.ops[instr.op].effects) is not None and effects.raises == "memory":
            instr = replace(instr, attrs={**instr.attrs, "late": True})
        self._bodies[-1].append(instr)

    def const(self, value: float | int | bool, type_: Scalar | None = None) -> Value:
        """A constant; its type follows Python's (float: f64, int: i64, bool: bool) unless given."""
        if type_ is None:
            from_python = {bool: BOOL, int: I64}
            type_ = from_python.get(type(value), F64)
        key = (type_.name, repr(value))
        for scope in reversed(self._constants):
            if key in scope:
                return scope[key]
        span, self.span = self.span, None
        result = self._constants[-1][key] = self.emit("const", value=value, type=type_.name)
        self.span = span
        return result

    def is_constant(self, value: Value) -> bool:
        """Whether `value` came from `const`."""
        return any(value in known.values() for known in self._constants)

    def definition(self, value: Value) -> Instr | None:
        """The instruction of an open region that defines `value`."""
        every = (instr for body in reversed(self._bodies) for instr in reversed(body))
        return next((instr for instr in every if value in instr.results), None)

    def open_values(self) -> Iterator[Value]:
        """Values defined so far in the innermost open region."""
        return (value for instr in self._bodies[-1] for value in instr.results)

    @contextmanager
    def region(self, params: Sequence[Value] = ()) -> Iterator[OpenRegion]:
        """Open a nested region; close it with `OpenRegion.close(yields)` inside the `with` block."""
        opened = OpenRegion(tuple(params))
        self._bodies.append([])
        self._constants.append({})
        try:
            yield opened
        finally:
            self._constants.pop()
            opened.body = tuple(self._bodies.pop())

    def finish(self, params: Sequence[Value], yields: Sequence[Value]) -> Region:
        """The outermost region, complete."""
        assert self.depth == 0, "a region is still open"
        return Region(tuple(params), tuple(self._bodies[0]), tuple(yields))

    def at(self, depth: int) -> Inserter:
        """Emit into the open region at `depth` (0: outermost), before what is still being built inside it."""
        return Inserter(self, depth)


class OpenRegion:
    """A region under construction: set `yields` before leaving the `with` block, read `region` after it."""

    def __init__(self, params: tuple[Value, ...]) -> None:
        self.params = params
        self.body: tuple[Instr, ...] = ()
        self.yields: tuple[Value, ...] = ()

    @property
    def region(self) -> Region:
        return Region(self.params, self.body, self.yields)


class Inserter:
    """Context manager that redirects a builder to an enclosing open region."""

    def __init__(self, builder: Builder, depth: int) -> None:
        self.builder, self.depth = builder, depth

    def __enter__(self) -> Builder:
        b = self.builder
        self._saved = b._bodies, b._constants
        b._bodies, b._constants = b._bodies[: self.depth + 1], b._constants[: self.depth + 1]
        return b

    def __exit__(self, *exc: object) -> None:
        self.builder._bodies, self.builder._constants = self._saved
