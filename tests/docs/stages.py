"""docs/dev/stages.md is what the compiler prints: `python -m tests.docs.stages` writes it, a test compares."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import numpy as np

import adcore as ad
from adcore.driver.pipeline import STAGES
from tests.docs.energy import energy

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "dev" / "stages.md"

HEAD = """# One program through every stage

Written by `python -m tests.docs.stages`; a test holds it to the compiler. Constants have names of their own in the IR,
and results keep the user's names where there are some. The grammar is shown in `adcore/ir/core.py`.
"""

SAID = {
    "python": "A temporary array, a sum, and a store that destroys what the gradient of the sum reads.",
    "ir": "`adcore/frontend`: an expression over arrays is a loop. Subscripts are checked (`index`), as Python does.",
    "inlined": "`adcore/transform/canonical/inline.py`: calls would be replaced by what they call.",
    "simplified": "`adcore/transform/canonical`: the loop's bounds prove the subscripts, so the checks are gone.",
    "merged": "`adcore/transform/arrays`: the loops are joined, `double` has lost its dimension and is a value.",
    "derived": "`adcore/transform/diff`: the forward sweep with what the plan keeps (`%kept_`), then the reverse "
    "sweep. `%d_x` is the shadow of `%x`. What a store wrote had its adjoint in the shadow, which is cleared.",
    "plan": "`adcore/analysis/planning`: `x[i]`, as `2.0 * x` reads it, is kept; `double` is not, because it can be "
    "computed from that again. The other array that is suggested was tried before it was printed.",
    "gradient": "`adcore/transform/optimize`: clearing the shadow and adding to it is a store, and as no iteration "
    "depends on another one, the reverse loop runs upwards.",
    "llvm": "`adcore/lower`: here the reverse loop alone, without metadata.",
}
"""What happens in a stage, by its name; stages that print what depends on the processor are left out."""

AFTERWARDS = (
    "`optimised` and `assembly` follow: `python -m adcore tests/docs/energy.py:energy --show assembly` prints what "
    "LLVM makes of it on your processor. A certificate then reads the object: no allocating function can be reached."
)

LANGUAGES = {"python": "python", "plan": "text", "llvm": "llvm"}


def page() -> str:
    """The whole page."""
    x = np.linspace(0.5, 1.5, 8)
    handle = ad.compile(energy, ad.Duplicated(x, np.zeros(8)))
    claims = {stage.name: stage.claim for stage in STAGES}
    parts, before = [HEAD], ""
    for name, said in SAID.items():
        text = handle.stage(name).replace(f"{ROOT}{os.sep}", "").strip()
        text = loop(text) if name == "llvm" else text
        shown = f"```{LANGUAGES.get(name, 'text')}\n{text}\n```" if text != before else "Here it changes nothing."
        parts.append(f"## {name}: {claims[name]}\n\n{wrapped(said)}\n\n{shown}\n")
        before = text
    parts.append(f"{wrapped(AFTERWARDS)}\n")
    return "\n".join(parts)


def wrapped(said: str) -> str:
    return textwrap.fill(said, 120, break_long_words=False, break_on_hyphens=False)


def loop(text: str) -> str:
    """The last loop of LLVM IR, with names counted from 0 and without metadata."""
    blocks = re.findall(r"^(\w+):\n((?:  .*\n)*)", text, re.MULTILINE)
    label, body = [(label, body) for label, body in blocks if f"label %{label}," in body][-1]
    plain = re.sub(r", ![\w.]+ !\d+", "", f"{label}:\n{body}")
    names: dict[str, str] = {}
    plain = re.sub(r"%v\d+", lambda match: names.setdefault(match.group(), f"%v{len(names)}"), plain)
    return re.sub(r"\b(body|before|after)\d+\b", r"\1", plain).strip()


if __name__ == "__main__":
    PAGE.write_text(page())
