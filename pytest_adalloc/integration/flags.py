"""The flags of the plugin and ini options of the same names; read whenever pytest starts."""

from __future__ import annotations

from pytest_adalloc.report.formats import FORMATS, Flag

FLAGS: tuple[Flag, ...] = (
    Flag("", "choice", ("strict", "warn", "off"), "a check that is not met fails, warns, or does not run"),
    Flag("explain", "bool", None, "print every check with what its gradient stores, and why"),
    Flag("calls", "int", "N", "count the allocations of N calls (100)"),
    Flag("seed", "int", "N", "seed of the random directions (0)"),
    *(flag for each in FORMATS for flag in each.flags),
    Flag("scope", "choice", ("thread", "process"), "count this thread, or all of them"),
    Flag("preload", "bool", None, "run again under LD_PRELOAD with a counting library, as one more witness"),
    Flag("syscalls", "bool", None, "count system calls too, also those that no library makes, over further calls"),
)

DEFAULTS: tuple[str, ...] = (
    "wrt", "mode", "max_allocs", "max_workspace", "workspace", "rtol", "atol", "domain", "order", "prove", "fastmath",
    "sizes", "points", "max_numpy", "max_python", "realtime", "max_ratio",
)  # fmt: skip
"""Options of a check whose ini option `adalloc_NAME` is no flag as well: they hold where a check says nothing."""
