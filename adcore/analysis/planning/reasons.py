"""Why a value is kept, in the user's words: its text, the lines that need it, the lines that destroy it and when."""

from __future__ import annotations

from collections.abc import Iterable

from adcore.analysis.planning.choices import Choice, Node
from adcore.analysis.planning.findings import TRIPS, Kill
from adcore.analysis.planning.plan import Plan, Planner
from adcore.ir.core import Instr, Value
from adcore.ir.types import Scalar
from adcore.source import Span


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


LONGEST_TEXT = 60
"""What is longer is cut in a sentence; the line and the caret show all of it."""


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


def spans_of(instrs: Iterable[Instr]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys(i.span for i in instrs if i.span is not None))


def reason(planner: Planner, value: Node, choice: Choice) -> str:
    """Why the value cannot (or should not) be computed again."""
    text = described(planner, value)
    if choice.why == "overwritten":
        assert isinstance(value, Value)
        load = planner.structure.definition[value]
        sure = any(certainly_killed(planner, load, s) for s in planner.killers(value))
        lines = ", ".join(dict.fromkeys(str(s.line) for s in spans_of(planner.killers(value))))
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


def aliasing_notes(planner: Planner, plan: Plan) -> tuple[str, ...]:
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
