"""What to store, recompute or undo for the reverse sweep: one minimum cut over the needed primal values.

Each needed value is stored (bytes x trips x price) or follows its rule: recomputed from its operands, loaded again,
reloaded from where a store of the program put it, or taken from the copy of the carried value that it becomes in the
next iteration. A load may be repeated once the reverse sweep has rolled back all later stores that can reach it: each
such store logs what it overwrites, one log for all loads that it serves. A rule implies its prerequisites; all
constraints are implications, so the cheapest plan is a minimum cut (a maximum-weight closure, Picard 1976). Under
`workspace=0` storing and logging are infinitely dear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeGuard

from adcore.analysis.activity import ActivityFacts
from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.planning.choices import Choice, Node, StoresBackwards, Why
from adcore.analysis.planning.kills import Kills
from adcore.analysis.planning.record import Needs, address
from adcore.analysis.planning.replay import slice_of
from adcore.analysis.planning.search import Solution, cheapest
from adcore.analysis.planning.sizes import Sizes, kept_width
from adcore.analysis.planning.temporaries import Fill, Temporaries
from adcore.analysis.structure import operands_first
from adcore.ir.core import Instr, Value
from adcore.ir.types import Scalar, is_float
from adcore.machine_model import MODEL
from adcore.ops import Table

EXACT_FLOAT = frozenset({"neg", "abs", "minimum", "maximum", "select", "attach"})
"""Operations on floats that never round."""


@dataclass(frozen=True, eq=False)
class Plan:
    """`stored` values (arrays of loops and branches among them) are kept; all other nodes in `choices` follow their
    rule. `undone` stores are rolled back in the reverse sweep: from the value that they overwrote and that is kept
    anyway (`old`), or, being `logged`, from their log. Their memory gets back what it held either store by store, or
    from a copy: `copied` are whole arrays as they are between the sweeps. `fills` say how arrays of loops and branches
    that are not kept are filled again."""

    stored: tuple[Value, ...]
    choices: dict[Node, Choice] = field(repr=False)
    needs: Needs = field(repr=False)
    cost: float = 0.0
    logged: tuple[Instr, ...] = ()
    undone: tuple[Instr, ...] = ()
    rows: tuple[Value, ...] = ()
    old: dict[Instr, Value] = field(default_factory=dict, repr=False)
    fills: Mapping[Value, Fill] = field(default_factory=dict, repr=False)
    demanded: frozenset[Node] = frozenset()
    copied: tuple[Value, ...] = ()
    kept: frozenset[Node] = field(default=frozenset(), repr=False)

    def refilled(self, root: Value) -> bool:
        """Whether the array `root` of a loop or branch is filled again."""
        return root in self.demanded and root not in self.stored


class Impossible(Exception):
    """No plan without storing; `chains` lead from a needed value to one that has no rule."""

    def __init__(self, chains: Sequence[Sequence[Node]], planner: Planner) -> None:
        super().__init__("values must be stored")
        self.chains, self.planner = chains, planner


class Planner:
    """The table of choices of one function, and the cut over it."""

    def __init__(
        self,
        dependence: Dependence,
        active: ActivityFacts,
        needs: Needs,
        ops: Table,
        apart: Collection[Instr] = (),
        strong: frozenset[Instr] = frozenset(),
    ) -> None:
        """`apart`: loops whose steps run again; their stores cannot be rolled back one by one. `strong`: instructions
        whose adjoints are strong products (`adcore.analysis.strong_zeros`)."""
        self.strong = strong
        self.dependence, self.active, self.needs, self.ops = dependence, active, needs, ops
        self.structure = dependence.structure
        self.function = self.structure.function  # what is known about it is kept for as long as the planner
        self.sizes = Sizes(self.structure, dependence.affine)
        instrs = self.structure.instructions()
        assert ops.bulk.isdisjoint(i.op for i in instrs), "bulk ops are expanded before anything is planned"
        self.stores = [i for i in instrs if i.op in ops.puts]
        self.aliases = dependence.aliases
        self.kills = Kills(dependence, self.stores, apart)
        self.temporaries = Temporaries(dependence, self.kills, self.sizes, ops, self.is_exact)
        self.options: dict[Node, tuple[Choice, ...]] = {}
        self._exact: dict[Value, bool] = {}
        todo: list[Node] = list(needs.values)
        passed: dict[StoresBackwards, int] = {}
        while todo:
            node = todo.pop()
            if node in self.options or (isinstance(node, Value) and self.is_free(node)):
                continue
            self.options[node] = self.ways(node) if isinstance(node, Value) else (self.undo(node),)
            for choice in self.options[node]:
                todo += choice.operands or ()
                todo += choice.later.unseen(self.options, passed) if choice.later else ()
        self.choices = {node: options[0] for node, options in self.options.items()}

    def is_free(self, value: Value) -> bool:
        """Constants, parameters and loop counters are at hand in the reverse sweep."""
        instr = self.structure.definition.get(value)
        if not isinstance(value.type, Scalar):
            return False
        if instr is not None:
            return instr.op == "const"
        owner = self.structure.owner[self.structure.home[value]]
        return owner is None or value is owner.regions[0].params[0] or value is owner.regions[-1].params[0]

    def is_lasting(self, value: Value) -> bool:
        """Whether `value` is an array that lives to the end."""
        return not isinstance(value.type, Scalar) and not self.temporaries.is_temporary(value)

    # Rules

    def ways(self, value: Value) -> tuple[Choice, ...]:
        """All rules for `value` that some plan may be cheapest with, the preferred one first. An array that lives to
        the end stands for its copy, others for all their instances."""
        if not isinstance(value.type, Scalar):
            if self.is_lasting(value):
                return (Choice(MODEL.byte_cost * self.sizes.guess(self.sizes.array(value)), why="log"),)
            instance = self.temporaries.choice(value)
            assert instance is not None, f"nothing may ask for {value!r}"
            return (instance,)
        home = self.structure.home[value]
        times = self.sizes.estimate(home)
        outside = self.structure.depth(home) == 0
        store = 0.0 if outside else (MODEL.byte_cost * kept_width(value.type) + MODEL.store_and_load) * times
        own = self.own(value, store, times)
        found: list[Choice] = []
        if self.structure.definition.get(value) is not None and own.why != "trip count":
            if (source := self.kept_by_program(value)) is not None:
                array = self.ops.array(source)
                root = self.dependence.root(array)
                made = (root,) if self.temporaries.is_temporary(root) else ()
                operands = (*self.ops.subscripts(source), *address(self.dependence, array), *made)
                found.append(Choice(store, 2.0 * times, operands=operands, source=source, why=own.why))
            if (shift := self.kills.shifts.get(value)) is not None and not outside:
                loop, k = shift
                carried = loop.regions[-1].params[k + 1], loop.results[k]
                found.append(Choice(store, 2.0 * times, operands=carried, shift=shift, why="carried"))
        if own.operands is not None or not found:
            found.append(own)
        return tuple(c for k, c in enumerate(found) if not any(self.dominates(o, c) for o in found[:k]))

    def dominates(self, one: Choice, other: Choice) -> bool:
        """Whether no plan is cheaper with `other` than with `one`."""
        asked = [self.asked(choice) for choice in (one, other)]
        fewer = asked[0] <= asked[1] and one.later in (None, other.later)
        return one.cost <= other.cost and one.scratch <= other.scratch and fewer

    def asked(self, choice: Choice) -> set[Node]:
        return {o for o in choice.operands or () if not (isinstance(o, Value) and self.is_free(o))}

    def own(self, value: Value, store: float, times: float) -> Choice:
        """The rule that follows from how the program makes `value`."""
        instr = self.structure.definition.get(value)
        if instr is None:
            return self.carried(value, store)
        if instr.op == "while" and value is instr.results[-1]:
            return Choice(store, why="trip count")
        if instr.regions:
            when = max(self.kills.need_position(r) for r in instr.results)
            return self.replayed(instr, value, store, when, 0.0, "loop result")
        if instr.op in self.ops.loads:
            return self.load(instr, store, times)
        if not is_float(value.type) and not self.is_exact(value):
            return Choice(store, why="decision")
        scalars: tuple[Node, ...] = tuple(v for v in instr.operands if isinstance(v.type, Scalar))
        arrays = [a for v in instr.operands if v not in scalars for a in address(self.dependence, v)]
        return Choice(store, self.ops[instr.op].cost * times, operands=(*scalars, *arrays), why="dearer")

    def carried(self, value: Value, store: float) -> Choice:
        """A carried value of an inner loop: that loop runs again before its reverse and puts its values down in a row,
        which every iteration of the outer loops uses anew."""
        loop = self.structure.owner[self.structure.home[value]]
        assert loop is not None
        inner = loop.op == "for" and self.structure.depth(self.structure.home[loop]) > 0
        if not inner or not self.structure.rectangular(self.structure.home[value]):
            return Choice(store, why="carried")
        # The row is written and read as often as a buffer would be, but it stays in the cache.
        row = MODEL.row_share * store
        return self.replayed(loop, value, store, self.structure.position[loop], row, "carried")

    def replayed(self, owner: Instr, value: Value, store: float, when: int, scratch: float, why: Why) -> Choice:
        """`value` by running `owner` again at position `when`, as far as it takes."""
        part = slice_of(self.dependence, owner, [value])
        if part is None or owner.op == "while" or self.structure.depth(self.structure.home[owner]) == 0:
            return Choice(store, why=why)
        memory: dict[Node, None] = {}
        for load in part.loads:
            found = self.memory_of(load, *self.kills.of_replay(load, owner, when))
            if found is None:
                return Choice(store, why=why)
            memory.update(dict.fromkeys(found))
        decisions = [i.operands[0] for i in (owner, *part.instrs) if i.op == "if"]
        if not all(self.is_exact(c) for c in decisions):
            return Choice(store, why=why)
        cost = sum(self.ops[i.op].cost * self.sizes.estimate(self.structure.home[i]) for i in part.instrs)
        return Choice(store, cost, scratch, (*part.outside, *memory), replay=owner, why=why)

    def load(self, instr: Instr, store: float, times: float) -> Choice:
        array = self.ops.array(instr)
        root = self.dependence.root(array)
        temporary = self.temporaries.is_temporary(root)
        if temporary and self.temporaries.choice(root) is None:
            return Choice(store, why="temporary")
        undone = None if instr in self.kills.overwriting else self.kills.to_undo(instr)
        if undone is None:
            return Choice(store, why="overwritten")
        near, later = undone
        memory: tuple[Node, ...] = (root,) if temporary else near
        operands: tuple[Node, ...] = (*self.ops.subscripts(instr), *address(self.dependence, array), *memory)
        why: Why = "overwritten" if near or later else "temporary" if temporary else "dearer"
        cost = self.ops[instr.op].cost * times
        return Choice(store, cost, operands=operands, later=None if temporary else later, why=why)

    def killers(self, loaded: Value) -> tuple[Instr, ...]:
        """The stores that may overwrite what the load of this value read, first those that no log can help with."""
        between, after = self.kills.of(self.structure.definition[loaded])
        return (*between, *after)

    def memory_of(self, load: Instr, between: Sequence[Instr], after: Sequence[Instr]) -> tuple[Node, ...] | None:
        """What makes the memory that `load` read be as it was, in spite of the stores `between` and `after`: those to
        roll back, and the array itself where it does not live to the end. None if nothing does."""
        root = self.dependence.root(self.ops.array(load))
        if between or not all(self.kills.can_be_undone(s) for s in after):
            return None
        if not self.temporaries.is_temporary(root):
            return tuple(after)
        return None if self.temporaries.choice(root) is None else (root,)

    def undo(self, store: Instr) -> Choice:
        """Rolling `store` back: its old value is a value that is kept anyway, or it is logged. Its place must be found
        again, and what it wrote be put back after the sweep."""
        rest: tuple[Node, ...] = ()
        old = self.kills.old.get(store)
        # Done again, it takes its value from where the old one was kept: that must be a place of its own.
        elsewhere = old is not None and any(choice.operands is not None for choice in self.ways(old))
        if elsewhere or not self.kills.can_be_done_again(store):
            place = (*self.ops.subscripts(store), *address(self.dependence, self.ops.array(store)))
            rest = (*place, *self.kills.controls(store), *self.kills.seen_afterwards(store))
        if old is not None:
            return Choice(inf, operands=(old, *rest), why="log")
        value, home = self.ops.stored(store), self.structure.home[store]
        assert isinstance(value.type, Scalar)
        # The log is written, read, and swapped back at the end. Outside of loops it is a value that stays in scope.
        if not self.structure.depth(home):
            return Choice(inf, operands=rest, why="log")
        unit = MODEL.byte_cost * kept_width(value.type) + 2 * MODEL.store_and_load
        return Choice(inf, scratch=unit * self.sizes.estimate(home), operands=rest, why="log")

    def kept_by_program(self, value: Value) -> Instr | None:
        """A store of `value` in its own region, that nothing overwrites later, to an array that lives to the end or can
        be had (where it is filled again, a float may come out rounded in another way; nothing else may)."""
        home = self.structure.home[value]
        for user in self.structure.users.get(value, ()):
            if user.op not in self.ops.stores or self.ops.stored(user) is not value:
                continue
            if self.structure.home[user] is not home:
                continue
            access = self.dependence.access(user)
            lives = not self.temporaries.is_temporary(access.root)
            had = is_float(value.type) and self.temporaries.choice(access.root) is not None
            found = (lives or had) and None not in access.subscripts and not self._addressed_by(value, user)
            if found and not any(self.dependence.overwrites(user, s) for s in self.kills.reaching(user)):
                return user
        return None

    def _addressed_by(self, value: Value, store: Instr) -> bool:
        """Whether the place that `store` writes to is computed from `value`: it could not be found without it."""
        array = self.ops.array(store)
        todo: list[Value] = [array, *self.ops.subscripts(store), *address(self.dependence, array)]
        seen: set[Value] = set()
        while todo:
            current = todo.pop()
            if current is value:
                return True
            instr = self.structure.definition.get(current)
            if current not in seen and instr is not None:
                seen.add(current)
                todo += [*instr.operands, *(y for region in instr.regions for y in region.yields)]
        return False

    def is_exact(self, value: Value) -> bool:
        """Whether recomputing gives the identical bits however the arithmetic is compiled: loads, integers, compares.

        A condition recomputed with other roundings could take the other branch.
        """
        if value not in self._exact:
            for current in operands_first(value, self._assumed_exact):
                instr = self.structure.definition.get(current)
                if instr is not None and instr.op in self.ops.loads:
                    self._exact[current] = self.temporaries.is_exact_load(instr)
                elif self._is_computed(instr):
                    inexact = is_float(current.type) and instr.op not in EXACT_FLOAT
                    self._exact[current] = not inexact and all(self._exact[v] for v in self._rounded(current))
        return self._exact[value]

    def _assumed_exact(self, value: Value) -> list[Value]:
        """Take `value` for exact, until it is found out, as what memory brings back to it may ask for it (and carried
        values and parameters are given, not computed). What it is computed from, and not known."""
        self._exact[value] = True
        return [v for v in self._rounded(value) if v not in self._exact]

    def _rounded(self, value: Value) -> Sequence[Value]:
        """The scalars that `value` is computed from, where their roundings count."""
        instr = self.structure.definition.get(value)
        if not self._is_computed(instr) or instr.op in self.ops.loads:
            return ()
        if is_float(value.type) and instr.op not in EXACT_FLOAT:
            return ()
        return [v for v in instr.operands if isinstance(v.type, Scalar)]

    @staticmethod
    def _is_computed(instr: Instr | None) -> TypeGuard[Instr]:
        return instr is not None and not instr.regions and instr.op not in ("const", "dim", "count")

    # The cut

    def plan(self, price: float = MODEL.byte_price) -> Plan:
        """The cheapest plan when a stored byte costs `price` (infinite: nothing inside loops may be stored).

        Raises Impossible if no finite plan exists."""
        found = self.search(price)
        if found.cost == inf:
            raise Impossible(self._chains(), self)
        return self.plan_keeping(found.kept, found.choices)

    def search(self, price: float, fixed: Mapping[Node, bool] | None = None, flips: bool = True) -> Solution:
        """The cheapest way to have everything that is needed; see `search.cheapest`."""
        return cheapest(self.options, self.needs.values, price, fixed, flips)

    def plan_keeping(self, kept: frozenset[Node], choices: dict[Node, Choice] | None = None) -> Plan:
        """The plan that stores (or logs) the nodes `kept`, as far as they are demanded, and follows the rules of all
        others: those in `choices`, or else the preferred ones."""
        choices = self.choices if choices is None else choices
        demanded: dict[Node, None] = {}
        passed: dict[StoresBackwards, int] = {}
        todo: list[Node] = [v for v in self.needs.values if v in choices]
        cost = 0.0
        while todo:
            node = todo.pop()
            if node in demanded or node not in choices:
                continue
            demanded[node] = None
            choice = choices[node]
            if node in kept:
                cost += choice.store
            else:
                assert choice.operands is not None, f"{node!r} has no rule"
                cost += choice.cost + choice.scratch
                todo += choice.operands
                todo += choice.later.unseen(demanded, passed) if choice.later else ()
        stores = [n for n in demanded if isinstance(n, Instr)]
        copied = tuple(n for n in demanded if isinstance(n, Value) and self.is_lasting(n))
        return Plan(
            stored=tuple(n for n in demanded if n in kept and isinstance(n, Value) and n not in copied),
            choices=choices,
            needs=self.needs,
            cost=cost,
            logged=tuple(s for s in stores if s not in self.kills.old),
            undone=tuple(stores),
            rows=tuple(n for n in demanded if isinstance(n, Value) and n not in kept and choices[n].scratch),
            old=self.kills.old,
            fills=self.temporaries.fills,
            demanded=frozenset(demanded),
            kept=kept & demanded.keys(),
            copied=copied,
        )

    def _chains(self) -> list[list[Node]]:
        """From each needed value that cannot be had without storing, the way to a value without a rule."""
        chains = []
        for value in self.needs.values:
            chain = self._blocked(value, frozenset())
            if chain:
                chains.append(chain)
        return chains

    def _blocked(self, value: Node, seen: frozenset[Node]) -> list[Node]:
        choice = self.choices.get(value)
        if choice is None or choice.store == 0 or value in seen:
            return []
        copies = any(isinstance(o, Value) and self.is_lasting(o) for o in choice.operands or ())
        if choice.operands is None or choice.scratch or copies:
            return [value]
        for operand in choice.needs:
            if chain := self._blocked(operand, seen | {value}):
                return [value, *chain]
        return []


def held(plan: Plan, node: Node) -> float:
    """What the plan pays for the bytes that it keeps of `node`."""
    choice = plan.choices[node]
    return choice.store if node in plan.kept else choice.scratch
