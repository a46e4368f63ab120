"""The profile: decoded here independently, by the wire format's rules, and compared with the report."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.hooks import AllocationReport, Site, StackFrame, measure, measure_native
from pytest_adalloc.hooks.attribute.pprof import profile, write_profile

pytest_plugins = ["pytester"]


def fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(raw):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
        else:
            assert tag & 7 == 2
            size = number()
            at += size
            yield tag >> 3, raw[at - size : at]


def packed(raw: bytes) -> list[int]:
    return [value for _, value in fields(b"".join(b"\x08" + part for part in split(raw)))]


def split(raw: bytes) -> Iterator[bytes]:
    start = 0
    for position, byte in enumerate(raw):
        if byte < 0x80:
            yield raw[start : position + 1]
            start = position + 1


@dataclass(frozen=True)
class Decoded:
    """What a profile says: stacks of (function, file, line, library) from the inside out, and values by type."""

    types: list[tuple[str, ...]]
    samples: list[tuple[list[tuple[str, str, int, str]], list[int], dict[str, str]]]
    libraries: list[str]
    texts: list[str]
    period: tuple[tuple[str, ...], int]


def decode(data: bytes) -> Decoded:
    """By the messages of profile.proto; every reference has to lead somewhere."""
    parts: dict[int, list[Any]] = {}
    for key, value in fields(gzip.decompress(data)):
        parts.setdefault(key, []).append(value)
    texts = [value.decode() for value in parts[6]]
    mappings = {m[1]: m for m in map(dict, map(fields, parts.get(3, [])))}
    functions = {f[1]: (texts[f[2]], texts[f.get(4, 0)]) for f in map(dict, map(fields, parts.get(5, [])))}
    places = {}
    for location in map(dict, map(fields, parts.get(4, []))):
        line = dict(fields(location[4]))
        library = texts[mappings[location[2]][5]] if location.get(2) else ""
        places[location[1]] = (*functions[line[1]], line.get(2, 0), library)
    samples = []
    for sample in map(dict, map(fields, parts.get(2, []))):
        label = dict(fields(sample[3])) if 3 in sample else {}
        labels = {texts[label[1]]: texts[label[2]]} if label else {}
        samples.append(([places[number] for number in packed(sample[1])], packed(sample[2]), labels))
    for mapping in mappings.values():
        assert mapping[2] < mapping[3], "a mapping has a beginning and an end"
        assert [mapping.get(flag) for flag in (7, 8, 9, 10)] == [1, 1, 1, 1], "names are inside"
    kinds = [tuple(texts[number] for number in dict(fields(v)).values()) for v in (*parts[1], *parts[11])]
    libraries = [texts[mapping[5]] for mapping in mappings.values()]
    return Decoded(kinds[:-1], samples, libraries, texts, (kinds[-1], parts[12][0]))


SITE = Site("malloc", "generated code", "rosenbrock", "user.py", 12, 300, 2**40, "reverse sweep")
REPORT = AllocationReport((3,) * 100, (16,) * 100, {"malloc": 300}, sites=(SITE,))


def test_a_site_with_its_line_count_and_bytes() -> None:
    found = decode(profile(REPORT, now=1.0))
    assert found.types == [("alloc_objects", "count"), ("alloc_space", "bytes")]
    assert found.period == (("space", "bytes"), 1)
    ((stack, values, labels),) = found.samples
    assert values == [300, 2**40]
    assert stack == [("malloc", "", 0, ""), ("rosenbrock", "user.py", 12, "")]
    assert labels == {"phase": "reverse sweep"}
    assert found.texts[0] == ""
    assert found.libraries[0] == os.path.realpath(sys.executable)  # readers show it as the program


def test_stacks_go_from_the_inside_out() -> None:
    stack = (StackFrame(1, "libb.so", "inner"), StackFrame(2, "liba.so", "outer"), StackFrame(3, "liba.so", "", 64))
    site = Site("calloc", "libb.so", "inner", "", 0, 2, 10, stack=stack)
    found = decode(profile(AllocationReport((2,), (10,), sites=(site,))))
    assert [name for name, *_ in found.samples[0][0]] == ["calloc", "inner", "outer", "liba.so+0x40"]


def test_frames_of_the_counting_loop_are_left_out() -> None:
    stack = (
        StackFrame(1, "libb.so", "inner"),
        StackFrame(2, ""),
        StackFrame(3, "liba.so", "outer"),
        StackFrame(4, ""),
        StackFrame(5, ""),
    )
    site = Site("calloc", "libb.so", "inner", "", 0, 2, 10, stack=stack)
    found = decode(profile(AllocationReport((2,), (10,), sites=(site,))))
    assert [name for name, *_ in found.samples[0][0]] == ["calloc", "inner", "generated code", "outer"]


def test_a_line_of_python_stands_in_for_the_interpreter(paths: Any) -> None:
    def user() -> None:
        paths.functions.p_strdup(None)

    report = measure(user, calls=5)
    found = decode(profile(report))
    ((stack, values, _),) = found.samples
    assert values == [5, 45]
    assert stack[0] == ("malloc", "", 0, "")
    assert stack[-1] == ("user", __file__, user.__code__.co_firstlineno + 1, "")
    assert ("p_strdup", "libpaths.so", 0, os.path.realpath(paths.path)) in stack
    assert not [name for name, *_ in stack if "Py" in name or "ffi" in name]
    assert not [path for path in found.libraries[1:] if "libpython" in path or "libffi" in path]


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    assert profile(REPORT, now=1.0) == profile(REPORT, now=1.0)
    path = write_profile(REPORT, tmp_path / "grad.pb.gz")
    assert decode(path.read_bytes()).samples[0][1] == [300, 2**40]


def test_a_silent_report_is_a_valid_profile() -> None:
    assert decode(profile(AllocationReport((0,), (0,)))).samples == []


def test_a_measured_profile(paths: Any) -> None:
    report = measure_native(paths.address("p_strdup"), 0, calls=5)
    ((stack, values, _),) = decode(profile(report)).samples
    assert values == [5, 45]
    assert stack[0][0] == "malloc"
    assert "p_strdup" in [name for name, *_ in stack]


def go_says(path: Path, *options: str) -> str:
    """What ``go tool pprof`` prints; it must not complain."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed")
    home = {**os.environ, "HOME": str(path.parent), "GOFLAGS": "-mod=mod", "GOTELEMETRY": "off"}
    command = [go, "tool", "pprof", *options, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, env=home, check=True)
    assert run.stderr == "", run.stderr
    return run.stdout


def test_go_reads_it(paths: Any, tmp_path: Path) -> None:
    def user() -> None:
        paths.functions.p_strdup(None)
        paths.functions.p_calloc(None)

    report = measure(user, calls=5)
    path = write_profile(report, tmp_path / "call.pb.gz")
    line = user.__code__.co_firstlineno + 1
    for index, total in (("alloc_objects", report.allocs), ("alloc_space", report.bytes)):
        text = go_says(path, "-top", "-lines", "-unit=B", f"-sample_index={index}")
        assert f"Type: {index}" in text
        rows = {" ".join(row.split()[5:]): row.split() for row in text.splitlines() if "%" in row}
        assert (
            int(rows[f"user {__file__}:{line}"][3].rstrip("B"))
            + int(rows[f"user {__file__}:{line + 1}"][3].rstrip("B"))
            == total
        )
        assert int(rows["malloc"][0].rstrip("B")) == (5 if index == "alloc_objects" else 45)
        assert "p_strdup libpaths.so" in rows
    raw = go_says(path, "-raw")
    assert "alloc_objects/count alloc_space/bytes[dflt]" in raw
    assert "Period: 1" in raw


def test_go_reads_the_profile_of_a_failing_check(pytester: pytest.Pytester, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    pytester.makepyfile(
        test_heap="""
import numpy as np
import pytest


@pytest.mark.no_alloc_grad(x=np.linspace(1.0, 2.0, 10), workspace="heap")
def test_cubes(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i] * x[i]
        x[i] = 0.0
    return total
"""
    )
    plugin = () if entry_points(group="pytest11", name="adalloc") else ("-p", "pytest_adalloc.plugin")
    run = pytester.runpytest_subprocess(*plugin, "-q", "--adalloc-pprof=profiles")
    run.assert_outcomes(failed=1)
    (path,) = (pytester.path / "profiles").iterdir()
    ((stack, values, labels),) = decode(path.read_bytes()).samples
    assert values == [100, 8000]
    assert stack[1][0] == "test_cubes"
    assert Path(stack[1][1]).name == "test_heap.py"
    assert stack[1][2] == 9
    assert labels == {"phase": "forward sweep"}
    assert "test_cubes" in go_says(path, "-top", "-lines")
    assert "total += x[i] * x[i] * x[i]" in go_says(path, "-list=test_cubes")


def test_what_a_test_measures_and_records_is_written_too(pytester: pytest.Pytester, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    pytester.makepyfile(
        test_it="""
import numpy as np


def test_both(adalloc):
    adalloc.measure(np.zeros, 5000, calls=7)
    with adalloc.record():
        kept = np.ones(6000)
    adalloc.measure(lambda: None, calls=3)
"""
    )
    plugin = () if entry_points(group="pytest11", name="adalloc") else ("-p", "pytest_adalloc.plugin")
    pytester.runpytest_subprocess(*plugin, "-q", "--adalloc-pprof=profiles").assert_outcomes(passed=1)
    totals = {}
    for path in sorted((pytester.path / "profiles").iterdir()):
        samples = decode(path.read_bytes()).samples
        totals[path.name] = [sum(values[kind] for _, values, _ in samples) for kind in (0, 1)]
    assert totals.pop("test_it.py_test_both-measured-1.pb.gz") == [7, 7 * 40_000]
    count, size = totals.pop("test_it.py_test_both-measured-2.pb.gz")
    assert count >= 1
    assert size >= 48_000
    assert totals == {"test_it.py_test_both-measured-3.pb.gz": [0, 0]}
    pytester.runpytest_subprocess(*plugin, "-q", "--basetemp=other").assert_outcomes(passed=1)
    assert len(list((pytester.path / "profiles").iterdir())) == 3


def test_it_is_a_public_function(tmp_path: Path) -> None:
    import pytest_adalloc

    assert pytest_adalloc.write_profile is write_profile
    assert decode(pytest_adalloc.write_profile(REPORT, tmp_path / "a.pb.gz").read_bytes()).samples
