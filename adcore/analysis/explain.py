"""The plan in the user's terms: what is kept for the reverse sweep, where, why, how many bytes, what would avoid it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from adcore.analysis.plan import Choice, Impossible, Node, Plan, Planner
from adcore.analysis.polynomial import Polynomial
from adcore.analysis.sizes import Unknown
from adcore.errors import Diagnostic
from adcore.ir.core import Instr, Value
from adcore.ir.types import Scalar
from adcore.source import Span

PROBE = 64
"""Every quantity's value when two formulas are compared, to see which is smaller."""


@dataclass(frozen=True)
class Stored:
    """One kept value.

    `value` is its source text (or the user's name), `reason` a sentence, `overwritten_by` the lines that destroy it in
    memory, `needed_by` the lines whose adjoint reads it, `formula` its bytes in shapes and trip counts, `bytes` the
    number for the shapes at hand (None if only a run can tell), `fix` a change of the program that was checked to make
    the bytes fall (empty if none is known).
    """

    value: str
    span: Span | None
    why: str
    reason: str
    needed_by: tuple[Span, ...]
    overwritten_by: tuple[Span, ...]
    formula: str
    bytes: int | None
    fix: str


@dataclass(frozen=True)
class Explanation:
    """All that a gradient keeps. Prints as text; `stored` holds the records behind it."""

    name: str
    span: Span | None
    stored: tuple[Stored, ...]
    formula: str
    bytes: int | None
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        place = f" ({self.span})" if self.span else ""
        if not self.stored:
            lines = [f"The gradient of {self.name}{place} keeps nothing for its reverse sweep."]
        elif all(record.formula == "0" for record in self.stored):
            lines = [f"The gradient of {self.name}{place} keeps no memory for its reverse sweep; in registers:"]
        else:
            amount = f"{self.bytes} bytes ({self.formula})" if self.bytes is not None else f"{self.formula} bytes"
            lines = [f"The gradient of {self.name}{place} keeps {amount} for its reverse sweep:"]
        for record in self.stored:
            lines += _record_lines(record)
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


class ReversedApart(Protocol):
    """A loop that is not reversed by the plan but by running its steps again."""

    def record(self, arguments: Sequence[Any] | None = None) -> Stored: ...
    def note(self) -> str: ...


@dataclass(frozen=True)
class Checkpoints:
    """A loop that is reversed from kept states: `count` states of `size` bytes, `rest` bytes for the state at the end
    and the record of one step; of `steps` steps, `advanced` are run again."""

    span: Span | None
    state: tuple[str, ...]
    count: int
    size: int
    rest: int
    steps: int
    advanced: int

    @property
    def bytes(self) -> int:
        return self.count * self.size + self.rest

    def record(self, arguments: Sequence[Any] | None = None) -> Stored:
        """As a kept value; its size was decided with the limit."""
        names = ", ".join(f"`{name}`" for name in self.state) or "its carried values"
        why = f"the limit is below what all iterations need: the state ({names}) is kept at {self.count} of them"
        formula = f"{self.count}*{self.size} + {self.rest}"
        spans = (self.span,) if self.span else ()
        return Stored("states of the loop", self.span, "checkpoint", why, spans, (), formula, self.bytes, "")

    def note(self) -> str:
        return (
            f"Checkpointed: {self.advanced} of {self.steps} steps' worth of iterations run again, the least for "
            f"{self.count} states (Griewank & Walther 2000)."
        )


def explain(
    planner: Planner, plan: Plan, arguments: Sequence[Any] | None = None, apart: ReversedApart | None = None
) -> Explanation:
    """The explanation of `plan`; `arguments` (one per parameter of the function) turn formulas into bytes; `apart` is a
    loop that is reversed by running it again."""
    total = Polynomial()
    records = []
    for node, readers in sorted(kept(plan, planner).items(), key=lambda item: _order(planner, item[0])):
        amount = amount_of(planner, plan, node)
        total = total + amount
        records.append(_record(planner, plan, node, readers, amount, arguments))
    function = planner.structure.function
    formula, size, notes = planner.sizes.text(total), _bytes(planner, total, arguments), _aliasing_notes(planner, plan)
    if apart is not None:
        record = apart.record(arguments)
        records.append(record)
        formula = f"{formula} + {record.formula}" if total.terms else record.formula
        size = None if size is None or record.bytes is None else size + record.bytes
        notes = (apart.note(), *notes)
    return Explanation(function.name, function.span, tuple(records), formula, size, notes)


def explained_bytes(
    planner: Planner, plan: Plan, arguments: Sequence[Any] | None = None, apart: ReversedApart | None = None
) -> int | None:
    """The bytes of `explain`, without its reasons and remedies."""
    size = _bytes(planner, workspace(planner, plan), arguments)
    if apart is None or size is None:
        return size
    more = apart.record(arguments).bytes
    return None if more is None else size + more


def workspace(planner: Planner, plan: Plan) -> Polynomial:
    """Bytes that the plan keeps, as a polynomial."""
    total = Polynomial()
    for node in kept(plan, planner):
        total = total + amount_of(planner, plan, node)
    return total


def in_register(planner: Planner, node: Node) -> bool:
    """Whether keeping `node` takes no memory: outside of loops it is one value, and stays where it is."""
    return not planner.structure.depth(planner.structure.home[node])


def amount_of(planner: Planner, plan: Plan, node: Node) -> Polynomial:
    """Bytes that keeping one value (in a row: of one turn of its own loop), or logging one store, takes."""
    if in_register(planner, node):
        return Polynomial()
    type_ = node.type if isinstance(node, Value) else node.operands[0].type
    assert isinstance(type_, Scalar)
    if node in plan.rows:
        start, stop = planner.sizes.bounds(planner.structure.loops(planner.structure.home[node])[-1])
        return (stop - start) * type_.bytes
    return planner.sizes.total(type_.bytes, planner.structure.home[node])


def kept(plan: Plan, planner: Planner) -> dict[Node, tuple[Instr, ...]]:
    """Values and logs that are kept, with the instructions whose adjoint needs them, directly or not.

    Outside of loops every value is at hand; only those whose place in memory is overwritten are worth a word."""
    held: set[Node] = {*plan.stored, *plan.logged, *plan.rows}
    readers: dict[Node, dict[Instr, None]] = {}
    for needed, users in plan.needs.values.items():
        todo: list[Node] = [needed]
        seen: set[Node] = set()
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in held:
                readers.setdefault(node, {}).update(dict.fromkeys(users))
            if node in plan.choices and node not in plan.stored and node not in plan.logged:
                todo += plan.choices[node].operands or ()
    return {n: tuple(r) for n, r in readers.items()
            if not in_register(planner, n) or plan.choices[n].why == "overwritten"}  # fmt: skip


def _order(planner: Planner, value: Node) -> tuple[int, int]:
    span = span_of(planner, value)
    return (span.line, span.column) if span else (0, 0)


def _bytes(planner: Planner, amount: Polynomial, arguments: Sequence[Any] | None) -> int | None:
    if arguments is None and amount.atoms():
        return None
    try:
        return planner.sizes.evaluate(amount, arguments or ())
    except Unknown:
        return None


def span_of(planner: Planner, value: Node) -> Span | None:
    """Where the user computes `value`; for a carried value, the loop."""
    if isinstance(value, Instr):
        return value.span
    structure = planner.structure
    instr = structure.definition.get(value) or structure.owner[structure.home[value]]
    if instr is None or instr.span is None or not instr.regions:
        return instr.span if instr is not None else None
    return instr.span.first_line()


def described(planner: Planner, value: Node) -> str:
    """The user's text for `value`: the source of its expression, or its name; for a log, the statement."""
    if isinstance(value, Instr):
        return value.span.text() if value.span is not None else value.op
    instr = planner.structure.definition.get(value)
    if instr is not None and instr.span is not None and instr.op not in ("for", "while", "if"):
        span = instr.span
        if span.line == span.end_line:
            import linecache

            line = linecache.getline(span.file, span.line).encode()
            text = line[span.column : span.end_column].decode(errors="replace").strip()
            if text and len(text) <= 60 and not text.endswith(":"):
                return text
    return value.hint or (instr.op if instr is not None else "a carried value")


def _record(
    planner: Planner,
    plan: Plan,
    value: Node,
    readers: Sequence[Instr],
    amount: Polynomial,
    arguments: Sequence[Any] | None,
) -> Stored:
    choice = plan.choices[value]
    return Stored(
        described(planner, value),
        span_of(planner, value),
        choice.why,
        reason(planner, value, choice),
        _spans(readers),
        _spans(choice.killers),
        planner.sizes.text(amount),
        _bytes(planner, amount, arguments),
        fix(planner, value, choice),
    )


def _spans(instrs: Iterable[Instr]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys(i.span for i in instrs if i.span is not None))


def reason(planner: Planner, value: Node, choice: Choice) -> str:
    """Why the value cannot (or should not) be computed again."""
    text = described(planner, value)
    if choice.why == "overwritten":
        lines = ", ".join(str(s.line) for s in _spans(choice.killers))
        sentence = f"`{text}` is overwritten (line {lines}) before the reverse sweep comes back to it"
        aliases = _aliased_names(planner, value, choice)
        return sentence + (f": {' and '.join(aliases)} share memory in this call" if aliases else "")
    if isinstance(value, Instr):
        return f"`{text}` overwrites values that the reverse sweep reads: the old ones are kept and put back on the way"
    name = value.hint or text
    return {
        "carried": f"`{name}` is carried from one iteration to the next: backwards, only a copy can bring it back",
        "temporary": f"`{text}` is read from an array that lives only inside the loop",
        "loop result": f"`{name}` is the result of an inner loop: storing it is cheaper than running that loop again",
        "trip count": "the number of iterations of this `while` is known only after it ran",
        "decision": f"`{name}` decides a branch or an index and rests on rounded arithmetic, so it is not recomputed",
        "dearer": f"computing `{text}` again would cost more than keeping it",
        "free": "",
    }[choice.why]


def _aliased_names(planner: Planner, value: Node, choice: Choice) -> list[str]:
    assert isinstance(value, Value)
    load = planner.structure.definition[value]
    root = planner.dependence.root(load.operands[0])
    others = dict.fromkeys(r for s in choice.killers if (r := planner.dependence.root(s.operands[1])) is not root)
    return [f"`{v.hint}`" for v in (root, *others)] if others else []


def fix(planner: Planner, value: Node, choice: Choice) -> str:
    """A change that makes the bytes fall, verified by planning the changed program; empty if there is none."""
    if isinstance(value, Value) and choice.why != "overwritten":
        return ""
    stores = (value,) if isinstance(value, Instr) else choice.killers
    changed = Planner(planner.dependence, planner.active, planner.needs, planner.ops, frozenset(stores))
    plan = changed.plan()
    if in_register(planner, value):
        left = changed.choices.get(value)  # none: without those stores nothing asks for it
        if left is not None and left.why == "overwritten":
            return ""
    elif _probe(planner, workspace(changed, plan)) >= _probe(planner, workspace(planner, planner.plan())):
        return ""
    if isinstance(value, Value) and (aliased := _aliased_names(planner, value, choice)):
        return f"pass buffers that do not overlap for {' and '.join(aliased)}"
    lines = ", ".join(str(s.line) for s in _spans(stores))
    return f"on line {lines} write to another array instead of {_written(planner, stores)}"


def _written(planner: Planner, stores: Iterable[Instr]) -> str:
    """The arrays that `stores` write, by name."""
    return " and ".join(dict.fromkeys(f"`{planner.dependence.root(s.operands[1]).hint}`" for s in stores))


def _probe(planner: Planner, amount: Polynomial) -> float:
    return float(amount.evaluate(lambda atom: PROBE))


def _aliasing_notes(planner: Planner, plan: Plan) -> tuple[str, ...]:
    """What was assumed about overlap, where it mattered: a read array next to a written one."""
    dependence = planner.dependence
    roots = {dependence.root(s.operands[1]) for s in planner.stores}
    written = [p for p in planner.structure.function.params if p in roots]
    instrs = planner.structure.instructions()
    loaded = {dependence.root(i.operands[0]) for i in instrs if i.op == "load"}
    read = [p for p in planner.structure.function.params if p in loaded]
    pairs = [(w, r) for w in written for r in read if w is not r and not dependence.may_overlap(w, r)]
    unordered = {frozenset(pair): pair for pair in reversed(pairs)}
    names = [f"`{w.hint}` and `{r.hint}`" for w, r in reversed(unordered.values())]
    if not names:
        return ()
    return (f"Checked at each call: the buffers of {'; '.join(names)} do not overlap, so writing one cannot change the "
            "other. Overlapping buffers get a version of their own.",)  # fmt: skip


def _record_lines(record: Stored) -> list[str]:
    amount = f"{record.bytes} bytes ({record.formula})" if record.bytes is not None else f"{record.formula} bytes"
    amount = "no bytes: a value outside of loops stays in a register" if record.formula == "0" else amount
    lines = [f"  {record.span or '?'}: `{record.value}`, {amount}", f"      why: {record.reason}"]
    for label, spans in (("needed by", record.needed_by), ("overwritten by", record.overwritten_by)):
        lines += [f"      {line}" for line in _lines(f"{label}:", spans)]
    return [*lines, f"      to avoid it: {record.fix}"] if record.fix else lines


def _lines(label: str, spans: Sequence[Span]) -> list[str]:
    """One entry per source line."""
    return list(dict.fromkeys(f"{label} line {s.line}: {s.text()}" for s in spans))


def refusal(impossible: Impossible, budget: str) -> list[Diagnostic]:
    """What a WorkspaceError says: per value without a rule, what needs it and what makes it unrecomputable."""
    planner = impossible.planner
    blamed: dict[Node, dict[Instr, None]] = {}
    for chain in impossible.chains:
        first = chain[0]
        assert isinstance(first, Value)
        readers = planner.needs.values[first]
        blamed.setdefault(chain[-1], {}).update(dict.fromkeys(readers))
    diagnostics = []
    for value, needing in blamed.items():
        choice = planner.choices[value]
        notes = [*_lines("needed by", _spans(needing)), *_lines("overwritten by", _spans(choice.killers))]
        advice = fix_without_storing(planner, value, choice)
        title = f"the reverse sweep needs `{described(planner, value)}`, and {budget} does not allow to keep it"
        why = reason(planner, value, choice)
        diagnostics.append(Diagnostic(title, span_of(planner, value), "must be kept", (why, *notes), advice))
    return diagnostics


def too_large(planner: Planner, plan: Plan, needed: int, limit: int) -> list[Diagnostic]:
    """What a WorkspaceError says when the leanest plan takes `needed` bytes: every value that it keeps."""
    diagnostics = []
    for node, readers in sorted(kept(plan, planner).items(), key=lambda item: _order(planner, item[0])):
        choice = plan.choices[node]
        amount = planner.sizes.text(amount_of(planner, plan, node))
        title = f"the reverse sweep needs at least {needed} bytes, and workspace={limit} allows {limit}"
        notes = [reason(planner, node, choice), *_lines("needed by", _spans(readers))]
        notes += _lines("overwritten by", _spans(choice.killers))
        diagnostics.append(
            Diagnostic(
                title, span_of(planner, node), f"{amount} bytes of it", tuple(notes), f"workspace={needed} will do"
            )
        )
    return diagnostics


def fix_without_storing(planner: Planner, value: Node, choice: Choice) -> str:
    """Advice for a refused value."""
    if isinstance(value, Value) and choice.why == "overwritten":
        aliased = _aliased_names(planner, value, choice)
        if aliased:
            return f"pass buffers that do not overlap for {' and '.join(aliased)}, or allow a workspace"
    if isinstance(value, Instr) or choice.why == "overwritten":
        stores = (value,) if isinstance(value, Instr) else choice.killers
        return f"write to another array than {_written(planner, stores)}, or allow a workspace"
    if choice.why == "carried":
        return "write it as a closed form of the loop variable, or allow a workspace"
    return "allow a workspace: workspace='auto' is reused by every call and never calls an allocator"
