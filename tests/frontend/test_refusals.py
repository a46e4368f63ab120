"""What is refused is said once, with advice that is right for it; a fault of the compiler comes with a line."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

import adcore as ad
from adcore.errors import MOST_ENTRIES, CompileError, Diagnostic
from adcore.fault import CompilerFault
from adcore.frontend.python import operators
from adcore.source import Span
from tests.frontend.support import compiled


def refused(f, *args):
    with pytest.raises(CompileError) as caught:
        compiled(f, *args)
    return caught.value


def behind_a_class(x):
    class Inner:
        y = np.linalg.qr(x)

    return x[0]


def behind_async(x):
    async def later():
        return 1.0

    total = np.linalg.eig(x)[0]
    return np.linalg.svd(total)


def thrice(A, x):
    y = np.linalg.qr(A) @ x
    z = np.linalg.qr(A) @ x
    return np.sum(y + z + np.linalg.qr(A) @ x)


def through_a_library(x):
    return statistics.pvariance([x, 2.0])


def drawn(x):
    return x * np.random.normal()


def test_bodies_are_looked_at_and_nothing_follows():
    error = refused(behind_a_class, np.ones(2))
    assert [d.title for d in error.diagnostics] == ["a class inside a compiled function is not supported"]
    titles = [d.title for d in refused(behind_async, np.ones(2)).diagnostics]
    assert "numpy.linalg.svd is not supported" in titles
    assert "numpy.linalg.eig is not supported" in titles
    assert not any("has no value" in title for title in titles)


def test_one_entry_for_one_construct():
    error = refused(thrice, np.eye(2), np.ones(2))
    assert len(error.diagnostics) == 3
    text = str(error)
    assert text.count("numpy.linalg.qr is not supported") == 1
    first = error.diagnostics[0].span.line
    assert f"also in lines {first + 1}, {first + 2}" in text


def test_ten_entries_and_a_count():
    found = [Diagnostic(f"thing {k} is not supported", Span(__file__, k + 1, 0, k + 1, 1)) for k in range(13)]
    text = str(CompileError(found))
    assert text.count("is not supported") == MOST_ENTRIES
    assert text.endswith("... and 3 more")


def test_a_library_is_called_by_its_name():
    (found,) = refused(through_a_library, 1.0).diagnostics
    assert found.title == "statistics.pvariance is not supported"
    assert found.span.file == __file__
    assert "statistics.py" in found.notes[0]


def test_advice_is_for_the_construct():
    assert "draw outside" in str(refused(drawn, 1.0))
    assert "loops" in str(refused(thrice, np.eye(2), np.ones(2)))


def test_a_fault_of_the_compiler_has_a_line_and_a_program(monkeypatch):
    def broken(*args):
        raise ValueError("deliberately")

    monkeypatch.setattr(operators, "combine", broken)

    def innocent(x):
        return x + 1.0

    with pytest.raises(CompilerFault, match="please report") as caught:
        ad.grad(innocent)(1.5)
    (found,) = caught.value.diagnostics
    assert found.span.file == __file__
    program = Path(found.notes[-1].split(": ")[-1])
    text = program.read_text()
    assert "def innocent(x):" in text
    assert "ValueError: deliberately" in text
    program.unlink()
