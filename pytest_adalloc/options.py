"""What a check can be asked for: one table, the same names for the mark, `check` and `check_gradient`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from pytest_adalloc.hooks.reports import Scope

SweepMode = Literal["reverse", "forward", "both"]
Prove = Literal["require", "report", "off"]
Progress = Callable[[str, int, int], None]
"""`progress(stage, done, total)`; an empty stage ends what is shown."""


class GivenOptions(TypedDict, total=False):
    """The options of a check, as keywords of `check`, of its relatives, and of the mark.

    - `wrt`: what is differentiated: names or places of arguments, one or a tuple; without it all that hold floats.
    - `mode`: "reverse", "forward" or "both".
    - `max_allocs`, `max_numpy`, `max_python`: so many native allocations, arrays of NumPy's and Python objects a call.
    - `max_workspace`: bytes that may be kept between the sweeps, or a formula in sizes such as "8*n".
    - `workspace`: "auto", "heap" or bytes, as for `ad.compile`; `fastmath` as well.
    - `calls`: so many are counted. `scope`: "thread" or "process". `realtime`: system calls and page faults too.
    - `rtol`, `atol`: what a component may be off, beside what rounding does. `order`: 2 checks second derivatives.
    - `domain`: bounds by argument, such as {"x": (0, None)}. `seed`: of random directions and points.
    - `prove`: "require", "report" or "off": what becomes of the certificate.
    - `max_ratio`: how many times the time of its primal the gradient may take.
    - `sizes`, `points`: other inputs at which the check is made as well.
    """

    wrt: Any
    mode: SweepMode
    max_allocs: int
    max_workspace: int | str | None
    workspace: Any
    calls: int | None
    rtol: float | None
    atol: float | None
    domain: Any
    order: int
    prove: Prove | None
    seed: int | None
    fastmath: bool | Literal["sums"]
    scope: Scope | None
    sizes: Any
    points: Any
    max_numpy: int | None
    max_python: int | None
    realtime: bool
    max_ratio: float | None


@dataclass(frozen=True)
class CheckOptions:
    """The options of one check. None: decided by the check, from the run's flags or from what is measured."""

    wrt: Any = None
    mode: SweepMode = "reverse"
    max_allocs: int = 0
    max_workspace: int | str | None = None
    workspace: Any = "auto"
    calls: int | None = None
    rtol: float | None = None
    atol: float | None = None
    domain: Any = None
    order: int = 1
    prove: Prove | None = None
    seed: int | None = None
    fastmath: bool | Literal["sums"] = False
    scope: Scope | None = None
    sizes: Any = None
    points: Any = None
    max_numpy: int | None = None
    max_python: int | None = None
    realtime: bool = False
    max_ratio: float | None = None

    @staticmethod
    def of(given: dict[str, Any]) -> CheckOptions:
        """Checked options from keywords.

        Raises TypeError for an unknown name, ValueError for a value that makes no sense; both say what is possible.
        """
        for name in given:
            if name not in NAMES:
                raise TypeError(f"{name!r}: this is {unknown(name)}")
        options = CheckOptions(**given)
        _one_of("mode", options.mode, ("reverse", "forward", "both"))
        _one_of("prove", options.prove, (None, "require", "report", "off"))
        _one_of("scope", options.scope, (None, "thread", "process"))
        _one_of("order", options.order, (1, 2))
        _one_of("fastmath", options.fastmath, (False, True, "sums"))
        _one_of("realtime", options.realtime, (False, True))
        _at_least("calls", options.calls, 1)
        for name in ("max_allocs", "rtol", "atol", "seed", "max_numpy", "max_python", "max_ratio"):
            _at_least(name, getattr(options, name), 0)
        if not isinstance(options.max_workspace, str):  # a formula is read where its sizes are known
            _at_least("max_workspace", options.max_workspace, 0)
        for sizes in options.sizes.values() if isinstance(options.sizes, Mapping) else (options.sizes,):
            _several("sizes", sizes)
        if not callable(options.points) and not isinstance(options.points, (list, tuple)):
            _at_least("points", options.points, 1)
        if not isinstance(options.workspace, int) and options.workspace not in ("auto", "heap"):
            raise ValueError(f'workspace={options.workspace!r}: it is "auto", "heap" or a number of bytes')
        return options

    def completed(self, *, calls: int, seed: int, scope: Scope, syscalls: bool = False) -> CheckOptions:
        """With what the run says in place of what the check leaves open."""
        return replace(
            self,
            calls=calls if self.calls is None else self.calls,
            seed=seed if self.seed is None else self.seed,
            scope=self.scope or scope,
            realtime=self.realtime or syscalls,
        )


def unknown(name: str, others: Sequence[str] = ()) -> str:
    """What to say of a name that is no option: the name, of an option or of `others`, that was probably meant."""
    near = difflib.get_close_matches(name, [*NAMES, *others], n=1)
    return f"no option; did you mean {near[0]!r}?" if near else f"no option; the options are {', '.join(NAMES)}"


NAMES = tuple(field.name for field in fields(CheckOptions))


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: it is one of {', '.join(repr(a) for a in allowed if a is not None)}")


def _at_least(name: str, value: Any, least: int) -> None:
    # NumPy numbers are fine; True is a mistake.
    if value is None:
        return
    if isinstance(value, bool) or not hasattr(value, "__lt__") or isinstance(value, str) or value < least:
        raise ValueError(f"{name}={value!r}: it is a number, at least {least}")


def _several(name: str, value: Any) -> None:
    if value is None:
        return
    fine = isinstance(value, Sequence) and not isinstance(value, str) and value
    if not fine or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in value):
        raise ValueError(f"{name}={value!r}: it is a tuple of lengths such as (7, 128), or a dict of them by argument")


def silent(stage: str, done: int, total: int) -> None:
    """No progress is shown: nobody watches."""
