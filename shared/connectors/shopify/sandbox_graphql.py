"""As much GraphQL as the stand-in needs: reads a document, answers with the fields that it asks for, counts its cost.

What is asked for and not there is an error, as with the real one: a field that the client forgot to ask for stays out
of its answer, and so its mapping cannot rely on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\.\.\.|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[{}()\[\]:$!@=]')
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}

CHANGE_COST = 10
PAGE_COST = 2


class QueryError(Exception):
    """The document asks for something that there is not."""


@dataclass(frozen=True)
class Node:
    """A field, or a group of fields: `kind` is field, spread (a fragment's name) or inline (a type's name)."""

    kind: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    directives: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inner: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Variable:
    """A place that a variable's value goes to."""

    name: str


class Document:
    """One operation with its fragments."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self.fragments: dict[str, tuple[Node, ...]] = {}
        self.kind = ""
        self.inner: tuple[Node, ...] = ()
        while self._at < len(self._tokens):
            word = self._take()
            if word == "fragment":
                name = self._take()
                self._take("on")
                self._take()
                self.fragments[name] = self._selection()
            else:
                self.kind = word
                self._take()
                if self._peek() == "(":
                    self._skip_declarations()
                self.inner = self._selection()

    def answer(self, resolvers: Mapping[str, Callable[..., Any]], variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data: each field at the top is resolved by the function of its name."""
        found: dict[str, Any] = {}
        for node in self.inner:
            arguments = self._filled(node.arguments, variables)
            keys = self._filled(node.directives.get("idempotent", {}), variables)
            if node.name not in resolvers:
                raise QueryError(f"Field '{node.name}' doesn't exist")
            value = resolvers[node.name](**arguments, **({"idempotency_key": keys["key"]} if keys else {}))
            found[node.name] = self._value(value, node, arguments, variables)
        return found

    def cost(self, variables: Mapping[str, Any], data: Any = None) -> int:
        """Points: asked for, or, with the data, really used. An object is one, a page two more, a change ten."""
        change = CHANGE_COST if self.kind == "mutation" else 0
        return change + sum(
            self._cost(node, variables, None if data is None else [data.get(node.name)]) for node in self.inner
        )

    # -- answering ---------------------------------------------------------------------------------------------------

    def _value(self, value: Any, node: Node, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> Any:
        if callable(value):
            value = value(**arguments)
        if value is None or not node.inner:
            return value
        if isinstance(value, list):
            if any(each.name == "nodes" for each in node.inner):
                return self._object(_page(value, **arguments), node.inner, variables)
            return [self._object(each, node.inner, variables) for each in value[: arguments.get("first")]]
        return self._object(value, node.inner, variables)

    def _object(self, value: Any, inner: Sequence[Node], variables: Mapping[str, Any]) -> Any:
        if value is None:
            return None
        found: dict[str, Any] = {}
        for node in inner:
            if not self._is_included(node, variables):
                continue
            if node.kind == "field":
                if node.name not in value:
                    raise QueryError(f"Field '{node.name}' doesn't exist")
                arguments = self._filled(node.arguments, variables)
                found[node.name] = self._value(value[node.name], node, arguments, variables)
            elif node.kind == "spread":
                found |= self._object(value, self.fragments[node.name], variables)
            elif value.get("__typename") == node.name:
                found |= self._object(value, node.inner, variables)
        return found

    def _is_included(self, node: Node, variables: Mapping[str, Any]) -> bool:
        for name, wanted in (("include", True), ("skip", False)):
            if name in node.directives and self._filled(node.directives[name], variables)["if"] is not wanted:
                return False
        return True

    def _filled(self, value: Any, variables: Mapping[str, Any]) -> Any:
        if isinstance(value, Variable):
            return variables.get(value.name)
        if isinstance(value, dict):
            return {name: self._filled(each, variables) for name, each in value.items()}
        return [self._filled(each, variables) for each in value] if isinstance(value, list) else value

    # -- counting ----------------------------------------------------------------------------------------------------

    def _cost(self, node: Node, variables: Mapping[str, Any], values: list[Any] | None) -> int:
        """values: what came out at this place, once for each object that holds it; None: only asked for."""
        if not self._is_included(node, variables):
            return 0
        if node.kind != "field":
            inner = self.fragments[node.name] if node.kind == "spread" else node.inner
            return sum(self._cost(each, variables, values) for each in inner)
        if not node.inner:
            return 0
        arguments = self._filled(node.arguments, variables)
        paged = any(each.name == "nodes" for each in node.inner)
        if values is None:
            times = arguments.get("first") or len(arguments.get("ids") or ()) or 1
            nodes = next(each for each in node.inner if each.name == "nodes").inner if paged else node.inner
            return (PAGE_COST if paged else 0) + times * (1 + sum(self._cost(each, variables, None) for each in nodes))
        held = [
            each for value in values for each in (value if isinstance(value, list) else [value]) if each is not None
        ]
        if paged:
            nodes = next(each for each in node.inner if each.name == "nodes").inner
            held = [each for value in held for each in value["nodes"] if each is not None]
        else:
            nodes = node.inner
        # What a fragment of another type asks for is not there, and costs nothing.
        below = sum(self._inner_cost(each, variables, held) for each in nodes)
        return (PAGE_COST if paged else 0) + len(held) + below

    def _inner_cost(self, node: Node, variables: Mapping[str, Any], held: list[Any]) -> int:
        if node.kind != "field":
            inner = self.fragments[node.name] if node.kind == "spread" else node.inner
            return sum(self._inner_cost(each, variables, held) for each in inner)
        return self._cost(node, variables, [each.get(node.name) for each in held])

    # -- reading -----------------------------------------------------------------------------------------------------

    def _peek(self) -> str:
        return str(self._tokens[self._at]) if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        word = self._peek()
        if not word or (expected and word != expected):
            raise QueryError(f"Parse error on {word!r}")
        self._at += 1
        return word

    def _skip_declarations(self) -> None:
        while self._take() != ")":
            pass

    def _selection(self) -> tuple[Node, ...]:
        self._take("{")
        found = []
        while self._peek() != "}":
            found.append(self._node())
        self._take("}")
        return tuple(found)

    def _node(self) -> Node:
        if self._peek() == "...":
            self._take()
            if self._peek() == "on":
                self._take()
                return Node("inline", self._take(), directives=self._directives(), inner=self._selection())
            return Node("spread", self._take(), directives=self._directives())
        name = self._take()
        arguments = self._arguments()
        directives = self._directives()
        return Node("field", name, arguments, directives, self._selection() if self._peek() == "{" else ())

    def _directives(self) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        while self._peek() == "@":
            self._take()
            name = self._take()
            found[name] = self._arguments()
        return found

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._peek() == "(":
            self._take()
            while self._peek() != ")":
                name = self._take()
                self._take(":")
                found[name] = self._literal()
            self._take()
        return found

    def _literal(self) -> Any:
        word = self._take()
        if word == "$":
            return Variable(self._take())
        if word == "[":
            values = []
            while self._peek() != "]":
                values.append(self._literal())
            self._take()
            return values
        if word.startswith('"'):
            return word[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if re.fullmatch(r"-?\d+", word):
            return int(word)
        return _CONSTANTS.get(word, word)


def _page(values: Sequence[Any], first: int, after: str | None = None, **_: Any) -> dict[str, Any]:
    """A page of a list that is there as a whole; a cursor is a place in it."""
    start = int(after) if after else 0
    more = start + first < len(values)
    info = {"hasNextPage": more, "endCursor": str(start + first) if more else None}
    return {"nodes": list(values[start : start + first]), "pageInfo": info}
