"""What a gradient asks of Python's own allocators and of NumPy's: requests that need not reach malloc, and so no native
allocation.

NumPy keeps small blocks and Python small objects. A gradient that makes arrays passes as long as they are small, and
fails with larger ones; its author means neither.
"""

from __future__ import annotations

from pytest_adalloc.checks.subjects.subject import Unmet
from pytest_adalloc.checks.verdict.diagnostics import About, diagnostic
from pytest_adalloc.hooks.reports import AllocationReport
from pytest_adalloc.options import CheckOptions

OBJECTS = ("mem", "obj")  # Python's raw domain has again what these pass on


def hold_requests(about: About, seen: AllocationReport, options: CheckOptions, ours: bool) -> None:
    """Raise Unmet where a gradient makes more arrays or objects a call than is allowed.

    Arrays of NumPy are limited by ``max_numpy``; without it, by what may be allocated natively, where the gradient is
    Python code that our compiler has not made (`ours`). Objects are limited by ``max_python`` alone.
    """
    by_python = about.foreign and not ours and seen.driven == "python"
    arrays = options.max_numpy if options.max_numpy is not None or not by_python else options.max_allocs
    numpy = seen.python.get("numpy")
    if arrays is not None and numpy is not None and numpy.calls > arrays * seen.calls:
        text = f"asks NumPy for the data of arrays {_each(numpy.calls, seen.calls)}"
        held = "NumPy keeps small blocks and hands them out again: that is no call of malloc, until they are larger"
        cure = "write into arrays that the caller provides (out=), or allow it with max_numpy="
        raise Unmet("allocates", _told(about, text, arrays, numpy.bytes, held, cure))
    objects = [seen.python[name] for name in OBJECTS if name in seen.python]
    requests = sum(count.calls for count in objects)
    if options.max_python is not None and requests > options.max_python * seen.calls:
        text = f"asks Python for memory of objects {_each(requests, seen.calls)}"
        held = "Python keeps small objects in pools of its own"
        cure = "call native code, or allow it with max_python="
        raise Unmet("allocates", _told(about, text, options.max_python, sum(c.bytes for c in objects), held, cure))


def _each(requests: int, calls: int) -> str:
    if requests % calls:
        return f"{requests} times in {calls} calls"
    each = requests // calls
    times = {1: "once", 2: "twice"}.get(each, f"{each} times")
    return f"{times} in every one of {calls} calls"


def _told(about: About, text: str, limit: int, size: int, held: str, cure: str) -> str:
    allowed = "none is allowed" if not limit else f"{limit} a call {'is' if limit == 1 else 'are'} allowed"
    return diagnostic(
        f"allocates: the gradient of {about.function} {text}; {allowed}",
        f"  {size} bytes in all",
        about.there(),
        f"  = note: {held}",
        help=cure,
    )
