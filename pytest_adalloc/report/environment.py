"""Where a run was made: what a reader asks first when figures differ."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("pytest-adalloc", "pytest", "numpy", "llvmlite", "psutil")


def versions() -> dict[str, str]:
    """The packages that figures depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, str]:
    """Date, Python, machine, packages and command, in words."""
    return {
        "Date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "Python": platform.python_version(),
        "Machine": f"{platform.system()} {platform.machine()}, {processor() or 'processor unknown'}",
        "Packages": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "Command": command(),
    }


def processor() -> str:
    """The name of the CPU; empty where nothing tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            named = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(named, platform.processor())
    except OSError:
        return platform.processor()


def command() -> str:
    """How pytest was called."""
    return shlex.join(["pytest", *sys.argv[1:]])
