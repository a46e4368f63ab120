"""Compiled helpers of these tests; everything that needs a C compiler says so when there is none."""

from __future__ import annotations

import ctypes
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_adalloc.hooks import available
from pytest_adalloc.hooks.install.process import installed

SOURCES = Path(__file__).parent / "sources"
ROOT = Path(__file__).parents[2]
KINDS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    works, reason = available()
    for item in items:
        if not works and Path(__file__).parent in item.path.parents and item.path.name != "test_platforms.py":
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class Library:
    """A compiled library of these tests."""

    path: Path
    functions: ctypes.CDLL

    def address(self, name: str) -> int:
        address = ctypes.cast(getattr(self.functions, name), ctypes.c_void_p).value
        assert address
        return address


@dataclass(frozen=True)
class Reference:
    """An LD_PRELOAD counter of ``kinds``, which calls a function ``calls`` times after one warm-up."""

    driver: Path
    counter: Path
    calls: int = 20
    kinds: tuple[str, ...] = KINDS

    def count(self, library: Path, name: str) -> dict[str, int]:
        command = [str(self.driver), str(library), str(self.calls), name]
        environ = {**os.environ, "LD_PRELOAD": str(self.counter), "DRIVER_LOCALE": locale.setlocale(locale.LC_CTYPE)}
        run = subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=60)
        numbers = map(int, run.stdout.split()[1:])
        return {kind: number for kind, number in zip(KINDS, numbers, strict=True) if number}


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile a source of this directory; skips where there is no compiler for it."""
    directory = tmp_path_factory.mktemp("native")
    done: dict[tuple[str, ...], Path] = {}

    def compile_source(source: str, name: str, *options: str) -> Path:
        key = (source, name, *options)
        if key not in done:
            compiler = shutil.which("g++" if source.endswith("cpp") else "gcc")
            if compiler is None:
                pytest.skip(f"no compiler for {source}")
            path = directory / name
            common = ["-O1", "-fno-builtin", "-Wno-deprecated-declarations"]
            command = [compiler, *common, str(SOURCES / source), "-o", str(path), *options]
            subprocess.run(command, check=True, timeout=60)
            done[key] = path
        return done[key]

    return compile_source


@pytest.fixture(scope="session")
def paths(build: Callable[..., Path]) -> Library:
    path = build("paths.c", "libpaths.so", "-shared", "-fPIC", "-pthread", "-ldl")
    return Library(path, ctypes.CDLL(str(path)))


@pytest.fixture(scope="session")
def cpp(build: Callable[..., Path]) -> Library:
    path = build("paths.cpp", "libpathscpp.so", "-shared", "-fPIC", "-std=c++17")
    return Library(path, ctypes.CDLL(str(path)))


@pytest.fixture(scope="session")
def reference(build: Callable[..., Path]) -> Reference:
    return Reference(build("driver.c", "driver", "-ldl"), build("counter.c", "libcounter.so", "-shared", "-fPIC"))


@pytest.fixture
def without_entries() -> Iterator[None]:
    """No function is patched, as on a system that refuses it."""
    hooks = installed()
    hooks.entry_points.suspend("left out by a test")
    yield
    hooks.entry_points.resume()


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in a process of its own, with this working tree importable."""

    def run(code: str, *arguments: str, timeout: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)

    return run
