"""`print`, warnings and logging: described while compiling, sent by Python after the call (`adcore.ir.messages`)."""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adcore.frontend.python.functions.builtin import Named, builtin
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import NONE, POISON, Abstract, Constant, ExceptionValue, Poison
from adcore.frontend.values.deferred import Description
from adcore.frontend.values.describe import describe
from adcore.ir.exceptions import Raising
from adcore.ir.messages import Message, StandardFile

LEVELS = ("debug", "info", "warning", "error", "critical")
SENT = "Python says it after the call"
NEVER_WARNS = "compiled code gives no warnings of NumPy's that could be made errors; test the operands instead"


def emit_message(
    scope: FunctionScope, node: ast.AST, channel: str, args: Sequence[Abstract], keywords: Mapping[str, Abstract] = {}
) -> Abstract:
    """Sends a message here."""
    described = Description(scope, node)
    items = tuple(_made(described, value) for value in args)
    named = tuple((name, described.of(value)) for name, value in keywords.items())
    if not described.sound:
        return POISON
    kinds = tuple(described.kinds)
    function = getattr(scope.node, "name", "<lambda>")
    message = Message(channel, items, named, kinds, _module(scope), function, _callers(scope))
    scope.session.messages += 1
    with scope.at(node):
        scope.builder.emit_many("message", described.numbers, {"message": message})
    return NONE


def _made(described: Description, value: Abstract) -> Any:
    if not isinstance(value, ExceptionValue):
        return described.of(value)
    named = tuple((name, described.of(item)) for name, item in value.keywords)
    return Raising(value.cls, tuple(map(described.of, value.args)), named)


def _module(scope: FunctionScope) -> str:
    return str(scope.source.function.__globals__.get("__name__", "__main__"))


def _callers(scope: FunctionScope) -> tuple[Any, ...]:
    """The calls that lead here, the innermost first."""
    session = scope.session
    outer = session.open_calls[: len(session.call_sites)]
    return tuple(
        (site, _module(caller)) for site, caller in reversed(list(zip(session.call_sites, outer, strict=True)))
    )


def _constant(value: Abstract | None, default: Any) -> Any:
    """What an option is known to be; `POISON` where it is not."""
    if value is None:
        return default
    return value.value if isinstance(value, Constant) else POISON


# print ----------------------------------------------------------------------------------------------------------------


@builtin(print, 0, None, "sep", "end", "flush", "file", samples=(), about=SENT)
def _print(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
    keywords = dict(named)
    if "file" in keywords:
        file = _constant(keywords.pop("file"), None)
        if file is not None and not isinstance(file, StandardFile):
            return scope.error(node, "print(..., file=...) of other than sys.stdout and sys.stderr is not supported")
        if file is not None:
            keywords["file"] = Constant(file.value)
    return emit_message(scope, node, "print", args, keywords)


# Warnings -------------------------------------------------------------------------------------------------------------


@builtin(
    warnings.warn, 1, 4, "message", "category", "stacklevel", "source",
    samples=(), about=SENT,
)  # fmt: skip
def _warn(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
    found = {**dict(zip(("message", "category", "stacklevel", "source"), args, strict=False)), **named}
    category, level = _constant(found.get("category"), None), _constant(found.get("stacklevel"), 1)
    made = found.get("message")
    if made is None or _constant(found.get("source"), None) is not None:
        return scope.error(node, "warnings.warn takes a message, a category and a stack level here")
    is_warning = isinstance(made, ExceptionValue) and issubclass(made.cls, Warning)
    if category is not None and not (isinstance(category, type) and issubclass(category, Warning)):
        return scope.error(node, "the category of a warning must be a class of warnings that is known while compiling")
    if isinstance(made, ExceptionValue) and not is_warning:
        return scope.error(node, f"{describe(made)} is no warning", "give a text, or make a Warning")
    if type(level) is not int:
        return scope.error(node, "the stack level of a warning must be known while compiling")
    return emit_message(scope, node, "warn", [made, Constant(None if is_warning else category), Constant(level)])


FILTER_OPTIONS = ("action", "category", "message", "module", "lineno", "append")


def _filter_rule(function: Callable[..., Any]) -> None:
    @builtin(function, 0, 5, *FILTER_OPTIONS, samples=(), about="for the messages of this call")
    def rule(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
        given = [*args, *named.values()]
        if not all(isinstance(value, (Constant, Poison)) for value in given):
            return scope.error(node, "filters of warnings must be known while compiling")
        if "error" in (_constant(value, None) for value in given):
            return scope.error(node, f"warnings.{function.__name__} that makes errors is not supported", NEVER_WARNS)
        scope.session.filters += 1
        return emit_message(scope, node, "filter", [Constant(function.__name__), *args], named)


FILTERS = ("simplefilter", "filterwarnings", "resetwarnings")
for _name in FILTERS:
    _filter_rule(getattr(warnings, _name))


# Logging --------------------------------------------------------------------------------------------------------------


def _log_rule(function: Callable[..., Any]) -> None:
    @builtin(
        function, 1, None, "exc_info", "stack_info", "stacklevel", "extra",
        samples=(), about=SENT,
    )  # fmt: skip
    def rule(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
        return _log(scope, node, None, function.__name__, args, named)


for _name in (*LEVELS, "log"):
    _log_rule(getattr(logging, _name))


@builtin(logging.getLogger, 0, 1, "name", samples=(), about="a logger; its methods send messages")
def _logger(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
    name = _constant((args or list(named.values()) or [NONE])[0], None)
    if name is not None and not isinstance(name, str):
        return scope.error(node, "the name of a logger must be known while compiling")
    return Constant(logging.getLogger(name))


def logger_call(
    scope: FunctionScope, node: ast.Call, function: Any, args: list[Abstract], named: Mapping[str, Abstract]
) -> Abstract | None:
    """A call of a method of a logger; None where it is no such method, or one that sends nothing."""
    logger, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    usual = isinstance(logger, logging.Logger) and type(logger) in (logging.Logger, logging.RootLogger)
    if not isinstance(logger, logging.Logger) or not usual or name not in (*LEVELS, "log", "warn"):
        return None
    if logger.manager.loggerDict.get(logger.name) is not logger and logger is not logging.root:
        return None
    return _log(scope, node, logger.name, "warning" if name == "warn" else name, args, named)


def _log(
    scope: FunctionScope,
    node: ast.Call,
    logger: str | None,
    method: str,
    args: Sequence[Abstract],
    named: Mapping[str, Abstract],
) -> Abstract:
    usual = {"exc_info": (None, False), "stack_info": (False, None), "stacklevel": (1,)}
    for key, known in usual.items():
        if key in named and _constant(named[key], None) not in known:
            return scope.error(node, f"{key}= of a message to a log is not supported", f"leave `{key}=` out")
    keywords = {key: value for key, value in named.items() if key not in usual}
    return emit_message(scope, node, "log", [Constant(logger), Constant(method), *args], keywords)
