"""Count the native allocations of any code, attributed and with proof that the counter was alive.

    report = measure(function, argument)             # any callable; function pointers are driven by native code
    report = measure_native(address, frame, calls=100)
    with record() as allocations: ...
    with forbid(): ...

Relocation slots of every loaded library lead to hooks that are compiled in-process; hardware breakpoints are the
second witness, and with ``--adalloc-preload`` a preloaded library is the third. A count that cannot be vouched for is
``HooksDead``, an error. ``available()`` says whether this platform has a backend, and why not.
"""

from pytest_adalloc.hooks.count.asserting import assert_no_alloc
from pytest_adalloc.hooks.count.link_check import check_link_path
from pytest_adalloc.hooks.count.measuring import measure, measure_native, measured
from pytest_adalloc.hooks.count.recording import Recording, forbid, record
from pytest_adalloc.hooks.count.system_calls import observing
from pytest_adalloc.hooks.count.trend import GrowthReport, growth, measure_growth
from pytest_adalloc.hooks.errors import AllocationForbidden, HooksBusy, HooksDead, HooksUnavailable
from pytest_adalloc.hooks.install.process import available, hook_addresses
from pytest_adalloc.hooks.reports import AllocationReport, DomainCount, Site, StackFrame, Witness

__all__ = [
    "AllocationForbidden",
    "AllocationReport",
    "DomainCount",
    "GrowthReport",
    "HooksBusy",
    "HooksDead",
    "HooksUnavailable",
    "Recording",
    "Site",
    "StackFrame",
    "Witness",
    "assert_no_alloc",
    "available",
    "check_link_path",
    "forbid",
    "growth",
    "hook_addresses",
    "measure",
    "measure_growth",
    "measure_native",
    "measured",
    "observing",
    "record",
]
