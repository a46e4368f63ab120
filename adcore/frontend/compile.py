"""From a Python function and the kinds of its arguments to IR."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from adcore.errors import AdcoreError, CompileError, Diagnostic, LengthsNeeded, ObjectsNeeded
from adcore.fault import fault
from adcore.frontend.custom_derivatives import Rule, find
from adcore.frontend.objects.methods import call_abstract, call_special
from adcore.frontend.objects.results import ResultTrees
from adcore.frontend.objects.slots import parameter
from adcore.frontend.program import Program
from adcore.frontend.python.calls import apply, defaults_of, run_body
from adcore.frontend.python.custom_calls import call_custom
from adcore.frontend.python.syntax import evaluate, execute, perform
from adcore.frontend.reader import FunctionSource, read, refuse
from adcore.frontend.session import Session, State, Syntax, open_scope
from adcore.frontend.speculation import Speculation
from adcore.frontend.values.abstract import (
    Abstract,
    Items,
)
from adcore.frontend.values.containers.dicts import new_dict
from adcore.frontend.values.containers.sequences import from_leaves
from adcore.instances import is_dataclass_type
from adcore.ir.builder import OpTable
from adcore.ir.core import Function, Module, Value
from adcore.ir.types import ListType
from adcore.ops import TABLE
from adcore.signature import (
    ArgType,
    AttributeUpdate,
    LiveAttributes,
    ObjectArg,
    RecordArg,
    ScalarArg,
    Signature,
    StaticArg,
    classes_of,
)


def compile_function(
    function: Callable[..., Any],
    signature: Signature,
    ops: OpTable = TABLE,
    own_rule: bool = False,
    live: LiveAttributes | None = None,
) -> Program:
    """Compile `function` for arguments of the kinds in `signature`; CompileError holds everything that is wrong.

    Of objects, what the program reads beyond what the signature has is asked from `live`.

    A function that has a rule becomes a call of itself, unless its own body is asked for (`own_rule`).
    """
    source = read(function)
    rule = None if own_rule else find(function)
    speculation = Speculation(objects=_objects_among(signature, live))
    while True:
        speculation.renew()
        _describe_anew(speculation, signature, live)
        try:
            program = _Compilation(source, signature, ops, speculation, rule, live).program()
        except Exception:
            # What was assumed wrongly explains it, if anything was.
            if not speculation.failed:
                raise
        if not speculation.failed:
            return program


def _objects_among(signature: Signature, live: LiveAttributes | None) -> set[type]:
    """The dataclasses whose instances are objects in this call."""
    found = {cls for arg in signature.args for cls in classes_of(arg, ObjectArg) if is_dataclass_type(cls)}
    return found if live is None else found | live.classes


def _describe_anew(speculation: Speculation, signature: Signature, live: LiveAttributes | None) -> None:
    """Raise ObjectsNeeded where instances of dataclasses were described as values."""
    records = {cls for arg in signature.args for cls in classes_of(arg, RecordArg)}
    if records & speculation.objects or (live is not None and not speculation.objects <= live.classes):
        raise ObjectsNeeded(frozenset(speculation.objects))


def _own_body(function: Callable[..., Any], signature: Signature) -> Program:
    """A function that a custom derivative is made of."""
    return compile_function(function, signature, own_rule=True)


class _Compilation:
    """One compilation, given what earlier ones found out."""

    def __init__(
        self,
        source: FunctionSource,
        signature: Signature,
        ops: OpTable,
        speculation: Speculation,
        rule: Rule | None,
        live: LiveAttributes | None,
    ) -> None:
        self.source, self.signature, self.rule = source, signature, rule
        syntax = Syntax(evaluate, execute, perform, _own_body, apply, call_abstract, call_special)
        self.session = Session(ops, syntax, speculation, live)
        self.scope = open_scope(self.session, source, source.node, State(), None)
        self.span = source.span(source.node)

    def program(self) -> Program:
        self._bind()
        self.session.active.append(self.source.function.__code__)
        self.session.known.append((self.source.function.__code__, ()))
        self.session.open_calls.append(self.scope)
        try:
            result = run_body(self.scope) if self.rule is None else self._custom(self.rule)
            tree, updates, leaves = self._results(result)
        except (AdcoreError, RecursionError):
            raise
        except Exception as error:
            if self.session.diagnostics:
                # What was reported explains it: a refused construct left something behind that nothing expected.
                raise CompileError(sorted(self.session.diagnostics, key=_position)) from error
            where = self.session.builder.span or self.span
            raise fault(self.source.function, str(self.signature), where, error) from error
        if self.session.diagnostics:
            found = sorted(self.session.diagnostics, key=_position)
            wanted = self.session.wanted & {(path, axis) for path, axis in self._measurable()}
            raise LengthsNeeded(found, frozenset(wanted)) if wanted else CompileError(found)
        signature, values = self._refined()
        parameters = [*values, *self.session.captures.parameters.values()]
        region = self.session.builder.finish(parameters, leaves)
        module = Module(Function(self.source.name, region, self.span))
        number = {value: k for k, value in enumerate(values)}
        compared = frozenset((number[a], axis) for a, axis in self.session.compared if a in number)
        captures = self.session.captures.in_order()
        return Program(
            module, captures, tree, self.source.name, self.span, self.source.file, signature, compared, updates
        )

    def _measurable(self) -> Iterator[tuple[str, int]]:
        """The lengths of arguments that a caller can look at before anything is compiled."""
        for leaf in self.signature.leaves():
            rank = 1 if isinstance(leaf.type, ListType) else getattr(leaf.type, "rank", 0)
            yield from ((leaf.path, axis) for axis in range(rank))

    def _refined(self) -> tuple[Signature, list[Value]]:
        """The signature with all attributes of objects that were read, and the parameters for its leaves."""
        instances = self.session.instances
        refined = replace(self.signature, args=tuple(map(instances.refined, self.signature.args)))
        assert refined == self.signature or not (refined.aliases or refined.ones), "leaves are numbered anew"
        return refined, [instances.parameters[leaf.path][1] for leaf in refined.leaves()]

    def _bind(self) -> None:
        """Parameters of the function: what the signature gives, defaults for the rest."""
        a = self.source.node.args
        own = [arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
        if a.kwarg is None:
            unknown = [name for name in self.signature.names if name not in own and "[" not in name]
            if unknown:
                raise refuse(f"{self.source.name} has no parameter `{unknown[0]}`", span=self.span)
        leaves = self.signature.leaves()
        given = [parameter(self.scope, leaf) for leaf in leaves]
        values = [value for value, _, _ in given]
        for group, members in enumerate(self.signature.aliases):
            for member in members:
                self.session.groups[values[member]] = group
        self.session.known_lengths = {(path, axis): n for path, axis, n in self.signature.lengths}
        self.session.ones.update((values[leaf], axis) for leaf, axis in self.signature.ones)
        iterable = iter(given)
        bound: dict[str, Abstract] = {}
        with self.scope.at(self.source.node):
            for name, arg in zip(self.signature.names, self.signature.args, strict=True):
                bound[name] = from_leaves(self.scope, arg, iterable)
                if not isinstance(arg, (ScalarArg, StaticArg, ObjectArg)):
                    self.session.instances.note(bound[name], name)
            bound = self._collected(bound)
            for name, default in defaults_of(self.scope, self.source.node, self.source.function).items():
                if name not in bound:
                    bound[name] = default()
        self.scope.state.locals.update(bound)
        missing = [name for name in own if name not in self.scope.state.locals]
        if missing:
            raise refuse(f"{self.source.name} is called without `{missing[0]}`", span=self.span)

    def _collected(self, bound: dict[str, Abstract]) -> dict[str, Abstract]:
        """The arguments of parameters; what has none goes into those with stars."""
        a = self.source.node.args
        named = {arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs)}
        found = {name: value for name, value in bound.items() if name in named}
        if a.vararg is not None:
            # Named `rest[0]`, `rest[1]` and so on, in order.
            own = f"{a.vararg.arg}["
            found[a.vararg.arg] = Items(tuple(value for name, value in bound.items() if name.startswith(own)))
        if a.kwarg is not None:
            options = {k: value for k, value in bound.items() if k not in named and "[" not in k}
            found[a.kwarg.arg] = new_dict(self.scope, options)
        return found

    def _custom(self, rule: Rule) -> Abstract:
        return call_custom(self.scope, self.source.node, rule, (), dict(self.scope.state.locals))

    def _results(self, value: Abstract) -> tuple[ArgType, tuple[AttributeUpdate, ...], list[Value]]:
        node = self.source.node
        trees = ResultTrees(self.scope, node.body if isinstance(node, ast.Lambda) else node.body[-1])
        return trees.tree(value), trees.updates(), trees.leaves


def _position(found: Diagnostic) -> tuple[str, int, int]:
    return (found.span.file, found.span.line, found.span.column) if found.span else ("", 0, 0)
