"""Compiling a function for one signature, or finding what an earlier process compiled.

Either way the caller gets an `Interface` and, for each differentiation, a `Specialisation`. The stages are imported
where something is compiled, not before: what is found in the cache needs none of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from adcore.driver.interface import Interface
from adcore.driver.linking import link
from adcore.driver.request import Options, Request, Variant, standard_ops
from adcore.driver.shared import COMPILING
from adcore.driver.warm_start import Door, door_of
from adcore.runtime.calls import Kernel
from adcore.runtime.loading.native_code import NativeCode
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import LeafValue
from adcore.signature import LiveAttributes, Signature

if TYPE_CHECKING:
    from adcore.analysis.planning.findings import Explanation
    from adcore.driver.pipeline import Build
    from adcore.transform.diff.reverse import Derivative


class Specialisation:
    """Compiled code for some sweeps; how it came about is compiled again where it was found and somebody asks."""

    def __init__(self, origin: Compilation, variant: Variant) -> None:
        self._origin, self.variant = origin, variant
        self._key = variant, origin.options.fastmath
        self.code = self._found() or self._made()
        self.kernel: Kernel = link(self.code, origin.python.__name__)

    def _found(self) -> NativeCode | None:
        return self._origin.door.code(self._key) if self._origin.door else None

    def _made(self) -> NativeCode:
        from adcore.driver.outcome import native_code

        code = native_code(self.build)
        if self._origin.door:
            self._origin.door.keep_code(self._key, code)
        return code

    @property
    def build(self) -> Build:
        """What every stage made."""
        with COMPILING:
            return self._build

    @functools.cached_property
    def _build(self) -> Build:
        from adcore.driver.pipeline import compile_request

        return compile_request(self._origin.request(self.variant), self._origin.build)

    def explain(self, values: Sequence[LeafValue] | None) -> Explanation:
        """What is kept for the reverse sweep, in bytes for the primal leaf `values`."""
        from adcore.analysis.planning.findings import Explanation
        from adcore.driver.pipeline import DERIVED, SIMPLIFIED

        explained = self.build.product(DERIVED).explain(values)
        if explained is None:
            function = self.build.product(SIMPLIFIED)
            return Explanation(function.name, function.span, (), "0", 0)
        return explained

    def bytes(self, values: Sequence[LeafValue] | None) -> int | None:
        """What is kept for the reverse sweep, for the primal leaf `values`; None where only a run can tell."""
        size: int | None = self._fact("bytes", values, lambda derivative: derivative.bytes(values))
        return size

    def formula(self) -> str:
        """Those bytes in the user's names."""
        return str(self._fact("formula", None, lambda derivative: derivative.formula()))

    def _fact(
        self, what: str, values: Sequence[LeafValue] | None, told: Callable[[Derivative], str | int | None]
    ) -> Any:
        """What a plan says, from the plan if it is there, or as it was told to an earlier process."""
        door, key = self._origin.door, self._key
        known = door.fact(what, key, values) if door and "_build" not in self.__dict__ else None
        if known is not None:
            return known[0]
        from adcore.driver.pipeline import DERIVED

        found = told(self.build.product(DERIVED))
        if door:
            door.keep_fact(what, key, values, found)
        return found


class Compilation:
    """A function for one signature as the compiler's input; `door`: to the cache, if it can be recognised there.

    `live` are the objects of a call; once compiled, `signature` has all attributes of theirs that the program reads."""

    def __init__(
        self,
        python: Callable[..., Any],
        signature: Signature,
        options: Options,
        live: LiveAttributes | None = None,
    ) -> None:
        self.python, self.signature, self.options, self._live = python, signature, options, live
        self.door: Door | None = door_of(python, signature, options)
        self._was_found = False

    def interface(self) -> Interface:
        """What calls have to know of the function. Raises CompileError."""
        found = self.door.interface() if self.door else None
        self._was_found = found is not None
        if found is None:
            from adcore.driver import outcome
            from adcore.driver.pipeline import PROGRAM

            found = outcome.interface(self.build)
            self.signature = self.build.product(PROGRAM).signature
            # A later build knows all that is read; the user's objects are not kept alive.
            self._live = None
            if self.door:
                self.door.keep_interface(found)
        return found

    @property
    def build(self) -> Build:
        """What the stages before differentiation make."""
        with COMPILING:
            return self._build

    @functools.cached_property
    def _build(self) -> Build:
        from adcore.driver.pipeline import SIMPLIFIED, compile_request

        if self._was_found and self.door and not self.door.is_current:
            # A handle keeps what the function took from outside; of code that was found, only Python has that.
            refuse(f"what {self.python.__name__} reads from outside has changed since", help="compile again")
        return compile_request(self.request(Variant()), until=SIMPLIFIED)

    def request(self, wanted: Variant) -> Request:
        """What the compiler is asked for."""
        options = self.options
        return Request(
            self.python,
            self.signature,
            wanted.sweeps,
            wanted.aliases,
            wanted.limit,
            wanted.values,
            wanted.heap,
            options.fastmath,
            options.boundscheck,
            options.ops or standard_ops(),
            wanted.part,
            self._live,
        )


__all__ = ["Compilation", "Specialisation"]
