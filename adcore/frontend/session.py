"""The state of a compilation: one `Session`, one `FunctionScope` for each function that is being compiled into it.

Callees are compiled in place, where they are called: arguments of any kind (functions, containers, constants) then need
no special case, and each call is specialised on what is known about its arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcore.captures import unwrap
from adcore.errors import Diagnostic
from adcore.frontend.captures import Captures
from adcore.frontend.instances import Instances
from adcore.frontend.liveness import Liveness, bound_names, liveness
from adcore.frontend.program import Program
from adcore.frontend.reader import FunctionSource, read
from adcore.frontend.speculation import Speculation
from adcore.frontend.values.abstract import FALSE, POISON, UNBOUND, Abstract, Constant, ListRef, Poison
from adcore.ir.builder import Builder, OpenRegion, OpTable
from adcore.ir.core import Value
from adcore.ir.types import Scalar
from adcore.signature import LiveAttributes, Signature
from adcore.source import Span


@dataclass
class State:
    """What a statement can change: local names, contents of lists, and how control leaves the straight line.

    `returns`, `breaks` and `continues` are flags (bool Const or Num); `dead` means that no execution gets here.
    """

    locals: dict[str, Abstract] = field(default_factory=dict)
    cells: dict[int, tuple[Abstract, ...]] = field(default_factory=dict)
    result: Abstract = UNBOUND
    returns: Abstract = FALSE
    breaks: Abstract = FALSE
    continues: Abstract = FALSE
    dead: bool = False

    def copy(self) -> State:
        return State(
            dict(self.locals), dict(self.cells), self.result, self.returns, self.breaks, self.continues, self.dead
        )

    @property
    def leaves(self) -> bool:
        """Whether control surely leaves the straight line here."""
        flags = (self.returns, self.breaks, self.continues)
        return self.dead or any(isinstance(flag, Constant) and bool(flag.value) for flag in flags)


@dataclass(frozen=True)
class Syntax:
    """The entry points of what compiles syntax: expressions, blocks, single statements, functions on their own, calls
    of values and of methods, special methods of objects (None where the class has none). Modules between them go
    through the session, so that they need not import each other."""

    evaluate: Callable[[FunctionScope, ast.expr], Abstract]
    execute: Callable[[FunctionScope, Sequence[ast.stmt]], None]
    perform: Callable[[FunctionScope, ast.stmt], None]
    compile: Callable[[Callable[..., Any], Signature], Program]
    apply: Callable[[FunctionScope, ast.Call, Abstract, list[Abstract]], Abstract]
    call: Callable[[FunctionScope, ast.AST, Abstract, tuple[Abstract, ...], dict[str, Abstract]], Abstract]
    special: Callable[[FunctionScope, ast.AST, Abstract, str, tuple[Abstract, ...]], Abstract | None]


class Session:
    """What all frames of one compilation share.

    `speculation`: what earlier compilations know; `literals`: where the list of a cell is written; `groups`: which
    array parameters may overlap; `shared`: lists that are the same as others on some paths only, and hence must not
    change any more; `used_up`: iterators over which something has run; `at_most_one`: lengths that are 0 or 1, so that
    their axis stretches; `frozen`: roots of arrays that stand for others, so that nothing may be stored into them;
    `known`: what is known of the arguments of calls under way; `recursive`: how many were recursive;
    `open_calls`: their scopes; `growth`, `reserved`, `spare`: what the code under way appends to lists, memory that has
    room for all of it, and for how much at some depth (`containers/growing.py`); `ones`: axes of arguments that are
    known to have length 1; `lengths`: which axis of an argument a value is the length of; `compared`: those that had to
    agree with others, where a length of 1 would stretch; `unordered`: roots of arrays that NumPy may lay out in another
    order than C's; `names_of`: the names of each function, by its node; `instances`: what is known of objects;
    `outside`: dicts from outside, by the keys of their captures; `unfinished`: how many statements with a
    `finally` are under way, which may assign more when something is raised; `filters`, `messages`: how many filters
    of warnings were set, and messages sent; `measured`: of which argument, and along which axis, a value is the
    length; `wanted`: those that have to be known, by path; `known_lengths`: those that are.
    """

    def __init__(
        self, ops: OpTable, syntax: Syntax, speculation: Speculation, live: LiveAttributes | None = None
    ) -> None:
        self.syntax = syntax
        self.builder = Builder(ops)
        self.diagnostics: list[Diagnostic] = []
        self.captures = Captures()
        self.speculation = speculation
        self.active: list[object] = []
        self.known: list[tuple[object, tuple[object, ...]]] = []
        self.recursive = 0
        self.call_sites: list[Span] = []
        self.literals: dict[int, Span] = {}
        self.groups: dict[Value, int] = {}
        self.shared: set[int] = set()
        self.used_up: list[Abstract] = []
        self.at_most_one: set[Value] = set()
        self.frozen: set[Value] = set()
        self.ones: set[tuple[Value, int]] = set()
        self.lengths: dict[Value, tuple[Value, int]] = {}
        self.compared: set[tuple[Value, int]] = set()
        self.unordered: set[Value] = set()
        self.open_calls: list[FunctionScope] = []
        self.instances = Instances(live)
        self.growth: dict[int, Any] = {}
        self.reserved: set[Value] = set()
        self.spare: dict[tuple[Value, int], int] = {}
        self._sources: dict[object, FunctionSource] = {}
        self.names_of: dict[ast.AST, tuple[Liveness, frozenset[str]]] = {}
        self.outside: dict[tuple[object, ...], Abstract] = {}
        self.filters = self.messages = 0
        self.measured: dict[Value, tuple[Value, int]] = {}
        self.wanted: set[tuple[str, int]] = set()
        self.known_lengths: dict[tuple[str, int], int] = {}
        self.unfinished = 0
        self._cells = 0

    def source(self, function: Callable[..., Any]) -> FunctionSource:
        """The source of a function; read once, however often it is called."""
        plain = unwrap(function)
        try:
            return self._sources[plain]
        except KeyError:
            found = self._sources[plain] = read(function)
            return found

    def new_cell(self) -> int:
        self._cells += 1
        return self._cells


class _Place:
    """Context manager: a builder's span is `span` inside."""

    __slots__ = ("before", "builder", "span")

    def __init__(self, builder: Builder, span: Span) -> None:
        self.builder, self.span = builder, span

    def __enter__(self) -> None:
        self.before, self.builder.span = self.builder.span, self.span

    def __exit__(self, *error: object) -> None:
        self.builder.span = self.before


@dataclass(eq=False)
class FunctionScope:
    """One function being compiled."""

    session: Session
    source: FunctionSource
    node: ast.FunctionDef | ast.Lambda
    state: State
    parent: FunctionScope | None = None
    liveness: Liveness = field(default_factory=Liveness)
    names: frozenset[str] = frozenset()

    @property
    def builder(self) -> Builder:
        return self.session.builder

    def evaluate(self, node: ast.expr) -> Abstract:
        """The value of an expression."""
        return self.session.syntax.evaluate(self, node)

    def apply(self, node: ast.Call, function: Abstract, arguments: list[Abstract]) -> Abstract:
        """A call of `function`, which `node` has asked for."""
        return self.session.syntax.apply(self, node, function, arguments)

    def execute(self, body: Sequence[ast.stmt]) -> None:
        """Statements one after the other."""
        self.session.syntax.execute(self, body)

    def perform(self, stmt: ast.stmt) -> None:
        """One statement."""
        self.session.syntax.perform(self, stmt)

    def span(self, node: ast.AST) -> Span:
        return self.source.span(node)

    def at(self, node: ast.AST) -> _Place:
        """Instructions emitted inside carry the span of `node`."""
        return _Place(self.builder, self.span(node))

    def error(
        self, node: ast.AST | Span, title: str, help: str = "", label: str = "", notes: tuple[str, ...] = ()
    ) -> Poison:
        """Report and go on with a value that keeps silent."""
        span = node if isinstance(node, Span) else self.span(node)
        notes += tuple(f"in a call from {site}" for site in reversed(self.session.call_sites))
        found = Diagnostic(title, span, label, notes, help)
        if found not in self.session.diagnostics:
            self.session.diagnostics.append(found)
        return POISON

    def emit(self, op: str, *operands: Value, hint: str = "", **attrs: Any) -> Value:
        return self.builder.emit(op, *operands, hint=hint, **attrs)

    def const(self, value: float | int | bool, type_: Scalar | None = None) -> Value:
        return self.builder.const(value, type_)

    def put(self, value: Value, array: Value, index: Sequence[Value]) -> None:
        """Store `value` at normalised subscripts."""
        self.builder.emit_many("store", (value, array, *index), {})

    def check(self, ok: Value, error: str, message: str, *details: Value) -> None:
        """Raise `error` at run time unless `ok`."""
        self.fail_unless(ok, details, {"error": error, "message": message})

    def fail_unless(self, ok: Value, details: Sequence[Value], attributes: dict[str, Any]) -> None:
        """The instruction of a check. What the program has assigned to attributes until here is a part of it."""
        numbers: list[Value] = []
        if self.session.instances.paths and not self.session.unfinished:
            assigned, numbers = self.session.instances.assigned(self.state.cells, len(details))
            attributes = {**attributes, "assigned": assigned}
        self.builder.emit_many("check", (ok, *details, *numbers), attributes)

    def extend(self, region: OpenRegion, finish: Callable[[], tuple[Value, ...]]) -> OpenRegion:
        """`region` once more, with what `finish` emits at its end and its result as yields."""
        with self.builder.region(region.params) as longer:
            for instr in region.body:
                self.builder.append(instr)
            longer.yields = finish()
        return longer

    def special(self, node: ast.AST, owner: Abstract, name: str, *arguments: Abstract) -> Abstract | None:
        """`type(owner).name(owner, ...)`, as operators call it; None where the class has none."""
        return self.session.syntax.special(self, node, owner, name, arguments)

    def list_items(self, value: ListRef) -> tuple[Abstract, ...]:
        return self.state.cells[value.cell]

    def set_items(self, node: ast.AST, value: ListRef, items: tuple[Abstract, ...]) -> None:
        """Change a list in place."""
        if value.cell in self.session.shared:
            self.error(
                node,
                "a list is changed that, on some paths only, is one list with another",
                "use a NumPy array, or give the new list a name of its own",
            )
        self.state.cells[value.cell] = items

    def new_list(self, items: tuple[Abstract, ...], literal: Span | None = None) -> ListRef:
        cell = self.session.new_cell()
        self.state.cells[cell] = items
        if literal is not None:
            self.session.literals[cell] = literal
        return ListRef(cell)


def body_of(node: ast.FunctionDef | ast.Lambda) -> list[ast.stmt]:
    """The statements of a function; of a lambda, its `return`."""
    if isinstance(node, ast.FunctionDef):
        return node.body
    return [ast.copy_location(ast.Return(node.body), node.body)]


def parameters(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """All parameter names."""
    a = node.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return frozenset(arg.arg for arg in every)


def callee_scope(
    caller: FunctionScope, source: FunctionSource, node: ast.FunctionDef | ast.Lambda, parent: FunctionScope | None
) -> FunctionScope:
    """A scope for a callee: names of its own, the lists of its caller."""
    state = State(cells=caller.state.cells)
    return open_scope(caller.session, source, node, state, parent)


def open_scope(
    session: Session,
    source: FunctionSource,
    node: ast.FunctionDef | ast.Lambda,
    state: State,
    parent: FunctionScope | None,
) -> FunctionScope:
    if node not in session.names_of:
        body = body_of(node)
        session.names_of[node] = liveness(body), parameters(node) | bound_names(body)
    return FunctionScope(session, source, node, state, parent, *session.names_of[node])


def comprehension_scope(scope: FunctionScope, names: frozenset[str]) -> FunctionScope:
    """A scope in which only `names` live; everything else is read from the enclosing one."""
    state = scope.state.copy()
    state.locals = {}
    return FunctionScope(scope.session, scope.source, scope.node, state, scope, scope.liveness, names)


def name_value(value: Abstract, hint: str) -> None:
    """Give the IR value behind `value` the user's name, if it has none. A hint has no meaning, so this is the one
    place where a value changes after it was made: the name is only known once the expression is compiled."""
    inner = getattr(value, "value", None)
    if not isinstance(value, Constant) and isinstance(inner, Value) and not inner.hint and not hint.startswith("$"):
        object.__setattr__(inner, "hint", hint)


def as_static_int(value: Abstract) -> int | None:
    """The integer that `value` is known to be."""
    if isinstance(value, Constant) and isinstance(value.value, (int, np.integer)):
        return int(value.value)
    return None
