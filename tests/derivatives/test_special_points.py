"""The table of the page on derivatives at special points."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore as ad

PAGE = Path(__file__).parents[2] / "docs" / "derivatives-at-special-points.md"

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def rows() -> list[tuple[str, str, str]]:
    """(expression of `x`, `x`, slope), from the rows with three cells of code."""
    found = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(found) > 20
    return found


def program(expression: str, tmp_path: Path) -> Any:
    path = tmp_path / "expression.py"
    path.write_text(f"import math\nimport numpy as np\n\n\ndef f(x):\n    return {expression}\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names["f"]


@pytest.mark.parametrize(("expression", "at", "slope"), rows())
def test_the_table(expression: str, at: str, slope: str, tmp_path: Path) -> None:
    f, x, expected = program(expression, tmp_path), np.float64(at), float(slope)
    found = ad.grad(f)(x), ad.jvp(f, (x,), (1.0,))[1]
    for value in found:
        assert (math.isnan(value) and math.isnan(expected)) or value == expected, found


def test_lengths_of_arrays() -> None:
    def norm(x):
        return np.linalg.norm(x)

    def rows_of(x):
        return np.sum(np.linalg.norm(x, axis=1))

    assert ad.grad(norm)(np.zeros(3)).tolist() == [0, 0, 0]
    assert ad.jvp(norm, (np.zeros(3),), (np.ones(3),))[1] == 0
    found = ad.grad(rows_of)(np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(found, [[0, 0], [0.6, 0.8]])
