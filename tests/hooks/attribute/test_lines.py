"""Sites that several lines lead to are told apart by line."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest

from pytest_adalloc.hooks import measure
from pytest_adalloc.hooks.attribute.sites import divided

SIZE = 160


def several_lines(x: Any) -> Any:
    outer = np.outer(x, x)
    scaled = 2.0 * outer
    return scaled.sum(axis=0) + (x * x).sum()


def test_bytes_are_those_of_the_line_that_asked() -> None:
    report = measure(several_lines, np.linspace(0.1, 1.0, SIZE), calls=50)
    by_text: dict[str, int] = {}
    for site in report.sites:
        text = linecache.getline(site.file, site.line).strip()
        by_text[text] = by_text.get(text, 0) + site.bytes
    assert by_text.pop("scaled = 2.0 * outer") == 50 * SIZE * SIZE * 8
    assert by_text.pop("outer = np.outer(x, x)") >= 50 * SIZE * SIZE * 8
    assert by_text.pop("return scaled.sum(axis=0) + (x * x).sum()") == 50 * 3 * SIZE * 8
    assert not by_text
    assert sum(site.count for site in report.sites) == report.allocs
    assert sum(site.bytes for site in report.sites) == report.bytes


@pytest.mark.parametrize(
    ("total", "shares", "parts"),
    [(500, [3, 1, 1], [300, 100, 100]), (7, [1, 1], [4, 3]), (5, [], []), (0, [2, 3], [0, 0]), (9, [0, 2], [0, 9])],
)
def test_what_is_divided_stays_whole(total: int, shares: list[int], parts: list[int]) -> None:
    assert divided(total, shares) == parts
