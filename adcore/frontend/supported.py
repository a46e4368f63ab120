"""The list of what programs may call, made from where it is registered.

`python -m adcore.frontend.supported > docs/supported.md` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adcore.frontend.functions import FUNCTIONS, METHODS
from adcore.frontend.registry import Supported

HEAD = """# What programs may call

This page is made by `python -m adcore.frontend.supported` from where each function is registered; a test keeps it so.
What is written in the language itself (statements, operators, subscripts, comprehensions) is in
[another page](reference/language.md).
"""

ROOMS = (
    ("Builtins", "", "Python's own, for numbers and whatever has a length."),
    ("`math`", "math.", "They raise outside their domain, as in Python."),
    ("Messages", "messages", "See [messages](messages.md); methods of loggers are among them."),
    ("NumPy: numbers, and arrays element by element", "numbers", "With NumPy's types and broadcasting."),
    ("NumPy: arrays", "arrays", "Arguments that are not supported are refused by name."),
    ("Methods of arrays", ".", ""),
)


def room(entry: Supported) -> str:
    """Under which heading a function stands."""
    if entry.name.startswith("np."):
        return "numbers" if entry.numbers else "arrays"
    if entry.name == "print" or entry.name.startswith(("warnings.", "logging.")):
        return "messages"
    return entry.name[: entry.name.rfind(".") + 1]


def rows(entries: Iterable[Supported]) -> Iterator[str]:
    yield "| call | gives |"
    yield "|---|---|"
    for entry in sorted(entries, key=lambda entry: entry.name.lower()):
        yield f"| `{entry.name}` | {entry.about} |"


def page() -> str:
    """The text of docs/supported.md."""
    lines = [HEAD]
    every = [entry for entry in (*FUNCTIONS.values(), *METHODS.values()) if entry.about]
    for title, key, about in ROOMS:
        lines += [f"## {title}", ""]
        lines += [about, ""] if about else []
        lines += [*rows(entry for entry in every if room(entry) == key), ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
