"""What an op is: everything that any layer needs to know about it, in one record.

Derived from these records and nothing else: type checking, the reference interpreter, constant folding, forward and
reverse rules, the set of primal values that the reverse sweep needs, lowering, and the generated op tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from adcore.ir.core import Attributes, Instr, Region, Value, walk
from adcore.ir.types import BOOL, ArrayType, Scalar, Type, is_float, is_integer
from adcore.ops.effects import Access, Effects, EffectsTable
from adcore.ops.expr import Expr

TypeRule = Callable[[tuple[Type, ...], Attributes], tuple[Type, ...]]
Partials = Callable[..., Sequence[Expr | None]]


@dataclass(frozen=True)
class Native:
    """A function outside: the symbol that code calls it by, its address, and whatever keeps that address valid.

    `reason`: why its user knows that it never allocates; empty if nobody says so.
    """

    symbol: str
    address: int
    call: Callable[..., Any] = field(repr=False, compare=False)
    reason: str = ""


class Emitter(Protocol):
    """What a lowering rule may ask of the LLVM emitter. Operands and results are LLVM value texts."""

    def let(self, text: str) -> str:
        """Append `%fresh = text` and return `%fresh`."""

    def libm(self, name: str, type_: Scalar, operands: Sequence[str]) -> str:
        """Call a C mathematics function (`name` for f64; the `f` suffix is added for f32), vector variants attached."""

    def native(self, native: Native, types: Sequence[Scalar], result: Scalar, operands: Sequence[str]) -> str:
        """Call a pure function outside by its symbol."""

    def intrinsic(self, name: str, type_: Scalar, operands: Sequence[str]) -> str:
        """Call `llvm.NAME` overloaded on `type_`, with the current fast-math flags."""

    def fail_if(self, condition: str, error: str, details: Sequence[str] = ()) -> None:
        """Leave the kernel with the status of `error` at the current span when `condition` (i1) holds."""

    def helper(self, name: str, text: str) -> None:
        """Add the internal LLVM function `text` to the module once, under `name`."""

    @property
    def flags(self) -> str:
        """Fast-math flags of the current instruction, with a trailing blank unless empty."""


LoweringRule = Callable[[Emitter, tuple[Type, ...], Type, Sequence[str], Attributes], str]
"""(emitter, operand types, result type, operand texts, attributes) -> text of the result."""


Expansion = Callable[..., Sequence[Value]]


class OpTypeError(TypeError):
    """Operand types that an op does not accept."""


@dataclass(frozen=True)
class Op:
    """One op.

    `evaluate(*operands, **attrs)` is the meaning, on Python or NumPy scalars (or arrays, for memory ops).
    `partials(*operands, result, **attrs)` gives, as expressions, the derivative of the result by each operand (None
    where it is zero by definition): the tangent is their weighted sum, the adjoint of each operand its partial times
    the adjoint of the result. They are written in the form that reads the fewest primal values. Ops that choose or
    convert rather than multiply give `tangent(*operands, result, tangents, **attrs)` (tangents may be None) and
    `adjoint(*operands, result, cotangent, **attrs)` (one expression or None per operand) themselves.
    `blocked` are positions of operands through which no derivative passes, whatever varies.
    `samples` are operand tuples inside the smooth domain, for the generated tests.
    `cost` is in units of one addition.
    `expand(builder, operands, **attrs)` appends simpler instructions that do the same and returns what stands for the
    results: a bulk op (one that touches more of memory than one element) needs no lowering and no derivative then.
    `singular(*numbers)` says whether a partial may be infinite or NaN where the operands are finite, given those
    operands that are constant (None for others): its products are strong (`adcore.analysis.strong_zeros`).
    `chooses`: the result is one of the operands, the others are discarded.
    `value_of`: the value is that of this operand; the others are there for derivatives.
    `effects` says what the op does besides giving its results; None (nobody has said) is refused by the verifier.
    """

    name: str
    type_rule: TypeRule
    evaluate: Callable[..., Any] | None = None
    partials: Partials | None = None
    tangent: Callable[..., Expr] | None = None
    adjoint: Callable[..., Sequence[Expr | None]] | None = None
    blocked: tuple[int, ...] = ()
    lower: LoweringRule | None = None
    samples: tuple[tuple[float, ...], ...] = ()
    cost: float = 1.0
    expand: Expansion | None = None
    effects: Effects | None = None
    commutative: bool = False
    singular: Callable[..., bool] | None = None
    chooses: bool = False
    value_of: int | None = None

    @property
    def differentiable(self) -> bool:
        return self.partials is not None or self.adjoint is not None

    @property
    def pure(self) -> bool:
        return self.effects is not None and self.effects.pure

    def can_raise(self, instr: Instr) -> bool:
        """Whether an instruction of this op, with operands of these types, may stop the program."""
        return self.effects is None or self.effects.can_raise(instr)


class Table(Mapping[str, Op]):
    """An immutable set of op definitions.

    `effects`: what each op does, for the inner loops of passes. `elements`: the access of those ops that only touch
    one element. `loads`, `stores` and `sums` are the names of such ops by what they do to it, `puts` the last two
    together; `writers` are all ops that change memory, `readers` all that read it, `touching` all of both; `bulk` are
    those of them that do more than touch one element; `views` and `allocs` give arrays;
    `expandable` have an expansion.
    """

    def __init__(self, ops: Mapping[str, Op]) -> None:
        self._ops = MappingProxyType(dict(ops))
        self.effects = EffectsTable({name: op.effects for name, op in ops.items() if op.effects is not None})
        declared = self.effects.items()
        self.elements: dict[str, Access] = {name: e.element for name, e in declared if e.element is not None}
        self.loads = frozenset(name for name, access in self.elements.items() if access.kind == "read")
        self.stores = frozenset(name for name, access in self.elements.items() if access.kind == "write")
        self.sums = frozenset(name for name, access in self.elements.items() if access.kind == "add")
        self.puts = self.stores | self.sums
        self.writers = frozenset(name for name, e in declared if e.written)
        self.readers = frozenset(name for name, e in declared if e.read)
        self.touching = self.writers | self.readers
        self.bulk = self.touching - self.elements.keys()
        self.views = {name: e.view for name, e in declared if e.view is not None}
        self.expandable = frozenset(name for name, op in ops.items() if op.expand is not None)
        self.allocs = frozenset(name for name, e in declared if e.allocates)

    def __getitem__(self, name: str) -> Op:
        return self._ops[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self._ops.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._ops

    def __iter__(self) -> Any:
        return iter(self._ops)

    def __len__(self) -> int:
        return len(self._ops)

    # By identity, as most things are: tables are part of the questions that facts are kept by, so both are C.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def array(self, instr: Instr) -> Value:
        """The array of which `instr`, a plain load, store or sum, touches an element."""
        return instr.operands[self.elements[instr.op].array]

    def subscripts(self, instr: Instr) -> tuple[Value, ...]:
        """The subscripts of that element."""
        return instr.operands[self.elements[instr.op].at :]

    def stored(self, instr: Instr) -> Value:
        """The value that `instr`, a plain store or sum, writes or adds."""
        value = self.elements[instr.op].value
        assert value is not None
        return instr.operands[value]

    def redirected(self, instr: Instr, array: Value, subscripts: Sequence[Value]) -> Instr:
        """The same load, store or sum of another element."""
        access = self.elements[instr.op]
        operands = [*instr.operands[: access.at], *subscripts]
        operands[access.array] = array
        return replace(instr, operands=tuple(operands))

    def writes_in(self, region: Region) -> Iterator[Value]:
        """The arrays into which the instructions of `region` write, as they are called there."""
        for instr in walk(region):
            if instr.op in self.writers:
                yield from (instr.operands[k] for k in self.effects[instr.op].written)

    def source(self, instr: Instr | None) -> Value | None:
        """The array (or list) that the result of `instr` is a view of; None if it is no view."""
        view = self.views.get(instr.op) if instr is not None else None
        return None if instr is None or view is None else instr.operands[view.source]

    def root(self, array: Value, definition: Mapping[Value, Instr]) -> Value:
        """The parameter, list or allocation that `array` is a view of."""
        views = self.views
        while (instr := definition.get(array)) is not None and (view := views.get(instr.op)) is not None:
            array = instr.operands[view.source]
        return array

    def view_of(self, view: Instr, source: Value) -> tuple[Value, ...]:
        """The operands of the same view of another array."""
        at = self.views[view.op].source
        return (*view.operands[:at], source, *view.operands[at + 1 :])

    def changed(self, name: str, **fields: Any) -> Table:
        """A copy in which the definition of `name` differs in `fields`."""
        return Table({**self._ops, name: replace(self._ops[name], **fields)})


def everywhere(*numbers: float | None) -> bool:
    """Singular, whatever is known of the operands."""
    return True


def _fail(name: str, types: tuple[Type, ...]) -> OpTypeError:
    return OpTypeError(f"{name} does not accept ({', '.join(map(str, types))})")


def same(accepts: Callable[[Type], bool], count: int, name: str = "op") -> TypeRule:
    """All operands of one accepted type, and the result of that type."""

    def rule(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
        if len(types) != count or types.count(types[0]) != count or not accepts(types[0]):
            raise _fail(name, types)
        return (types[0],)

    return rule


def number(type_: Type) -> bool:
    return is_float(type_) or is_integer(type_)


def comparison(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    """Two operands of one scalar type; the result is a bool."""
    if len(types) != 2 or types[0] != types[1] or not isinstance(types[0], Scalar):
        raise _fail("comparison", types)
    return (BOOL,)


def truth(count: int) -> TypeRule:
    """Bools in, bool out."""

    def rule(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
        if types != (BOOL,) * count:
            raise _fail("logic", types)
        return (BOOL,)

    return rule


def element_of(type_: Type) -> Scalar:
    """The element type of an array (or OpTypeError)."""
    if not isinstance(type_, ArrayType):
        raise OpTypeError(f"expected an array, not {type_}")
    return type_.element
