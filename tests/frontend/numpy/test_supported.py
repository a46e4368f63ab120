"""Every function that is registered does with its samples what Python does; the page that lists them is up to date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adcore.frontend.functions import FUNCTIONS, METHODS
from adcore.frontend.registry import Supported
from adcore.frontend.supported import page, room
from tests.frontend.support import agrees, written

X = np.array([0.9, 0.1, 0.55, 0.3])
Y = np.array([0.25, 0.7, 0.4, 0.2])
A = np.linspace(0.05, 0.95, 12).reshape(3, 4)
S = np.linspace(1.0, 2.0, 9).reshape(3, 3)
I = np.array([2, 0, 1, 3])  # noqa: E741
M = np.array([True, False, True, True])
"""What the names in samples are; `a` is a float, `k` an int."""

EVERY = [entry for entry in (*FUNCTIONS.values(), *METHODS.values()) if entry.about]

UNTESTED = {"np.fill_diagonal", "np.empty", "np.empty_like", "np.ndarray", "np.add.at", ".fill", ".item"} | {
    entry.name for entry in EVERY if room(entry) == "messages"
}
"""Results that are not defined, and what has none: other tests call these."""

RETURNED = {
    **dict.fromkeys(("range", "reversed", "iter"), "[v for v in {}]"), "enumerate": "[k * v for k, v in {}]",
    "zip": "[v * w for v, w in {}]",
    **dict.fromkeys(("np.split", "np.array_split", "np.hsplit", "np.vsplit"), "[v.copy() for v in {}]"),
}  # fmt: skip
VIEWS = {
    "np.expand_dims", "np.broadcast_to", "np.reshape", "np.ravel", ".reshape", ".ravel", "np.asarray", "np.asanyarray",
    "np.atleast_1d", "np.atleast_2d", "np.atleast_3d", "np.ascontiguousarray", }  # fmt: skip

CASES = [pytest.param(e, text, id=text) for e in EVERY for text in e.expressions]


@pytest.mark.parametrize(("entry", "text"), CASES)
def test_samples(entry: Supported, text: str, tmp_path: Path) -> None:
    # Iterators, and views of arguments with other axes, can't be returned.
    returned = RETURNED.get(entry.name, "np.array({})[...].copy()" if entry.name in VIEWS else "{}").format(text)
    program = f"import math\n\nimport numpy as np\n\n\ndef f(x, y, A, S, i, m, a, k):\n    return {returned}\n"
    agrees(written(tmp_path, program), X, Y, A, S, I, M, 0.45, 2, exact=False)


def test_every_function_has_samples_and_a_line() -> None:
    assert {e.name for e in EVERY if not e.samples} == UNTESTED
    # Their results are no numbers, or need more than a sample: other tests call these.
    others = {"callable", "filter", "format", "functools.reduce", "map", "repr", "str", "type"}
    assert {e.name for e in FUNCTIONS.values() if not e.about} == others


def test_a_name_means_one_function() -> None:
    names = [e.name for e in EVERY]
    assert len(names) == len(set(names))


def test_the_page_is_up_to_date() -> None:
    """Write it anew with `python -m adcore.frontend.supported > docs/supported.md`."""
    text = (Path(__file__).parents[3] / "docs" / "supported.md").read_text()
    newer = ("math.cbrt", "math.exp2")

    def old(text: str) -> list[str]:
        return [line for line in text.splitlines() if not any(f"`{name}`" in line for name in newer)]

    assert old(text) == old(page())
