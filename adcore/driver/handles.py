"""Compiled handles: one version of a function's derivative, called natively, bound to buffers, inspected, exported."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, BatchDuplicated, Const, Duplicated, Mode
from adcore.analysis.planning.explain import Explanation
from adcore.driver import inspection
from adcore.driver.export import export
from adcore.driver.inplace import AnnotatedCall, Buffer, differences
from adcore.driver.specialisations import Options, bind, entries
from adcore.driver.specialisations import imports as natives
from adcore.driver.vector_forward import prepared_call
from adcore.errors import ArgumentError
from adcore.lower.objects.certificate import Certificate
from adcore.runtime import linker as jit
from adcore.runtime import native_types as native
from adcore.runtime.arguments import refuse
from adcore.runtime.calls import bound_block, called_block
from adcore.signature import ArrayArg, ScalarArg


class Handle(native.NativeCallable):
    """A compiled derivative (or, in mode `Primal`, the compiled function itself).

    Call it with annotated arguments, as it was compiled, or with their plain values and shadows in a row:
    `g(ad.Duplicated(x, dx), ad.Const(k))` or `g(x, dx, k)`. The second form runs without any Python in between when
    the arguments are numbers and C-contiguous arrays. Numbers that the function takes from outside stay what they were
    when it was compiled; arrays from outside are looked up at each call.
    """

    def __init__(
        self, mode: Mode, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Options
    ) -> None:
        self._mode, self._function, self._options = mode, function, options
        self._call = prepared_call(mode, function, *bind(function, args, kwargs), options)
        self._last = self._call.frame
        self._relinked: list[Any] = []
        self.__name__ = self.__qualname__ = function.__name__
        self.__doc__ = function.__doc__
        if mode.sweep == "primal":
            self.__wrapped__ = function
        else:
            self.__adcore_derivative__ = "compiled derivative"
        self._order = self._flat_order()
        if native.supported() and self._order is not None:
            self._go_native(self._order)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._general(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self._mode!r} of {self.__qualname__}{', '.join(self._call.names).join('()')}>"

    def bind(self, *args: Any, **kwargs: Any) -> Bound:
        """A callable without arguments over these very buffers (default: those of the compilation).

        It checks at each call that they are where and how they were: a resized, reshaped or read-only array raises.
        """
        call = self._prepared(args, kwargs) if args or kwargs else self._again(self._call)
        return Bound(call)

    frame = bind

    # What is known about it

    @property
    def workspace_bytes(self) -> int | None:
        """Bytes kept for the reverse sweep at the shapes it was compiled for.

        Where only a run can tell (`while` loops), what the last call used; None before the first."""
        known = self._call.version.bytes(self._call.prepared.values)
        return known if known is not None or not self._last.ran else self.high_water

    @property
    def workspace_formula(self) -> str:
        """Those bytes as a formula in the user's names."""
        return self.explain().formula

    @property
    def high_water(self) -> int:
        """The most bytes that the last call kept for its reverse sweep at any moment; never more than
        `workspace_bytes`. Small fixed sizes are on the stack and not counted here."""
        return self._last.used

    def explain(self) -> Explanation:
        """What is kept, where, why, how many bytes, and what would avoid it."""
        return self._call.version.explain(self._call.prepared.values)

    @property
    def certificate(self) -> Certificate:
        """The proof that the object code cannot allocate, or the reasons why there is none."""
        return self._call.version.build.artifact.certificate

    def stage(self, name: str) -> str:
        """A stage of the pipeline as text; `adcore.driver.pipeline.STAGES` lists them."""
        return str(self.explain()) if name == "plan" else self._call.version.build.stage(name)

    @property
    def llvm_ir(self) -> str:
        """LLVM IR after optimisation."""
        return self.stage("optimised")

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return self.stage("assembly")

    @property
    def written(self) -> tuple[str, ...]:
        """The arguments (`x`, `p.mass`, `ms[]`) that the function itself writes into."""
        names = self._call.prepared.names
        return tuple(names[k] for k in sorted(self._call.prepared.primal.written))

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long each stage took."""
        return self._call.version.build.seconds

    # Other callers

    @property
    def address(self) -> int:
        """Address of the native entry `int32_t kernel(int64_t *frame)`."""
        return self._call.version.kernel.address

    @property
    def ctypes(self) -> Any:
        """The native entry as a ctypes function of a frame's address; it keeps the GIL, and the handle alive."""
        function: Any = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(self.address)
        function.handle = self
        return function

    def low_level_callable(self) -> Any:
        """`scipy.LowLevelCallable` of type `double (double, ...)` or `double (int, double *)`; see `driver.export`."""
        from adcore.driver.export import low_level_callable

        return low_level_callable(self._call, self)

    def export(self, directory: str | Path) -> tuple[Path, Path]:
        """Write an object file and a C header for it into `directory`; their paths."""
        return export(self._call, Path(directory))

    def relink(self, imports: Mapping[str, int]) -> int:
        """Load the very same object code once more, with `imports` (malloc, say) at the given addresses; its entry."""
        build = self._call.version.build
        loaded = jit.load(build.artifact.object_code, entries(build), {**natives(build), **imports})
        self._relinked.append(loaded)
        inspection.rows_of(build, self.__name__, self._call.prepared.primal.function.span, loaded)
        return int(loaded[build.lowered.name])

    @property
    def address_table(self) -> list[tuple[int, int, str, str, int, str]]:
        """First address, end, function, file, line and phase of the code, in every copy that was loaded.

        What an allocation report (or a debugger) needs to name the user's line."""
        build, span = self._call.version.build, self._call.prepared.primal.function.span
        copies = (self._call.version.kernel.code, *self._relinked)
        return [row for code in copies for row in inspection.rows_of(build, self.__name__, span, code)]

    # The two ways to call

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        call = self._prepared(args, kwargs)
        self._last = call.frame
        return call.run()

    def _prepared(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AnnotatedCall:
        annotated = self._annotated(args, kwargs)
        made = self._made(annotated)
        if made.kinds != self._call.kinds:
            refuse(f"{self.__qualname__} was compiled for other activities than those of this call")
        return made

    def _annotated(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The arguments of a call as annotations, whichever way they are given."""
        names, compiled = self._call.names, self._call.activities
        given: list[Any] = []
        rest = list(args)
        for name, activity in zip(names, compiled, strict=True):
            if name in kwargs:
                rest.insert(0, kwargs[name])
            if not rest:
                refuse(f"{self.__qualname__} is called without `{name}`", help=self._usage())
            value = rest.pop(0)
            if not isinstance(value, Activity) and isinstance(activity, (Duplicated, BatchDuplicated)):
                if not rest:
                    refuse(f"{self.__qualname__} is called without the shadow of `{name}`", help=self._usage())
                value = type(activity)(value, rest.pop(0))
            elif not isinstance(value, Activity) and isinstance(activity, Active):
                value = Active(value)
            given.append(_converted(value, activity))
        unknown = [name for name in kwargs if name not in names]
        if rest or unknown:
            what = f"an unknown argument `{unknown[0]}`" if unknown else f"{len(rest)} arguments too many"
            refuse(f"{self.__qualname__} is called with {what}", help=self._usage())
        return given

    def _usage(self) -> str:
        pairs = zip(self._call.names, self._call.activities, strict=True)
        shown = [f"{name}, d_{name}" if isinstance(a, (Duplicated, BatchDuplicated)) else name for name, a in pairs]
        return f"it was compiled for {self.__qualname__}({', '.join(shown)})"

    def _again(self, call: AnnotatedCall) -> AnnotatedCall:
        return self._made(call.activities)

    def _made(self, annotated: Sequence[Any]) -> AnnotatedCall:
        expected = self._call.prepared.base
        return prepared_call(self._mode, self._function, self._call.names, annotated, self._options, expected)

    def _flat_order(self) -> list[tuple[int, str, int | None]] | None:
        """For each plain argument the parameter it fills, its kind, and for a shadow its primal's parameter.

        None where the wrapper can't take them."""
        call = self._call
        plain = type(call) is AnnotatedCall and call.is_native
        if not plain or len(call.prepared.values) != len(call.signature.args):
            return None
        count = shadow = len(call.prepared.values)
        order: list[tuple[int, str, int | None]] = []
        for k, (arg, activity) in enumerate(zip(call.signature.args, call.activities, strict=True)):
            kind = _wrapper_kind(arg)
            if kind is None:
                return None
            order.append((k, kind, None))
            varied = call.kinds[k] != "const" and not (call.mode.sweep == "reverse" and call.kinds[k] == "active")
            if isinstance(activity, Duplicated):
                if not varied:
                    return None
                order.append((shadow, kind, k if kind == "array" else None))
            if varied:
                shadow += 1
        return order if count else None

    def _go_native(self, order: list[tuple[int, str, int | None]]) -> None:
        call = AnnotatedCall.__new__(AnnotatedCall)
        call.__dict__.update(self._call.__dict__)
        call.frame = call.version.kernel.frame(call.values)
        if any(group for group in call.version.build.request.aliases) or call.prepared.primal.signature.ones:
            return  # the wrapper looks at addresses, to tell that nothing overlaps, but not at shapes
        made = called_block(call.version.kernel, call.frame, order, call.returned, self._fallback(), call.finish)
        if made is not None:
            self._last = call.frame
            self._attach(*made)

    def _fallback(self) -> Callable[..., Any]:
        # A bound method would do on 3.11+; what 3.10's wrapper calls must be a plain function.
        import weakref

        own = weakref.ref(self)

        def fallback(*args: Any, **kwargs: Any) -> Any:
            handle = own()
            assert handle is not None
            return handle._general(*args, **kwargs)

        return fallback


_ALIKE: dict[type, tuple[type, ...]] = {
    float: (np.floating, int), int: (np.integer,), bool: (np.bool_,), np.float64: (float, int),
}  # fmt: skip


def _converted(given: Any, compiled: Activity) -> Any:
    """Numbers as the handle was compiled for: an element of an array is as good as a float."""
    value = given.value if isinstance(given, Activity) else given
    wanted = type(compiled.value)
    if not isinstance(value, _ALIKE.get(wanted, ())) or isinstance(value, bool):
        return given
    if not isinstance(given, Activity):
        return wanted(value)
    copied = copy.copy(given)
    copied.value = wanted(value)
    return copied


def _wrapper_kind(arg: Any) -> str | None:
    if isinstance(arg, ArrayArg):
        return "array" if arg.layout == "C" else None
    if isinstance(arg, ScalarArg):
        if arg.dtype == "f64":
            return "float"
        if arg.weak:
            return {"i64": "int", "bool": "bool"}.get(arg.dtype)
    return None


class Bound(native.NativeCallable):
    """A call over fixed buffers: `bound()` runs the kernel on them.

    `address` and `frame_address` let any native loop do the same: `int32_t (*)(int64_t *)` and its only argument.
    `buffers` lists every array that the call touches, so that a caller can restore what it changes.
    """

    def __init__(self, call: AnnotatedCall) -> None:
        self._call = call
        self.buffers: tuple[Buffer, ...] = call.buffers
        if native.supported() and call.is_native:
            function, block = bound_block(
                call.version.kernel, call.frame, call.values, call.returned, _rechecked(call), call.finish
            )
            self._attach(function, block)

    def __call__(self) -> Any:
        return _checked_run(self._call)

    @property
    def address(self) -> int:
        """Address of the native entry."""
        return self._call.version.kernel.address

    @property
    def frame_address(self) -> int:
        """Address of the frame that the entry is given."""
        return self._call.frame.address

    @property
    def high_water(self) -> int:
        """The most bytes that the last call kept for its reverse sweep at any moment."""
        return self._call.frame.used

    def finish(self) -> Any:
        """What the call returns, from the frame as the last native call left it."""
        self._call.write_back()
        return self._call.finish()

    def raise_fault(self, status: int) -> None:
        """Raise what a native call's status other than 0 means."""
        self._call.version.kernel.fail(status, self._call.frame)


def _rechecked(call: AnnotatedCall) -> Callable[..., Any]:
    def fallback(*args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            raise TypeError("a bound call takes no arguments: its buffers are fixed")
        return _checked_run(call)

    return fallback


def _checked_run(call: AnnotatedCall) -> Any:
    """Run `call` by the general path, after checking that its buffers are what they were when it was bound."""
    again = type(call)(
        call.mode, call.function, call.names, call.activities, call.prepared.primal.options, call.prepared.base
    )
    if again.signature != call.signature:
        raise ArgumentError(differences(call.signature, again.signature))
    if not _same_buffers(call, again):
        refuse("a bound array was resized, moved or reshaped since `bind`", help="bind once more")
    return again.run()


def _same_buffers(a: AnnotatedCall, b: AnnotatedCall) -> bool:
    def shapes(call: AnnotatedCall) -> list[Any]:
        arrays = [buffer.array for buffer in call.buffers]
        return [(array.shape, array.strides) for array in arrays]

    return shapes(a) == shapes(b)


__all__ = ["Bound", "Const", "Handle"]
