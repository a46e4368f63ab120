"""A call over fixed buffers, which runs without any Python in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adcore.driver import inspection
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.calls.mismatch import differences
from adcore.driver.calls.run import Buffer
from adcore.errors import ArgumentError
from adcore.runtime import native_types as native
from adcore.runtime.calls import bound_block
from adcore.runtime.values.arguments import refuse


class Bound(native.NativeCallable):
    """A call over fixed buffers: `bound()` runs the kernel on them.

    `address` and `frame_address` let any native loop do the same: `int32_t (*)(int64_t *)` and its only argument.
    `buffers` lists every array that the call touches, so that a caller can restore what it changes.
    """

    def __init__(self, run: InPlaceRun) -> None:
        self._run = run
        self._relinked: list[Any] = []
        self.buffers: tuple[Buffer, ...] = run.buffers
        # Where there may be messages, Python has a look after each call.
        if native.supported() and run.is_native and not run.specialisation.kernel.messages:
            function, block = bound_block(
                run.specialisation.kernel, run.frame, run.values, run.returned, _rechecked(run), run.finish
            )
            self._attach(function, block)

    def __call__(self) -> Any:
        return _checked_run(self._run)

    @property
    def address(self) -> int:
        """Address of the native entry."""
        return self._run.specialisation.kernel.address

    @property
    def is_native(self) -> bool:
        """Whether the native entry alone makes the whole call: nothing is copied in or out around it."""
        return self._run.is_native

    def relink(self, imports: Mapping[str, int]) -> int:
        """Load the very same object code once more, with `imports` (malloc, say) at the given addresses; its entry."""
        code = self._run.specialisation.code
        loaded = code.load(imports)
        self._relinked.append(loaded)
        inspection.note(loaded, code.rows(loaded, self._run.call.function.__name__))
        return loaded[code.entry]

    @property
    def frame_address(self) -> int:
        """Address of the frame that the entry is given: for one native caller at a time."""
        self._run.frame.take_workspace()
        return self._run.frame.address

    @property
    def high_water(self) -> int:
        """The most bytes that the last call kept for its reverse sweep at any moment."""
        return self._run.frame.used

    def finish(self) -> Any:
        """What the call returns, from the frame as the last native call left it."""
        self._run.write_back()
        return self._run.finish()

    def raise_fault(self, status: int) -> None:
        """Raise what a native call's status other than 0 means."""
        self._run.specialisation.kernel.fail(status, self._run.frame)


def _rechecked(run: InPlaceRun) -> Callable[..., Any]:
    def fallback(*args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            raise TypeError("a bound call takes no arguments: its buffers are fixed")
        return _checked_run(run)

    return fallback


def _checked_run(run: InPlaceRun) -> Any:
    """Run it by the general path, after checking that its buffers are what they were when it was bound."""
    again = run.again(run.activities)
    if again.call.signature != run.call.signature:
        raise ArgumentError(differences(run.call.signature, again.call.signature))
    if not _same_buffers(run, again):
        refuse("a bound array was resized, moved or reshaped since `bind`", help="bind once more")
    return again.run()


def _same_buffers(a: InPlaceRun, b: InPlaceRun) -> bool:
    def shapes(run: InPlaceRun) -> list[Any]:
        arrays = [buffer.array for buffer in run.buffers]
        return [(array.shape, array.strides) for array in arrays]

    return shapes(a) == shapes(b)


__all__ = ["Bound"]
