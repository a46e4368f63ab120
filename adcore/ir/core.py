"""The IR: structured SSA with regions, as immutable data.

    func @square(%x: array<f64,1,C>) -> (f64) {
      %zero: f64 = const [value=0.0]
      %lo: i64 = const [value=0]
      %n: i64 = dim %x [axis=0]
      %s: f64 = for %lo, %n, %zero [step=1] {
      (%i: i64, %acc: f64):
        %xi: f64 = load %x, %i
        %sq: f64 = mul %xi, %xi
        %t: f64 = add %acc, %sq
        yield %t
      }
      return %s
    }

Values are compared by identity; what passes learn about them lives in tables beside the IR, never on it. What a pass
leaves as it is stays the same object, so that such tables go on holding: `with_regions`, `with_body`, `with_region`.

Instructions with regions:

- `for lo, hi, init... [step, reverse]` has one region `(i, carried...)` that yields the next `carried`; `i` takes
  the values of Python's `range(lo, hi, step)`, in the opposite order if `reverse`. Results: the last `carried`.
- `while init...` has two regions over `(k, carried...)`, where `k` counts iterations from 0: the first yields the
  condition, the second the next `carried`. Results: the last `carried`, then the trip count.
- `if condition` has two regions without parameters that yield the results.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adcore.ir.types import Type
from adcore.source import Span

Attributes = Mapping[str, Any]


ANNOTATIONS = frozenset({"flags", "exact"})
"""Attributes that any instruction may carry and that license code rather than change meaning.

`flags`: "adjoint" or "sum", see `adcore.lower` for the floating-point freedom that each gives; `exact`: the integer
result is known to fit."""


def meaning(attrs: Attributes) -> dict[str, Any]:
    """The attributes that belong to the op itself."""
    return {key: value for key, value in attrs.items() if key not in ANNOTATIONS}


class Subject:
    """What facts may be kept about (`adcore.ir.facts`): tables refer to it weakly."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, eq=False, slots=True, init=False)
class Value:
    """An SSA value. `hint` is the user's name for it where there is one; it has no meaning."""

    type: Type
    hint: str

    def __init__(self, type: Type, hint: str = "") -> None:
        _set_type(self, type)
        _set_hint(self, hint)

    def __repr__(self) -> str:
        return f"%{self.hint or id(self)}: {self.type}"


@dataclass(frozen=True, eq=False, slots=True, init=False)
class Instr:
    """One operation: operands in, results out, compile-time attributes, nested regions, the user's span."""

    op: str
    operands: tuple[Value, ...]
    results: tuple[Value, ...]
    attrs: Attributes
    regions: tuple[Region, ...]
    span: Span | None

    def __init__(
        self,
        op: str,
        operands: tuple[Value, ...] = (),
        results: tuple[Value, ...] = (),
        attrs: Attributes | None = None,
        regions: tuple[Region, ...] = (),
        span: Span | None = None,
    ) -> None:
        _set_op(self, op)
        _set_operands(self, operands)
        _set_results(self, results)
        _set_attrs(self, {} if attrs is None else attrs)
        _set_regions(self, regions)
        _set_span(self, span)

    @property
    def result(self) -> Value:
        """The only result."""
        (result,) = self.results
        return result

    def with_operands(self, operands: tuple[Value, ...]) -> Instr:
        """The instruction with other operands; the same object where they are the same."""
        if operands == self.operands:
            return self
        return Instr(self.op, operands, self.results, self.attrs, self.regions, self.span)

    def with_regions(self, regions: tuple[Region, ...]) -> Instr:
        """The instruction around other regions; the same object where they are the same."""
        if all(map(operator.is_, regions, self.regions)):
            return self
        return Instr(self.op, self.operands, self.results, self.attrs, regions, self.span)


# The constructor that `dataclass` writes for a frozen class looks each field up by its name: slow for so many objects.
_set_type, _set_hint = (Value.__dict__[name].__set__ for name in Value.__slots__)
_set_op, _set_operands, _set_results, _set_attrs, _set_regions, _set_span = (
    Instr.__dict__[name].__set__ for name in Instr.__slots__
)


@dataclass(frozen=True, eq=False, slots=True)
class Region(Subject):
    """A straight list of instructions with parameters and yielded values."""

    params: tuple[Value, ...]
    body: tuple[Instr, ...]
    yields: tuple[Value, ...]

    def with_body(self, body: Sequence[Instr], yields: tuple[Value, ...] | None = None) -> Region:
        """The region with other instructions (and yields); the same object where they are the same."""
        if yields is None:
            yields = self.yields
        if yields == self.yields and len(body) == len(self.body) and all(map(operator.is_, body, self.body)):
            return self
        return Region(self.params, tuple(body), yields)


@dataclass(frozen=True, eq=False, slots=True)
class Function(Subject):
    """A function: its region's parameters are the arguments, its yields are the results."""

    name: str
    region: Region
    span: Span | None = None

    @property
    def params(self) -> tuple[Value, ...]:
        return self.region.params

    @property
    def results(self) -> tuple[Value, ...]:
        return self.region.yields

    def with_region(self, region: Region) -> Function:
        """The function with another region; the same object where it is the same."""
        return self if region is self.region else Function(self.name, region, self.span)


@dataclass(frozen=True, eq=False, slots=True)
class Module:
    """A function and those that its `call [callee]` instructions name."""

    main: Function
    callees: Mapping[str, Function] = field(default_factory=dict)


def walk(region: Region) -> Iterator[Instr]:
    """Every instruction of `region`, nested ones after the instruction that holds them."""
    bodies = [iter(region.body)]
    while bodies:
        for instr in bodies[-1]:
            yield instr
            if instr.regions:
                bodies += [iter(nested.body) for nested in reversed(instr.regions)]
                break
        else:
            bodies.pop()


def free_values(region: Region) -> frozenset[Value]:
    """Values that `region` uses and does not define."""
    defined: set[Value] = set(region.params)
    used: set[Value] = set(region.yields)
    for instr in walk(region):
        defined.update(instr.results)
        used.update(instr.operands)
        for nested in instr.regions:
            defined.update(nested.params)
            used.update(nested.yields)
    return frozenset(used - defined)


def substitute(region: Region, mapping: dict[Value, Value]) -> Region:
    """A copy of `region` with fresh values throughout; `mapping` gives replacements for free values.

    `mapping` is extended in place with the fresh values of everything that the region defines.
    """

    def fresh(values: tuple[Value, ...]) -> tuple[Value, ...]:
        for value in values:
            mapping[value] = Value(value.type, value.hint)
        return tuple(mapping[value] for value in values)

    params = tuple(mapping[p] if p in mapping else fresh((p,))[0] for p in region.params)
    body = []
    for instr in region.body:
        operands = tuple(mapping.get(v, v) for v in instr.operands)
        regions = tuple(substitute(nested, mapping) for nested in instr.regions)
        body.append(Instr(instr.op, operands, fresh(instr.results), instr.attrs, regions, instr.span))
    return Region(params, tuple(body), tuple(mapping.get(v, v) for v in region.yields))


def edited(region: Region, edit: Callable[[Instr], Sequence[Instr]]) -> Region:
    """`region` with each instruction replaced by what `edit` makes of it; values stay the same."""
    body: list[Instr] = []
    for instr in region.body:
        body += edit(instr.with_regions(tuple([edited(nested, edit) for nested in instr.regions])))
    return region.with_body(body)


def renamed(region: Region, names: Mapping[Value, Value]) -> Region:
    """`region` with other values in the place of some that it uses. What it defines stays the same values: for code
    that moves, where `substitute` is for code that is copied."""

    def of(values: tuple[Value, ...]) -> tuple[Value, ...]:
        return values if names.keys().isdisjoint(values) else tuple([names.get(v, v) for v in values])

    body = []
    for instr in region.body:
        regions = tuple([renamed(nested, names) for nested in instr.regions])
        body.append(instr.with_operands(of(instr.operands)).with_regions(regions))
    return region.with_body(body, of(region.yields))
