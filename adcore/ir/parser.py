"""Text to IR: the inverse of the printer, so that a test of a pass is two strings."""

from __future__ import annotations

import ast
import re
from typing import Any

from adcore.ir.core import Function, Instr, Module, Region, Value
from adcore.ir.types import SCALARS, ArrayType, Layout, ListType, Type

_TOKEN = re.compile(
    r"""\s*(?:;[^\n]*\n\s*)*(?:(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<value>%[\w.]+)|(?P<func>@[\w.<>]+)"""
    r"""|(?P<arrow>->)|(?P<number>-?(?:inf|nan|\d[\d.]*(?:e[+-]?\d+)?)(?![\w]))|(?P<word>[A-Za-z_][\w.]*)|(?P<mark>[(){}\[\],:=<>]))"""
)


class IRSyntaxError(ValueError):
    """Text that is not IR; the message names the line."""


def parse_type(text: str) -> Type:
    """`f64`, `array<f64,2,C>` or `list<f64,2,S>`."""
    if text in SCALARS:
        return SCALARS[text]
    match = re.fullmatch(r"(array|list)<(\w+),(\d+),([CSP])>", text.replace(" ", ""))
    if not match:
        raise IRSyntaxError(f"not a type: {text}")
    kind, element, rank, layout = match.groups()
    make = ArrayType if kind == "array" else ListType
    layouts: dict[str, Layout] = {"C": "C", "S": "S", "P": "P"}
    return make(SCALARS[element], int(rank), layouts[layout])


def parse_module(text: str) -> Module:
    """All functions of `text`; the last one is the main function."""
    parser = _Parser(text)
    functions = []
    while parser.peek():
        functions.append(parser.function())
    if not functions:
        raise IRSyntaxError("no function")
    return Module(functions[-1], {f.name: f for f in functions[:-1]})


def parse_function(text: str) -> Function:
    """The only function of `text`."""
    return parse_module(text).main


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0
        self.scopes: list[dict[str, Value]] = [{}]

    def peek(self) -> str:
        match = _TOKEN.match(self.text, self.position)
        return match.group().strip().rsplit("\n", 1)[-1].strip() if match else ""

    def next(self, expected: str | None = None) -> str:
        match = _TOKEN.match(self.text, self.position)
        token = self.peek()
        if not match or (expected is not None and token != expected):
            line = self.text.count("\n", 0, self.position) + 1
            raise IRSyntaxError(f"line {line}: expected {expected or 'a token'}, found {token or 'the end'!r}")
        self.position = match.end()
        return token

    def type(self) -> Type:
        text = self.next()
        if self.peek() == "<":
            while not text.endswith(">"):
                text += self.next()
        return parse_type(text)

    def define(self) -> Value:
        name = self.next()
        self.next(":")
        value = Value(self.type(), "" if name[1:].isdigit() else name[1:].split(".")[0])
        self.scopes[-1][name] = value
        return value

    def use(self) -> Value:
        name = self.next()
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        raise IRSyntaxError(f"line {self.text.count(chr(10), 0, self.position) + 1}: {name} is not defined here")

    def sequence(self, item: Any, start: str) -> tuple[Any, ...]:
        items = []
        while self.peek().startswith(start):
            items.append(item())
            if self.peek() != ",":
                break
            self.next(",")
        return tuple(items)

    def function(self) -> Function:
        self.scopes = [{}]
        self.next("func")
        name = self.next()[1:]
        self.next("(")
        params = self.sequence(self.define, "%")
        self.next(")")
        self.next("->")
        while self.next() != "{":
            pass
        body = self.body("return")
        region = Region(params, body, self.sequence(self.use, "%"))
        self.next("}")
        return Function(name, region)

    def body(self, end: str) -> tuple[Instr, ...]:
        body = []
        while self.peek() != end:
            body.append(self.instr())
        self.next(end)
        return tuple(body)

    def instr(self) -> Instr:
        start = self.position
        results: tuple[Value, ...] = ()
        if self.peek().startswith("%"):
            # Results come into scope after the instruction, so read them as text first.
            self.scopes.append({})
            results = self.sequence(self.define, "%")
            defined = self.scopes.pop()
            self.next("=")
        else:
            defined = {}
        op = self.next()
        operands = self.sequence(self.use, "%")
        attrs = self.attributes() if self.peek() == "[" else {}
        regions = []
        while self.peek() == "{":
            regions.append(self.region())
        assert self.position > start
        self.scopes[-1].update(defined)
        return Instr(op, operands, results, attrs, tuple(regions))

    def attributes(self) -> dict[str, Any]:
        self.next("[")
        start, depth = self.position, 1
        while depth:
            token = self.next()
            depth += {"[": 1, "]": -1}.get(token, 0)
        source = self.text[start : self.position - 1].replace("inf", "1e999")
        source = re.sub(r"\bnan\b", "(1e999-1e999)", source)
        call = ast.parse(f"f({source.strip()})", mode="eval").body
        assert isinstance(call, ast.Call)
        return {str(k.arg): _literal(k.value) for k in call.keywords}

    def region(self) -> Region:
        self.next("{")
        self.scopes.append({})
        self.next("(")
        params = self.sequence(self.define, "%")
        self.next(")")
        self.next(":")
        body = self.body("yield")
        yields = self.sequence(self.use, "%")
        self.scopes.pop()
        if self.peek() == "}":
            self.next("}")
        return Region(params, body, yields)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp):
        return float("nan")
    return ast.literal_eval(node)
