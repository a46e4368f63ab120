"""The plan in the user's terms: what is kept for the reverse sweep, where, why, how many bytes, what would avoid it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from adcore.analysis.planning.choices import Choice, Node, Why
from adcore.analysis.planning.plan import Impossible, Plan, Planner
from adcore.analysis.planning.polynomial import Polynomial
from adcore.analysis.planning.sizes import Unknown
from adcore.errors import Diagnostic
from adcore.ir.core import Instr, Value
from adcore.ir.types import Scalar
from adcore.source import Span

KeptAs = Literal["register", "store", "array", "log", "scratch", "copy", "checkpoint"]
"""Outside of loops a value stays in a register; otherwise it is stored for each iteration, or logged where it is
overwritten, or put down in scratch memory that each iteration of the outer loops uses again, or part of a kept state.
Of an array that is rolled back without a way to do all stores again, a copy is kept."""


@dataclass(frozen=True)
class Kill:
    """A store that may destroy the value in memory: where it stands and `when` it strikes, in words.

    `passed`: whether the reverse sweep has gone back over it when the value is wanted, so that undoing it would help.
    """

    span: Span
    when: str
    passed: bool


@dataclass(frozen=True)
class Stored:
    """One kept value.

    `value` is its source text (or the user's name), `kept_as` where it is, `why` a keyword and `reason` a sentence,
    `killed_by` the stores that destroy it in memory, `needed_by` the lines whose adjoint reads it, `formula` its bytes
    in shapes and trip counts, `bytes` the number for the shapes at hand (None if only a run can tell),
    `alternative_cost` what having it without keeping it would cost in one call, in additions, by the compiler's
    estimate (None if it cannot be had), `fix` a change that was tried and made the bytes fall (empty if none is known).
    """

    value: str
    span: Span | None
    kept_as: KeptAs
    why: Why | Literal["checkpoint", "rewound"]
    reason: str
    needed_by: tuple[Span, ...]
    formula: str
    bytes: int | None
    killed_by: tuple[Kill, ...] = ()
    alternative_cost: float | None = None
    fix: str = ""

    @property
    def overwritten_by(self) -> tuple[Span, ...]:
        """The lines that destroy it in memory."""
        return tuple(dict.fromkeys(kill.span for kill in self.killed_by))


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
            amount = f"{in_bytes(self.bytes)} ({self.formula})" if self.bytes is not None else f"{self.formula} bytes"
            lines = [f"The gradient of {self.name}{place} keeps {amount} for its reverse sweep:"]
        for record in self.stored:
            lines += _record_lines(record)
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def in_bytes(count: int) -> str:
    """A number of bytes, in words."""
    return f"{count} byte" if count == 1 else f"{count} bytes"


class ReversedApart(Protocol):
    """A loop that is not reversed by the plan but by running its steps again."""

    def record(self, arguments: Sequence[Any] | None = None) -> Stored: ...
    def notes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Checkpoints:
    """A loop that is reversed from kept states: at most `count` states of `size` bytes, `rest` bytes for the state at
    the end and the record of one step; of `steps` steps, `advanced` are run again (None where only a run can tell).
    `nested` are loops in a step that are reversed likewise; what they take is part of `rest`."""

    span: Span | None
    state: tuple[str, ...]
    count: int
    size: int
    rest: int
    steps: int | None
    advanced: int | None
    nested: tuple[Checkpoints, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the number of iterations, and with it that of the states, is known beforehand."""
        return self.steps is not None and all(loop.known for loop in self.nested)

    @property
    def bytes(self) -> int:
        """What it takes at most."""
        return self.count * self.size + self.rest

    def record(self, arguments: Sequence[Any] | None = None) -> Stored:
        """As a kept value; its size was decided with the limit."""
        names = ", ".join(f"`{name}`" for name in self.state) or "its carried values"
        why = f"the limit is below what all iterations need: the state ({names}) is kept at {self.count} of them"
        formula = f"{'' if self.known else 'at most '}{self.count}*{self.size} + {self.rest}"
        size = self.bytes if self.known else None
        spans = (self.span,) if self.span else ()
        kept_as: KeptAs = "checkpoint"
        return Stored("states of the loop", self.span, kept_as, "checkpoint", why, spans, formula, size)

    @property
    def again(self) -> str:
        """The price of keeping so few, in words."""
        if self.steps is not None:
            return f"{self.advanced} steps run again (it has {self.steps})"
        if self.count == 1:
            return "n*(n - 1)/2 steps run again, if it has n"
        c = self.count
        smallest = f"with the smallest r for which C({c} + r, {c}) >= n"
        return f"r*n - C({c} + r, {c + 1}) steps run again, if it has n, {smallest}"

    def notes(self) -> tuple[str, ...]:
        """One sentence a loop, the outermost first."""
        states = "1 state" if self.count == 1 else f"{self.count} states"
        line = f" (line {self.span.line})" if self.span else ""
        own = f"Of the checkpointed loop{line} {self.again}: the least for {states} (Griewank & Walther 2000)."
        inner = (note for loop in self.nested for note in loop.notes())
        return (own, *(note.replace("Of the", "In each of its steps, of the", 1) for note in inner))


RemedyText = Callable[[Node], str]
"""A change of the program that was tried and helps to keep less for a node; empty if none is known."""


def explain(
    planner: Planner,
    plan: Plan,
    arguments: Sequence[Any] | None = None,
    apart: Sequence[ReversedApart] = (),
    remedy: RemedyText | None = None,
) -> Explanation:
    """The explanation of `plan`; `arguments` (one per parameter of the function) turn formulas into bytes; `apart` are
    loops that are reversed by running them again."""
    total = Polynomial()
    records = []
    for node, readers in sorted(kept(plan, planner).items(), key=lambda item: _order(planner, item[0])):
        amount = amount_of(planner, plan, node)
        total = total + amount
        fix = remedy(node) if remedy is not None else ""
        records.append(_record(planner, plan, node, readers, amount, arguments, fix))
    function, again = planner.structure.function, [loop.record(arguments) for loop in apart]
    formula = _formula(planner, total, again)
    size = _bytes(planner, total, arguments)
    for record in again:
        size = None if size is None or record.bytes is None else size + record.bytes
    notes = (*(note for loop in apart for note in loop.notes()), *_aliasing_notes(planner, plan))
    return Explanation(function.name, function.span, (*records, *again), formula, size, notes)


def _formula(planner: Planner, total: Polynomial, again: Sequence[Stored]) -> str:
    """The bytes in the user's names: of the plan, and of loops that are run again."""
    parts = [planner.sizes.text(total)] if total.terms or not again else []
    return " + ".join((*parts, *(record.formula for record in again)))


def explained_formula(planner: Planner, plan: Plan, apart: Sequence[ReversedApart] = ()) -> str:
    """The formula of `explain`, without its reasons and remedies."""
    return _formula(planner, workspace(planner, plan), [loop.record() for loop in apart])


def explained_bytes(
    planner: Planner, plan: Plan, arguments: Sequence[Any] | None = None, apart: Sequence[ReversedApart] = ()
) -> int | None:
    """The bytes of `explain`, without its reasons and remedies."""
    size = _bytes(planner, workspace(planner, plan), arguments)
    for loop in apart:
        more = loop.record(arguments).bytes
        size = None if more is None or size is None else size + more
    return size


def workspace(planner: Planner, plan: Plan) -> Polynomial:
    """Bytes that the plan keeps, as a polynomial."""
    total = Polynomial()
    for node in sorted(kept(plan, planner), key=lambda node: _order(planner, node)):
        total = total + amount_of(planner, plan, node)
    return total


def in_register(planner: Planner, node: Node) -> bool:
    """Whether keeping `node` takes no memory: outside of loops it is one value, and stays where it is."""
    scalar = isinstance(node, Instr) or isinstance(node.type, Scalar)
    return scalar and not planner.structure.depth(planner.structure.home[node])


def amount_of(planner: Planner, plan: Plan, node: Node) -> Polynomial:
    """Bytes that keeping one value (in a row: of one iteration of its own loop), or logging one store, takes."""
    return room(planner, node, reused=node in plan.rows)


def room(planner: Planner, node: Node, reused: bool = False) -> Polynomial:
    """Bytes for all instances of a node; `reused`: for those of one run of its own loop."""
    if in_register(planner, node):
        return Polynomial()
    type_ = node.type if isinstance(node, Value) else planner.ops.stored(node).type
    if not isinstance(type_, Scalar) and isinstance(node, Value):
        return planner.sizes.array(node) if planner.is_lasting(node) else planner.temporaries.instances(node)
    if reused:
        return planner.sizes.row(type_, planner.structure.loops(planner.structure.home[node])[-1])
    return planner.sizes.kept(type_, planner.structure.home[node])


def kept(plan: Plan, planner: Planner) -> dict[Node, tuple[Instr, ...]]:
    """Values and logs that are kept, with the instructions whose adjoint needs them, directly or not.

    Outside of loops every value is at hand; only those whose place in memory is overwritten are worth a word."""
    held: set[Node] = {*plan.stored, *plan.logged, *plan.rows, *plan.copied}
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
            if node in plan.choices and node not in plan.kept:
                todo += plan.choices[node].operands or ()
    return {n: tuple(r) for n, r in readers.items()
            if not in_register(planner, n) or plan.choices[n].why == "overwritten" or n in plan.copied}  # fmt: skip


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
    if instr is None and not isinstance(value.type, Scalar):
        return structure.function.span.first_line() if structure.function.span else None
    if instr is None or instr.span is None or not instr.regions:
        return instr.span if instr is not None else None
    return instr.span.first_line()


TRIPS = "number of iterations"


LONGEST_TEXT = 60
"""What is longer is cut in a sentence; the line and the caret show all of it."""


def quoted(text: str) -> str:
    """A value in a sentence: code in quotes."""
    return f"the {text}" if text == TRIPS else f"`{text}`"


def array_name(root: Value) -> str:
    """What the user calls an array, or the list that it is in."""
    return f"`{root.hint.removesuffix('[]')}`"


def described(planner: Planner, value: Node) -> str:
    """The user's text for `value`: the source of its expression, or its name; for a log, the statement."""
    if isinstance(value, Instr):
        return value.span.text() if value.span is not None else value.op
    instr = planner.structure.definition.get(value)
    if instr is not None and instr.op == "while" and value is instr.results[-1]:
        return TRIPS
    named = instr is not None and (instr.regions or instr.op in planner.ops.allocs) and value.hint
    text = _on_one_line(instr.span) if instr is not None and instr.span is not None and not named else ""
    if text and len(text) <= LONGEST_TEXT:
        return text
    short = f"{text[: LONGEST_TEXT - 3]}..." if text else ""
    return value.hint.removesuffix("[]") or short or (instr.op if instr is not None else "a carried value")


def _on_one_line(span: Span) -> str:
    """The source of an expression that stands on one line."""
    if span.line != span.end_line:
        return ""
    import linecache

    line = linecache.getline(span.file, span.line).encode()
    text = line[span.column : span.end_column].decode(errors="replace").strip()
    return "" if text.endswith(":") else text


def _record(
    planner: Planner,
    plan: Plan,
    value: Node,
    readers: Sequence[Instr],
    amount: Polynomial,
    arguments: Sequence[Any] | None,
    fix: str,
) -> Stored:
    choice = plan.choices[value]
    return Stored(
        described(planner, value),
        span_of(planner, value),
        kept_as(planner, plan, value),
        choice.why,
        reason(planner, value, choice),
        _spans(readers),
        planner.sizes.text(amount),
        _bytes(planner, amount, arguments),
        kills_of(planner, value, choice),
        choice.cost if choice.operands is not None and value not in plan.rows else None,
        fix,
    )


def kept_as(planner: Planner, plan: Plan, value: Node) -> KeptAs:
    """In which form the plan keeps `value`."""
    if isinstance(value, Instr):
        return "log"
    if value in plan.copied:
        return "copy"
    if in_register(planner, value):
        return "register"
    return "scratch" if value in plan.rows else "store" if isinstance(value.type, Scalar) else "array"


def kills_of(planner: Planner, value: Node, choice: Choice) -> tuple[Kill, ...]:
    """The stores that destroy what a load read, each with the moment at which it first may do so."""
    if isinstance(value, Instr) or choice.why != "overwritten":
        return ()
    load = planner.structure.definition[value]
    between, _ = planner.kills.of(load)
    return tuple(Kill(store.span, _moment(planner, load, store), store not in between)
                 for store in planner.killers(value) if store.span is not None)  # fmt: skip


def _moment(planner: Planner, load: Instr, store: Instr) -> str:
    """When `store` first may overwrite what `load` read."""
    dependence = planner.dependence
    loops, levels = dependence.common_loops(load, store), dependence.levels(load, store)
    if 0 in levels or not levels:
        if loops:
            return "later in the same iteration"
        other = planner.structure.loops(planner.structure.home[store])
        return "afterwards" + (f", in the loop of line {other[0].span.line}" if other and other[0].span else "")
    level = max(levels)
    line = loops[level - 1].span
    which = "next" if dependence.in_next_iteration(load, store, level) else "later"
    article = "the" if which == "next" else "a"
    return f"in {article} {which} iteration of the loop" + (f" of line {line.line}" if line else "")


def certainly_killed(planner: Planner, load: Instr, store: Instr) -> bool:
    """Whether it is sure that `store` runs and strikes what `load` read, rather than merely possible."""
    structure, dependence = planner.structure, planner.dependence
    regions = structure.chain(structure.home[store])
    common = set(structure.chain(structure.home[load]))
    optional = any((o := structure.owner[r]) is not None and o.op != "for" for r in regions if r not in common)
    one, two = dependence.access(load), dependence.access(store)
    if one.root is not two.root:
        return False
    affine = None not in (*one.subscripts, *two.subscripts)
    atoms = {a for form in (*one.subscripts, *two.subscripts) for a in form or ()}
    data = any(isinstance(a, Value) and _is_loaded(planner, a) for a in atoms)
    return affine and not optional and (not data or dependence.certainly_same(load, store))


def _is_loaded(planner: Planner, value: Value) -> bool:
    instr = planner.structure.definition.get(value)
    if instr is None:
        home = planner.structure.home[value]
        return home is not planner.structure.function.region and value is not home.params[0]
    return instr.op not in ("dim", "count")


def _spans(instrs: Iterable[Instr]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys(i.span for i in instrs if i.span is not None))


def reason(planner: Planner, value: Node, choice: Choice) -> str:
    """Why the value cannot (or should not) be computed again."""
    text = described(planner, value)
    if choice.why == "overwritten":
        assert isinstance(value, Value)
        load = planner.structure.definition[value]
        sure = any(certainly_killed(planner, load, s) for s in planner.killers(value))
        lines = ", ".join(dict.fromkeys(str(s.line) for s in _spans(planner.killers(value))))
        verb = "is" if sure else "may be"
        sentence = f"`{text}` {verb} overwritten (line {lines}) before the reverse sweep comes back to it"
        aliases = aliased_names(planner, value, choice)
        return sentence + (f": {' and '.join(aliases)} share memory in this call" if aliases else "")
    if isinstance(value, Value) and planner.is_lasting(value):
        return f"on the way back `{text}` returns to what it held before; a copy gives it its result again"
    if isinstance(value, Instr):
        return f"`{text}` overwrites values that the reverse sweep reads: the old ones are kept and put back on the way"
    name = value.hint or text
    return {
        "carried": f"`{name}` is carried from one iteration to the next: backwards, only a copy can bring it back",
        "temporary": _of_temporary(value, text, choice),
        "loop result": _result_of(planner, value, name, choice),
        "trip count": "the number of iterations of this `while` is known only after it ran",
        "decision": f"`{name}` decides a branch or an index and rests on rounded arithmetic, so it is not recomputed",
        "dearer": f"computing `{text}` again would cost more than keeping it",
        "free": "",
    }[choice.why]


def _of_temporary(value: Value, text: str, choice: Choice) -> str:
    """Why an array of a loop or branch, or what was read from one, is kept."""
    if isinstance(value.type, Scalar):
        return f"`{text}` is read from an array that lives only inside the loop"
    made = f"`{text}` is made in each turn of the loop"
    if choice.operands is None:
        return f"{made}, and what it was filled from is not there to fill it again on the way back"
    return f"{made}: to fill it again on the way back would cost more than to keep it"


def _result_of(planner: Planner, value: Value, name: str, choice: Choice) -> str:
    """Why the result of a loop or branch is kept."""
    owner = planner.structure.definition.get(value)
    branch = owner is not None and owner.op == "if"
    origin = f"`{name}` comes from a branch" if branch else f"`{name}` is the result of an inner loop"
    if choice.operands is None:
        return f"{origin}, which cannot be run once more on the way back"
    return f"{origin}: keeping it is cheaper than running that once more"


def aliased_names(planner: Planner, value: Value, choice: Choice) -> list[str]:
    """The arrays that share memory in this call, where that is why `value` is overwritten."""
    load = planner.structure.definition[value]
    root = planner.dependence.root(planner.ops.array(load))
    roots = [planner.dependence.root(planner.ops.array(s)) for s in planner.killers(value)]
    others = dict.fromkeys(r for r in roots if r is not root)
    return [array_name(v) for v in (root, *others)] if others else []


def _aliasing_notes(planner: Planner, plan: Plan) -> tuple[str, ...]:
    """What was assumed about overlap, where it mattered: a read array next to a written one."""
    dependence = planner.dependence
    roots = {dependence.root(planner.ops.array(s)) for s in planner.stores}
    written = [p for p in planner.structure.function.params if p in roots]
    instrs = planner.structure.instructions()
    loaded = {dependence.root(planner.ops.array(i)) for i in instrs if i.op in planner.ops.loads}
    read = [p for p in planner.structure.function.params if p in loaded]
    pairs = [(w, r) for w in written for r in read if w is not r and not dependence.may_overlap(w, r)]
    unordered = {frozenset(pair): pair for pair in reversed(pairs)}
    names = [f"{array_name(w)} and {array_name(r)}" for w, r in reversed(unordered.values())]
    if not names:
        return ()
    return (f"Checked at each call: the buffers of {'; '.join(names)} do not overlap, so writing one cannot change the "
            "other. Overlapping buffers get a version of their own.",)  # fmt: skip


def _record_lines(record: Stored) -> list[str]:
    amount = f"{in_bytes(record.bytes)} ({record.formula})" if record.bytes is not None else f"{record.formula} bytes"
    amount = "no bytes: a value outside of loops stays in a register" if record.formula == "0" else amount
    lines = [f"  {record.span or '?'}: {quoted(record.value)}, {amount}", f"      why: {record.reason}"]
    lines += [f"      {line}" for line in _lines("needed by:", record.needed_by)]
    lines += [f"      {line}" for line in _kill_lines("overwritten by:", record.killed_by)]
    return [*lines, f"      to avoid it: {record.fix}"] if record.fix else lines


def _lines(label: str, spans: Sequence[Span]) -> list[str]:
    """One entry per source line."""
    return list(dict.fromkeys(f"{label} line {s.line}: {s.text()}" for s in spans))


def _kill_lines(label: str, kills: Sequence[Kill]) -> list[str]:
    """One entry per source line and moment."""
    return list(dict.fromkeys(f"{label} line {k.span.line}: {k.span.text()} ({k.when})" for k in kills))


def refusal(impossible: Impossible, budget: str, remedy: RemedyText) -> list[Diagnostic]:
    """What a WorkspaceError says: per value without a rule, what needs it and what makes it unrecomputable. Several
    values of one expression, as in array code, are told of once."""
    planner = impossible.planner
    blamed: dict[Node, dict[Instr, None]] = {}
    for chain in impossible.chains:
        first = chain[0]
        assert isinstance(first, Value)
        readers = planner.needs.values[first]
        blamed.setdefault(chain[-1], {}).update(dict.fromkeys(readers))
    diagnostics: dict[tuple[str, Span | None], Diagnostic] = {}
    for value, needing in blamed.items():
        choice = planner.choices[value]
        notes = _lines("needed by", _spans(needing))
        notes += _kill_lines("overwritten by", kills_of(planner, value, choice))
        title = f"the reverse sweep needs {quoted(described(planner, value))}, and {budget} does not allow to keep it"
        span, why = span_of(planner, value), reason(planner, value, choice)
        if (title, span) not in diagnostics:
            diagnostics[title, span] = Diagnostic(title, span, "must be kept", (why, *notes), remedy(value))
    return list(diagnostics.values())


def too_large(
    planner: Planner, plan: Plan, needed: int, limit: int, states: Sequence[Checkpoints] = ()
) -> list[Diagnostic]:
    """What a WorkspaceError says when the leanest way takes `needed` bytes: every loop that is checkpointed then, and
    every value that the plan around those keeps."""
    diagnostics = []
    for loop in states:
        title = f"the reverse sweep needs at least {needed} bytes, and workspace={limit} allows {limit}"
        names = ", ".join(f"`{name}`" for name in loop.state) or "its number"
        words = (
            "only one state of this loop is kept then, and its iterations run again from there",
            f"a state ({names}) takes {loop.size} bytes; the one at the end and what one iteration keeps, {loop.rest}",
        )
        label = f"{loop.bytes} bytes of it"
        diagnostics.append(Diagnostic(title, loop.span, label, words, f"workspace={needed} will do"))
    for node, readers in sorted(kept(plan, planner).items(), key=lambda item: _order(planner, item[0])):
        choice = plan.choices[node]
        amount = planner.sizes.text(amount_of(planner, plan, node))
        title = f"the reverse sweep needs at least {in_bytes(needed)}, and workspace={limit} allows {limit}"
        notes = [reason(planner, node, choice), *_lines("needed by", _spans(readers))]
        notes += _kill_lines("overwritten by", kills_of(planner, node, choice))
        diagnostics.append(
            Diagnostic(
                title, span_of(planner, node), f"{amount} bytes of it", tuple(notes), f"workspace={needed} will do"
            )
        )
    return diagnostics
