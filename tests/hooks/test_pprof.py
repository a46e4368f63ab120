"""The profile: decoded here independently, by the wire format's rules, and compared with the report."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.hooks import AllocationReport, Frame, Site, measure_native
from pytest_adalloc.hooks.pprof import profile, write_profile


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


def decode(data: bytes) -> dict[str, Any]:
    every = list(fields(gzip.decompress(data)))
    texts = [value.decode() for key, value in every if key == 6]
    functions = {d[1]: (texts[d[2]], texts[d.get(4, 0)]) for key, v in every if key == 5 for d in [dict(fields(v))]}
    locations = {}
    for key, value in every:
        if key == 4:
            location = dict(fields(value))
            line = dict(fields(location[4]))
            locations[location[1]] = (*functions[line[1]], line.get(2, 0))
    samples = []
    for key, value in every:
        if key == 2:
            sample = dict(fields(value))
            samples.append(([locations[i] for i in packed(sample[1])], packed(sample[2])))
    types = [tuple(texts[i] for i in dict(fields(v)).values()) for key, v in every if key == 1]
    return {"texts": texts, "types": types, "samples": samples, "functions": functions}


SITE = Site("malloc", "generated code", "rosenbrock", "user.py", 12, 300, 2**40, "reverse sweep")
REPORT = AllocationReport((3,) * 100, (16,) * 100, {"malloc": 300}, sites=(SITE,))


def test_a_site_with_its_line_count_and_bytes() -> None:
    found = decode(profile(REPORT, now=1.0))
    assert found["types"] == [("alloc_objects", "count"), ("alloc_space", "bytes")]
    ((stack, values),) = found["samples"]
    assert values == [300, 2**40]
    assert stack == [("malloc", "", 0), ("rosenbrock", "user.py", 12)]
    assert "reverse sweep" in found["texts"]
    assert found["texts"][0] == ""


def test_stacks_go_from_the_inside_out() -> None:
    stack = (Frame(1, "libb.so", "inner"), Frame(2, "liba.so", "outer"))
    site = Site("calloc", "libb.so", "inner", "", 0, 2, 10, stack=stack)
    found = decode(profile(AllocationReport((2,), (10,), sites=(site,))))
    assert [name for name, _, _ in found["samples"][0][0]] == ["calloc", "inner", "outer"]


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    assert profile(REPORT, now=1.0) == profile(REPORT, now=1.0)
    path = write_profile(REPORT, tmp_path / "grad.pb.gz")
    assert decode(path.read_bytes())["samples"][0][1] == [300, 2**40]


def test_a_silent_report_is_a_valid_profile() -> None:
    assert decode(profile(AllocationReport((0,), (0,))))["samples"] == []


def test_a_measured_profile(paths: Any) -> None:
    report = measure_native(paths.address("p_strdup"), 0, calls=5)
    ((stack, values),) = decode(profile(report))["samples"]
    assert values == [5, 45]
    assert stack[0][0] == "malloc"
    assert "p_strdup" in [name for name, _, _ in stack]


def test_go_reads_it(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed")
    path = write_profile(REPORT, tmp_path / "grad.pb.gz")
    command = [go, "tool", "pprof", "-top", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "rosenbrock" in run.stdout
