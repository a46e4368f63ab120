"""Compiled handles: one specialisation of a derivative, called natively, bound to buffers, inspected, exported."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adcore.abi.certificate import Certificate
from adcore.activities import Activity, Mode
from adcore.driver import inspection
from adcore.driver.calls.annotated import annotated_run
from adcore.driver.calls.binding import bind, called, omitted
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.derivatives.mapping import mapped
from adcore.driver.handles.bound import Bound
from adcore.driver.handles.given import Order, annotated, annotations_of, native_order
from adcore.driver.leaf_kernel import MISSED
from adcore.driver.request import Options
from adcore.runtime import native_types as native
from adcore.runtime.calls import called_block
from adcore.runtime.values.arguments import refuse

if TYPE_CHECKING:
    from adcore.analysis.planning.findings import Explanation
    from adcore.driver.handles.object_calls import ObjectCalls
    from adcore.driver.pipeline import Build


class Handle(native.NativeCallable):
    """A compiled derivative (or, in mode `Primal`, the compiled function itself).

    Call it with annotated arguments, as it was compiled, or with their plain values and shadows in a row:
    `g(ad.Duplicated(x, dx), ad.Const(k))` or `g(x, dx, k)`. The second form runs without any Python in between when
    the arguments are numbers and C-contiguous arrays. Numbers that the function takes from outside, and the defaults of
    parameters that were not given, stay what they were when it was compiled; arrays from outside are looked up at each
    call.
    """

    _flat = False

    def __init__(
        self, mode: Mode, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Options
    ) -> None:
        own = kwargs.keys()
        function, args, kwargs, taken = called(function, args, kwargs)
        self._mode, self._function, self._options, self._given = mode, function, options, args[:taken]
        self._run = annotated_run(mode, function, *bind(function, args, kwargs), options)
        # What a partial holds by name, a call of the handle leaves out as well.
        self._omitted = omitted(function, args, kwargs) | (kwargs.keys() - own)
        self._last = self._run.frame
        self._relinked: list[Any] = []
        self._looked = False
        self._like_before: ObjectCalls | None = None
        self.__name__ = self.__qualname__ = function.__name__
        self.__doc__ = function.__doc__
        if mode.sweep == "primal":
            self.__wrapped__ = function
        else:
            self.__adcore_derivative__ = "compiled derivative"
        order = native_order(self._run, self._omitted, self._flat)
        if native.supported() and order is not None:
            self._go_native(order)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._general(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self._mode!r} of {self.__qualname__}{', '.join(self._run.call.names).join('()')}>"

    def bind(self, *args: Any, **kwargs: Any) -> Bound:
        """A callable without arguments over these very buffers (default: those of the compilation).

        It checks at each call that they are where and how they were: a resized, reshaped or read-only array raises.
        """
        return Bound(self._prepared(args, kwargs) if args or kwargs else self._run.again(self._run.activities))

    frame = bind

    def map(self, batch: Iterable[Any], *, threads: int = 1) -> list[Any]:
        """What calls with each item of a batch return, in their order.

        An item is a tuple of the arguments of one call, as the handle takes them, or its only argument. `threads` of
        them share the work: kernels that take longer than some 20 microseconds run at the same time, each call with a
        workspace of its own. The first exception, in the order of the batch, ends it: calls after it may have been
        made. It has a note and an attribute `batch_index` that say which item it was.

        Raises ArgumentError for fewer than one thread, and what a call raises."""
        return mapped(self, batch, threads=threads)

    # What is known about it

    @property
    def workspace_bytes(self) -> int | None:
        """Bytes kept for the reverse sweep at the shapes it was compiled for.

        Where only a run can tell (`while` loops), what the last call used; None before the first."""
        known = self._run.specialisation.bytes(self._run.call.values)
        return known if known is not None or not self._last.ran else self.high_water

    @property
    def workspace_formula(self) -> str:
        """Those bytes as a formula in the user's names."""
        return self._run.specialisation.formula()

    @property
    def high_water(self) -> int:
        """The most bytes that the last call kept for its reverse sweep at any moment.

        Never more than `workspace_bytes` where that call's shapes were those of the compilation, and its arrays shared
        no memory that those didn't share. Small fixed sizes are on the stack and not counted here."""
        return self._last.used

    def explain(self) -> Explanation:
        """What is kept, where, why, how many bytes, and what would avoid it."""
        return self._run.explain()

    @property
    def certificate(self) -> Certificate:
        """The proof that the object code cannot allocate, or the reasons why there is none."""
        return self._run.specialisation.code.certificate

    def stage(self, name: str) -> str:
        """A stage of the pipeline as text; `adcore.driver.pipeline.STAGES` lists them."""
        return str(self.explain()) if name == "plan" else self._build.stage(name)

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
        call = self._run.call
        return tuple(call.paths[k] for k in sorted(call.primal.written))

    @property
    def function(self) -> Callable[..., Any]:
        """The Python function that it was compiled from."""
        return self._function

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long each stage took."""
        return self._build.seconds

    # Other callers

    @property
    def address(self) -> int:
        """Address of the native entry `int32_t kernel(int64_t *frame)`."""
        return self._run.specialisation.kernel.address

    @property
    def ctypes(self) -> Any:
        """The native entry as a ctypes function of a frame's address; it keeps the GIL, and the handle alive."""
        function: Any = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(self.address)
        function.handle = self
        return function

    def low_level_callable(self) -> Any:
        """`scipy.LowLevelCallable` of a function of floats, its derivative or its tangent; a fault gives NaN.

        Its type is `double (double)`, or `double (int, double *)` for two or more arguments. A reverse handle needs one
        Active argument; a forward handle keeps the tangents of the compilation.

        Raises `ArgumentError` where an argument is no float or there is more than one number to return."""
        from adcore.driver.handles.export import low_level_callable

        return low_level_callable(self._run, self)

    def export(self, directory: str | Path, cpu: str = "native") -> tuple[Path, Path]:
        """Write an object file and a C header for it into `directory`; their paths.

        Beside them a file for pkg-config and, where a C compiler is found, a shared library. `cpu`: "native" (this
        machine), or a level such as "x86-64-v3" that all machines which run it must have; the header says which it is
        and has a function `NAME_runs_here()` that asks. Raises ArgumentError for another name."""
        from adcore.driver.handles.export import export

        return export(self._run, Path(directory), cpu)

    def relink(self, imports: Mapping[str, int]) -> int:
        """Load the very same object code once more, with `imports` (malloc, say) at the given addresses; its entry."""
        code = self._run.specialisation.code
        loaded = code.load(imports)
        self._relinked.append(loaded)
        inspection.note(loaded, code.rows(loaded, self.__name__))
        return loaded[code.entry]

    @property
    def address_table(self) -> list[tuple[int, int, str, str, int, str]]:
        """First address, end, function, file, line and phase of the code, in every copy that was loaded.

        What an allocation report (or a debugger) needs to name the user's line."""
        copies = (self._run.specialisation.kernel.code, *self._relinked)
        return [row for code in copies for row in inspection.rows_of(code)]

    @property
    def _build(self) -> Build:
        return self._run.specialisation.build

    # The two ways to call

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        if self._like_before is not None and not kwargs:
            answer = self._like_before((*self._given, *args))
            if answer is not MISSED:
                self._last = self._like_before.frame
                return answer
        run = self._prepared(args, kwargs)
        self._last = run.frame
        answer = run.run()
        if not self._looked and not self.is_attached:
            # Not before: a handle may be made for its address alone.
            from adcore.driver.handles.object_calls import object_calls

            self._looked, self._like_before = True, object_calls(self._run)
        return answer

    def _prepared(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> InPlaceRun:
        """The run for a call, whose arguments are given in either way."""
        given = (*self._given, *args)
        made = self._made(annotated(self._run, self.__qualname__, given, kwargs, self._omitted))
        if made.call.kinds != self._run.call.kinds:
            refuse(f"{self.__qualname__} was compiled for other activities than those of this call")
        return made

    def _made(self, activities: Sequence[Activity]) -> InPlaceRun:
        call = self._run.call
        return annotated_run(self._mode, self._function, call.names, activities, self._options, call.base)

    def _go_native(self, order: Order) -> None:
        signature = self._run.call.primal.signature
        if any(self._run.specialisation.variant.aliases) or signature.ones or signature.lengths:
            return  # the wrapper looks at addresses, to tell that nothing overlaps, but not at shapes
        run = self._run.over_own_frame()
        kernel = run.specialisation.kernel
        annotations = annotations_of(run, order)
        made = called_block(kernel, run.frame, order, run.returned, self._fallback(), run.finish, annotations)
        if made is not None:
            self._last = run.frame
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


__all__ = ["Bound", "Handle"]
