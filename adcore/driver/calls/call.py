"""One call: a function at arguments, seen by its compiled form.

Parameters and results of a derivative stand in a fixed order, which is known here and nowhere else:

    reverse   primal leaves | shadows of "duplicated" leaves | a seed per differentiated result
              primal results | adjoints of "active" leaves
    forward   primal leaves | the tangents (one per lane) of each leaf that is not "const"
              primal results | the tangents (one per lane) of each result that has any
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from adcore.abi.faults import AssignedBefore
from adcore.driver.calls.mismatch import differences
from adcore.driver.calls.targets import target_of
from adcore.driver.request import Groups, Options, Sweep
from adcore.driver.specialisations import (
    PrimalSpecialisation,
    Specialisation,
    is_differentiable,
    measured,
    primal_for,
    primal_of,
)
from adcore.errors import ArgumentError, ObjectsNeeded
from adcore.ir.types import ListType, Scalar, Type
from adcore.runtime.alias_guard import alias_groups, detach, mirror
from adcore.runtime.values.arguments import described_call, refuse
from adcore.runtime.values.leaves import LeafValue, flatten
from adcore.runtime.values.results import CallResults
from adcore.runtime.values.structures import parts, reached
from adcore.signature import Signature, leaves


class Call:
    """`function` at `arguments`, which of them are differentiated, and the code for any sweeps there.

    `values` has one entry per leaf of the primal, `groups` are those of them that share memory that is written, `kinds`
    says how each is differentiated: "active" (a number), "duplicated" (arrays, with a shadow) or "const". `spans` are
    the leaves of each argument. `base` is the primal for arguments that are disjoint.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        names: Sequence[str],
        arguments: Sequence[Any],
        options: Options,
        chosen: Sequence[int] | None = None,
        weaken: Callable[[Signature], Signature] = lambda signature: signature,
        expected: PrimalSpecialisation | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        """`chosen`: numbers of the arguments by which derivatives are taken; None for a call without derivatives.
        `inside`: paths of what is meant of them, by default all of each. `weaken` makes the signature fit more
        than the arguments.

        `expected` is used as it is, with what it took from outside when it was compiled; ArgumentError where this call
        does not fit it.
        """
        self.function, self.names, self.arguments = function, names, arguments
        self.chosen = tuple(chosen or ())
        self._describe(options, weaken, expected)
        self.primal = self.base
        self.flattened = flatten(self.signature.args, arguments)
        self.values: list[LeafValue] = [*self.flattened.values, *self.primal.captured()]
        self.groups: Groups = self.primal.relevant(alias_groups(self.values), self.primal.written)
        self._settle(options)
        self.spans = _spans(self.signature)
        self.parts = parts(self.signature)
        paths = inside or [names[k] for k in self.chosen]
        self.targets = [target_of(path, names, arguments, self.parts, self.live) for path in paths]
        self.kinds = self._kinds() if chosen is not None else ("const",) * len(self.primal.leaves)

    def _describe(
        self, options: Options, weaken: Callable[[Signature], Signature], expected: PrimalSpecialisation | None
    ) -> None:
        """The kinds of the arguments, and the primal for them where they share no memory."""
        if expected is not None:
            try:
                described, self.live = described_call(self.names, self.arguments, expected.signature)
            except ObjectsNeeded as needed:
                shared = ", ".join(cls.__name__ for cls in needed.classes)
                refuse(f"one instance of {shared} stands at two places in this call, unlike when it was compiled",
                       help="compile once more for arguments of this kind")  # fmt: skip
            wanted = [(path, axis) for path, axis, _ in expected.signature.lengths]
            self.signature = weaken(measured(described, self.arguments, wanted))
            if self.signature != expected.signature:
                raise ArgumentError(differences(expected.signature, self.signature))
            self.base = expected
            return
        self.base, self.live = primal_for(self.function, self.names, self.arguments, options, weaken)
        self.signature = self.base.signature

    def _settle(self, options: Options) -> None:
        """The primal for how these arguments lie in memory: what it writes, and what stretches, is known only now."""
        signature = self.signature
        if self.groups:
            # With overlapping arguments its statements may mean something else.
            count = len(self.flattened.values)
            own = tuple(tuple(k for k in group if k < count) for group in self.groups)
            signature = replace(signature, aliases=tuple(group for group in own if group))
            self.primal = primal_of(self.function, signature, options)
        while (ones := self.primal.stretched(self.values)) > set(self.primal.signature.ones):
            self.primal = primal_of(self.function, replace(signature, ones=tuple(sorted(ones))), options)

    def _kinds(self) -> tuple[str, ...]:
        wanted = {k for target in self.targets if target.path for k in reached(self.parts, target.path)}
        kinds = []
        for k, leaf in enumerate(self.primal.leaves):
            # Lists of arrays that the function uses for scratch need shadows from outside, and what shares memory with
            # something written shares its derivative, whoever asks for it. Any other array gets its own inside.
            scratch = isinstance(leaf.type, ListType) and k in self.primal.written
            shared = any(k in group for group in self.groups)
            if not is_differentiable(leaf.type) or not (k in wanted or scratch or shared):
                kinds.append("const")
            else:
                kinds.append("active" if isinstance(leaf.type, Scalar) else "duplicated")
        return tuple(kinds)

    @property
    def paths(self) -> list[str]:
        """A name per leaf: `x`, `p.mass`, `ms[]`."""
        return [leaf.path for leaf in self.primal.leaves]

    @property
    def result_types(self) -> tuple[Type, ...]:
        return self.primal.result_types

    @property
    def returned_types(self) -> tuple[Type, ...]:
        """The types of what the function returns, without attributes that it assigns."""
        return self.primal.returned_types

    def returned(self, results: Sequence[Any], assign: bool = False) -> Any:
        """What the function returns, from the results of its IR; `assign`: with the attributes that it assigns."""
        made = CallResults(self.live, self.primal.leaves, self.values)
        leaf = iter(results)
        value = made.rebuilt(self.primal.interface.result, leaf)
        if assign:
            made.assign(self.primal.interface.updates, leaf)
        return value

    def assign_before(self, assigned: AssignedBefore, numbers: Sequence[Any]) -> None:
        """The attributes that the function had assigned when it raised."""
        CallResults(self.live, self.primal.leaves, self.values).assign_before(assigned, numbers)

    @property
    def varied(self) -> list[int]:
        """The leaves that are differentiated."""
        return [k for k, kind in enumerate(self.kinds) if kind != "const"]

    @property
    def duplicated(self) -> list[int]:
        """The leaves that have a shadow."""
        return [k for k, kind in enumerate(self.kinds) if kind == "duplicated"]

    # Buffers beside the arguments

    def copies(self) -> list[LeafValue]:
        """The primal leaves, with copies of what the function writes into."""
        return detach(self.values, self.primal.written, self.groups)

    def shadows(self) -> list[LeafValue | None]:
        """Fresh zeros for the leaves that have a shadow, sharing memory as the leaves do."""
        return mirror(self.values, frozenset(self.duplicated), self.groups)

    # Sweeps

    def reverse(self, seeds: Sequence[bool], overwritten: Sequence[int] = ()) -> Sweep:
        """The reverse sweep from the results that have a seed, into shadows of which some are `overwritten`."""
        return Sweep("reverse", self.kinds, tuple(seeds), self.groups, overwritten=tuple(overwritten))

    def forward(self, lanes: int = 1) -> Sweep:
        """The forward sweep along that many directions at once."""
        return Sweep("forward", self.kinds, (), self.groups, lanes)

    def specialised(
        self, sweeps: tuple[Sweep, ...], given: Sequence[LeafValue], written: Collection[int] | None = None
    ) -> Specialisation:
        """Code for these sweeps over `given`, one value per parameter of it. `written`: those behind the primal's that
        it writes into (default: all)."""
        behind = range(len(self.values), len(given)) if written is None else written
        aliases = self.primal.relevant(alias_groups(given), self.primal.written | frozenset(behind))
        return self.primal.specialisation(sweeps, aliases, self.values)

    # Results of sweeps

    def tangents(self, results: Sequence[Any], lane: int = 0, lanes: int = 1) -> list[Any]:
        """One tangent per result of the primal, None for what has no derivative, from the results of forward mode."""
        given = iter(results[len(self.result_types) + lane :: lanes])
        # Forward mode gives none for integers, and one that means nothing for arrays of them.
        listed = [next(given) if has_tangent(t) else None for t in self.result_types]
        return [value if is_differentiable(t) else None for t, value in zip(self.result_types, listed, strict=True)]

    def adjoint_result(self, leaf: int) -> int:
        """The result of reverse mode that is the adjoint of an active leaf."""
        return len(self.result_types) + self.kinds[:leaf].count("active")


def has_tangent(type_: Type) -> bool:
    """Whether forward mode gives a tangent for a result of this type."""
    return not isinstance(type_, Scalar) or is_differentiable(type_)


def _spans(described: Signature) -> list[range]:
    spans: list[range] = []
    start = 0
    for name, arg in zip(described.names, described.args, strict=True):
        spans.append(range(start, start := start + len(list(leaves(arg, name)))))
    return spans


__all__ = ["Call", "has_tangent"]
