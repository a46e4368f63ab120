"""What a failed check tells: the verdict, where, how often, why, and what to change. Values in, text out."""

from __future__ import annotations

import linecache
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.verdict.comparison import CUSP, JUMP, UNDEFINED, Comparison, digits_of
from pytest_adalloc.checks.verdict.grad_report import elsewhere_note

if TYPE_CHECKING:
    from pytest_adalloc.hooks import AllocationReport


MOST_PLACES = 3
COARSE = 1e-3  # what float32 may do to a relative error; a wrong term does more


COMPILER = "your function is not to blame: this is a fault of the compiler; please report it with this test"
"""What to do about a fault of the compiler: what it compiled contradicts its IR as Python runs it."""

AS_READ = (
    "compiled code gives what the function's IR gives when Python runs it: something that the function takes from "
    "outside may change between calls; if nothing does, please report it with this test"
)
"""What to do where the compiler's own reading is not the function."""

NOT_SETTLED = "compiled code could not be held against the function's IR here; please report it with this test"
"""What to do where nobody knows whose fault it is."""

NOT_FINITE = "move the point away from there, or write this expression such that its slope is finite"
"""What to do about a gradient that is not finite in its IR either."""

NOT_FINITE_FORWARD = (
    "write this expression such that its slope is finite (where exp(x) overflows, exp(-abs(x)) does not), "
    'or check the gradient alone with mode="reverse"'
)
"""What to do where the tangents of forward mode are not finite in their IR either."""


@dataclass(frozen=True)
class About:
    """What every diagnostic knows: the function, where it is defined, the point, and who made the gradient."""

    function: str
    file: str
    line: int
    point: Point
    foreign: bool
    maker_place: tuple[str, int] = ("", 0)  # where a gradient that was passed in is defined
    coarse: bool = False  # a gradient that was passed in has fewer bits than the arguments
    located: tuple[str, ...] = ()  # where value and gradient stop to be finite
    fault: str = ""  # what a derivative that is wrong means, where it is not the compiler's own
    contradicts: bool | None = None  # whether compiled code differs from its IR as Python runs it; None: not known

    @property
    def maker(self) -> str:
        return "the gradient that was passed in" if self.foreign else "the compiled gradient"

    @property
    def blame(self) -> str:
        """What to do about compiled code that is off."""
        return self.fault or {True: COMPILER, False: AS_READ, None: NOT_SETTLED}[self.contradicts]

    @property
    def wrong_derivative(self) -> str:
        """What to do about a derivative that is off, where the function is compiled right."""
        return self.fault or COMPILER

    def not_finite(self) -> list[str]:
        """Where value and gradient stop to be finite, as notes."""
        return [f"  = note: {place}" for place in self.located]

    def here(self) -> list[str]:
        """The function's place, quoted."""
        return quoted(self.file, self.line)

    def there(self) -> list[str]:
        """The place of whoever makes the gradient, quoted: of the function for a compiled one."""
        return quoted(*self.maker_place) or self.here()


def quoted(file: str, line: int, column: int = -1, end_column: int = -1) -> list[str]:
    """A line of source under its position, with carets below the columns; nothing where there is no file."""
    if not file or not line:
        return []
    text = linecache.getline(file, line).rstrip("\n")
    lines = [f"  --> {file}:{line}" + (f":{column + 1}" if column >= 0 else "")]
    if text:
        gutter = f"{line:>5} | "
        lines.append(gutter + text)
        if column >= 0:
            width = max(1, (end_column if end_column > column else len(text)) - column)
            lines.append(" " * (len(gutter) - 2) + "| " + " " * column + "^" * width)
    return lines


def at_span(span: Any) -> list[str]:
    """A span of the compiler, quoted."""
    if span is None or not hasattr(span, "line"):
        return []
    end = span.end_column if getattr(span, "end_line", span.line) == span.line else -1
    return quoted(span.file, span.line, getattr(span, "column", -1), end)


def diagnostic(title: str, *parts: Iterable[str] | str, help: str = "") -> str:
    """A title, then lines, then what to do."""
    lines = [title]
    for part in parts:
        lines += [part] if isinstance(part, str) else list(part)
    if help:
        lines.append(f"  = help: {help}")
    return "\n".join(line for line in lines if line)


def of_comparison(about: About, found: Comparison) -> str:
    """The diagnostic of a verdict that finite differences gave."""
    tell = {
        "gradient wrong": gradient_wrong,
        "kink": kink,
        "edge of the domain": edge,
    }.get(found.verdict, unreliable)
    return tell(about, found)


def component(about: About, found: Comparison) -> str:
    """The component in the user's terms."""
    return about.point.spelled(found.component) if found.component >= 0 else "a random direction"


def gradient_wrong(about: About, found: Comparison) -> str:
    """Finite differences disagree with the gradient."""
    off = abs(found.expected - found.got)
    largest = max(abs(found.expected), abs(found.got))
    relative = f", off by {off / largest:.1e} of it" if math.isfinite(off) and largest else ""
    if about.coarse and off <= COARSE * largest:
        help = (
            "this gradient was computed with fewer bits than its arguments have: compute in float64 (JAX: "
            'jax.config.update("jax_enable_x64", True)), check with float32 arguments, or pass an rtol= that fits'
        )
    elif about.foreign:
        help = "look at the term of your gradient that belongs to this component"
    elif not math.isfinite(found.got) and about.contradicts is False:
        help = NOT_FINITE
    else:
        # Exact slopes are the function's IR in Python: what differs from them contradicts it.
        help = about.wrong_derivative if found.exact and math.isfinite(found.got) else about.blame
    by = "exact slope" if found.exact else "finite differences"
    return diagnostic(
        f"gradient wrong: d {about.function} / d {component(about, found)}",
        f"  expected {found.expected:.12g} ({by}, +- {found.error:.1e}{_leaves(found)})",
        f"  got      {found.got:.12g} ({about.maker}{relative})",
        _hunch(found),
        about.here(),
        about.not_finite(),
        _enters(about, found),
        f"  = note: compared with {found.how}",
        _shared(about),
        help=help,
    )


def _shared(about: About) -> str:
    """That a component is not by itself: what is expected counts all arguments that hold its memory."""
    if not about.point.shares:
        return ""
    return (
        "  = note: arguments share memory here: a step in one is a step in the others, and each of their slopes counts "
        "them all; pass copies to have each by itself"
    )


def _leaves(found: Comparison) -> str:
    """How many digits there are to agree in."""
    if not found.expected or not math.isfinite(found.error):
        return ""
    digits = digits_of(found.error / abs(found.expected))
    return f", {digits} digit{'' if digits == 1 else 's'}"


def _enters(about: About, found: Comparison) -> list[str]:
    """Where in the source a component enters."""
    if not found.places or found.component < 0:
        return []
    lines = [f"  = note: {component(about, found)} enters here"]
    for place in found.places[:MOST_PLACES]:
        lines += at_span(place)
    more = len(found.places) - MOST_PLACES
    return lines + ([f"  and at {more} more lines"] if more > 0 else [])


def _hunch(found: Comparison) -> str:
    if not math.isfinite(found.got):
        return "  = note: the gradient is not finite although the function is smooth here"
    if found.expected and math.isfinite(found.got):
        ratio = found.got / found.expected
        if abs(ratio + 1) < 1e-6:
            return "  = note: the sign is wrong"
        if found.got == 0:
            return "  = note: the gradient misses this component altogether"
        for factor in (2, 3, 4, 0.5):
            if abs(ratio - factor) < 1e-6:
                return f"  = note: it is {factor:g} times what it should be"
    return ""


def unreliable(about: About, found: Comparison) -> str:
    """Differences can't tell right from wrong here."""
    by = "the exact slope is" if found.exact else "finite differences say"
    usual = f"its values carry a rounding noise of about {found.noise:.1e}, or it varies on a scale too small to sample"
    return diagnostic(
        f"finite differences unreliable here: d {about.function} / d {component(about, found)}",
        f"  {by} {found.expected:.6g} +- {found.error:.1e}; {about.maker} says {found.got:.6g}",
        f"  {found.why or usual}",
        about.here(),
        about.not_finite(),
        help="choose a better conditioned point, use float64, or pass rtol= to accept what can be seen",
    )


def kink(about: About, found: Comparison) -> str:
    """The slopes from the left and the right differ."""
    what = component(about, found)
    value = about.point.vector[found.component] if found.component >= 0 else math.nan
    if found.kind == JUMP:
        seen = "  the function jumps at this point: its value changes by the same amount however small the step is"
    elif found.kind == CUSP:
        seen = "  the slope grows without bound towards this point"
    else:
        seen = (
            f"  slope from the left {found.left:.6g}, from the right {found.right:.6g}; {about.maker}: {found.got:.6g}"
        )
    return diagnostic(
        f"kink: d {about.function} / d {what} does not exist at {what} = {value:.6g}",
        seen,
        about.here(),
        about.not_finite(),
        "  = note: abs, min, max, sorting and branches make such points; any gradient is a choice there",
        help="move the test's point off the kink, such as to " + _moved_off(value),
    )


def _moved_off(value: float) -> str:
    return f"{value + max(abs(value), 1.0) * 0.1:.3g}" if math.isfinite(value) else "values that differ"


def edge(about: About, found: Comparison) -> str:
    """The function is not defined on one side, or not at all."""
    what = component(about, found)
    value = about.point.vector[found.component] if found.component >= 0 else math.nan
    if found.kind == UNDEFINED:
        place = f"{what} = {value:.6g}" if found.component >= 0 else "this point"
        return diagnostic(
            f"edge of the domain: {about.function} has no value at {place}",
            f"  {found.trouble}" if found.trouble else "",
            about.here(),
            about.not_finite(),
            help="a gradient can be checked only where the function is finite: choose other arguments",
        )
    return diagnostic(
        f"edge of the domain: {about.function} is defined on one side of {what} = {value:.6g} only",
        f"  a step to the other side gives {found.trouble}" if found.trouble else "",
        about.here(),
        about.not_finite(),
        help=f"move the point inside, or say where the domain ends, such as {_bounded(what, value, found)}; "
        "differences are then taken from the inner side",
    )


def _bounded(what: str, value: float, found: Comparison) -> str:
    # The side that has no value is the one without a slope.
    pair = f"({value:g}, None)" if not math.isnan(found.right) else f"(None, {value:g})"
    return f"domain={{{what.split('[')[0].split('.')[0]!r}: {pair}}}"


def not_deterministic(about: About, when: str, seen: Sequence[str], generators: Sequence[str]) -> str:
    """Calls at one point gave different answers."""
    used = ", ".join(generators)
    return diagnostic(
        f"not deterministic: {about.function} gives another answer for the same arguments, {when}",
        seen,
        about.here(),
        f"  = note: a call uses {used}" if used else "",
        help="a function with chance in it has no gradient that could be checked: seed its generator in each call, "
        "or pass the random numbers as an argument"
        if used
        else "something survives from one call to the next, or comes from outside (a counter, a cache, a clock): make "
        "the answer depend on the arguments alone",
    )


def changes_arguments(about: About, paths: Sequence[str]) -> str:
    """A gradient that was passed in leaves its arguments otherwise than the function does."""
    which = ", ".join(paths)
    return diagnostic(
        f"gradient wrong: {about.maker} of {about.function} changes {which}",
        f"  its numbers are right, but after the call {which} is not what {about.function} leaves there",
        about.there(),
        help="work on a copy: whoever calls it, an optimiser say, goes on with the changed arguments",
    )


def another_gradient(about: About, first: float, again: float) -> str:
    """A gradient that was passed in gives different numbers at one point."""
    return diagnostic(
        f"not deterministic: {about.maker} of {about.function} gives another answer for the same arguments",
        f"  a component is {first:.17g} in one call and {again:.17g} in the next",
        about.there(),
        help="something survives from one call to the next, a buffer that is added to and not cleared, say",
    )


def primal_differs(about: About, what: str, expected: Any, got: Any) -> str:
    """The compiled function computes something else than plain Python."""
    return diagnostic(
        f"primal differs from Python: {about.function}, {what}",
        f"  plain Python gives    {expected}",
        f"  compiled code gives   {got}",
        about.here(),
        about.not_finite(),
        help=about.blame,
    )


def modes_disagree(about: About, forward: float, reverse: float) -> str:
    """Forward and reverse mode differ along a random tangent."""
    return diagnostic(
        f"gradient wrong: forward and reverse mode of {about.function} disagree",
        f"  along a random tangent: forward {forward:.12g}, reverse {reverse:.12g}",
        about.here(),
        about.not_finite(),
        help=NOT_FINITE_FORWARD if not math.isfinite(forward) and about.contradicts is False else about.blame,
    )


def gradient_drifts(about: About, name: str, before: float, after: float, calls: int) -> str:
    """The gradient was right, and no longer is after the counted calls."""
    return diagnostic(
        f"gradient wrong: {about.maker} of {about.function} changed over {calls} calls with the same arguments",
        f"  {name} was {before:.12g} and is {after:.12g} after the last call",
        about.here(),
        "  = note: something survives from one call to the next: a workspace or a shadow that is not reset",
    )


def allocates(about: About, seen: AllocationReport, limit: int, stored: Sequence[Any], sweep: str = "gradient") -> str:
    """Native memory was asked for."""
    functions = ", ".join(f"{name} x {count}" for name, count in seen.by_function.items() if name != "free")
    total = f"  {functions or 'see the witnesses'}, {sum(seen.bytes_per_call)} bytes in all"
    lines = []
    for site in seen.sites[:3]:
        lines += _site(site)
    if len(seen.sites) > 3:
        totals = ", ".join(f"{library} x {count}" for library, count in list(seen.by_library.items())[:5])
        lines.append(f"  and {len(seen.sites) - 3} more places; by library: {totals}")
    what = "gradient" if sweep == "gradient" else f"{sweep}-mode derivative"
    allowed = "none is allowed" if not limit else f"{limit} a call {'is' if limit == 1 else 'are'} allowed"
    return diagnostic(
        f"allocates: the {what} of {about.function} {_how_often(seen)}; {allowed}",
        total if len(seen.sites) != 1 else "",
        lines,
        about.there() if not any(site.file for site in seen.sites[:3]) else [],
        _why(stored),
        [f"  = note: {seen.disagreement}"] if seen.disagreement else [],
        [f"  = note: {elsewhere}"] if (elsewhere := elsewhere_note(seen)) else [],
        help=_cure(about, seen, stored),
    )


def _how_often(seen: AllocationReport) -> str:
    counts = seen.allocs_per_call
    calls = len(counts)
    if not any(counts):
        return "allocates through a path that the hooks cannot see"
    if seen.pattern == "first call":
        return f"allocates {_times(counts[0])} in the first of {calls} calls, then never again"
    if seen.pattern == "growing":
        return f"allocates more and more: {counts[0]} in the first call, {counts[-1]} in the last of {calls}"
    if seen.pattern == "every call":
        return f"allocates {_times(counts[0])} in every one of {calls} calls"
    return f"allocates irregularly: {sum(counts)} times in {calls} calls, at most {max(counts)} in one"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _site(site: Any) -> list[str]:
    # The compiler says what its own code allocates for: "stored" for the reverse sweep, a "temporary", ...
    phase = f" ({site.phase})" if getattr(site, "phase", "") else ""
    library = f" in {site.library}" if site.library and site.library != "generated code" else ""
    who = f"{site.symbol or 'native code'}{library}{phase}"
    lines = [f"  {site.function} x {site.count}, {site.bytes} bytes in all: {who}"]
    return lines + quoted(site.file, site.line)


def _why(stored: Sequence[Any]) -> list[str]:
    """The plan's own reasons: what is kept, and which line destroys it."""
    lines = []
    for record in list(stored)[:5]:
        size = getattr(record, "bytes", None)
        amount = f"{size} bytes" if size is not None else f"{getattr(record, 'formula', '?')} bytes"
        reason = getattr(record, "reason", "")
        lines.append(f"  = why: `{getattr(record, 'value', record)}` is kept ({amount}): {reason}".rstrip(": "))
        lines += at_span(getattr(record, "span", None))
        for killer in tuple(getattr(record, "overwritten_by", ()))[:2]:
            lines += ["  = note: destroyed here", *at_span(killer)]
    return lines


def _cure(about: About, seen: AllocationReport, stored: Sequence[Any]) -> str:
    fixes = [fix for fix in (getattr(record, "fix", "") for record in stored) if fix]
    if fixes:
        return "; ".join(dict.fromkeys(map(str, fixes)))
    if seen.pattern == "first call":
        return "if it is a one-time set-up, call once before the test"
    if about.foreign:
        return "write into buffers that the caller provides, or allow it with max_allocs="
    return 'workspace="auto" keeps what must be kept in memory that is reserved once; or allow it with max_allocs='


def workspace_too_large(
    about: About, size: int, formula: str, limit: int | str, stored: Sequence[Any], because: str
) -> str:
    """More is kept between the sweeps than is allowed."""
    spelled = f" ({formula})" if formula and formula != str(size) else ""
    return diagnostic(
        f"workspace too large: the gradient of {about.function} keeps {size} bytes{spelled}; {because} {limit}",
        _why(stored),
        about.here() if not stored else [],
        help="; ".join(dict.fromkeys(str(r.fix) for r in stored if getattr(r, "fix", "")))
        or "raise max_workspace, or change the line that destroys what the reverse sweep needs",
    )


def too_slow(about: About, found: str, limit: float, spread: float) -> str:
    """The gradient takes longer than is allowed, compared with its primal."""
    quiet = f"two runs of the primal beside it differ by {100 * (spread - 1):.0f}%"
    return diagnostic(
        f"too slow: the gradient of {about.function} takes {found}; at most {limit:g} times is allowed",
        about.here(),
        f"  = note: the fastest of interleaved calls; {quiet}",
        help="--adalloc-explain shows what is kept and computed again; fastmath=True lets sums be reordered",
    )


def not_proven(about: About, certificate: Any) -> str:
    """The calls were counted and clean, but nothing proves that all calls are."""
    reasons = [f"  {reason}" for reason in getattr(certificate, "unproven", ())]
    if certificate is None:
        reasons = ["  a gradient that someone else computes comes without a certificate"]
    return diagnostic(
        f"not proven: nothing shows that the gradient of {about.function} never allocates",
        reasons,
        about.here(),
        help='the counted calls are clean; prove="report" accepts that and says so in the report',
    )
