"""Messages of the user's program (`print`, warnings, logging), described so that Python can send them after the call.

Compiled code only says which message it is and leaves numbers behind, in the order of the program. What stands in
`logger.info("step %d: %g", k, x)` is kept as data, as for exceptions (`adcore.ir.exceptions`): constants, numbers of
those that are left, and what Python has to do with them.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from adcore.source import Span


class StandardFile(enum.Enum):
    """A file of `sys` that programs name: which object that is shows when something is written."""

    STDOUT = "stdout"
    STDERR = "stderr"


class Message(NamedTuple):
    """What is sent through a channel ("print", "warn", "log", "enter", "leave", "filter"): arguments as descriptions.

    `kinds`: dtype of each number that is left, and whether it is Python's own. `module`, `function`: where the user
    wrote it. `callers`: the calls that lead there inside of the compiled code, with
    their modules, the innermost first.
    """

    channel: str
    args: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()
    kinds: tuple[tuple[str, bool], ...] = ()
    module: str = "__main__"
    function: str = ""
    callers: tuple[tuple[Span, str], ...] = ()
