"""The plan in the user's terms: what is kept for the reverse sweep, where, why, how many bytes, what would avoid it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.analysis.planning.choices import Node
from adcore.analysis.planning.findings import (
    Checkpoints,
    Explanation,
    KeptAs,
    ReversedApart,
    Stored,
    in_bytes,
    kill_lines,
    labelled,
    quoted,
)
from adcore.analysis.planning.plan import Impossible, Plan, Planner
from adcore.analysis.planning.polynomial import Polynomial
from adcore.analysis.planning.reasons import aliasing_notes, described, kills_of, reason, span_of, spans_of
from adcore.analysis.planning.sizes import Unknown
from adcore.errors import Diagnostic
from adcore.ir.core import Instr, Value
from adcore.ir.types import Scalar
from adcore.source import Span

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
    notes = (*(note for loop in apart for note in loop.notes()), *aliasing_notes(planner, plan))
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
                todo += plan.choices[node].needs
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
        spans_of(readers),
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
        notes = labelled("needed by", spans_of(needing))
        notes += kill_lines("overwritten by", kills_of(planner, value, choice))
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
        notes = [reason(planner, node, choice), *labelled("needed by", spans_of(readers))]
        notes += kill_lines("overwritten by", kills_of(planner, node, choice))
        diagnostics.append(
            Diagnostic(
                title, span_of(planner, node), f"{amount} bytes of it", tuple(notes), f"workspace={needed} will do"
            )
        )
    return diagnostics
