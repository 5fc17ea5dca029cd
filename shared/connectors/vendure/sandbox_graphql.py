"""As much of GraphQL as the stand-in needs: documents are parsed, and answered with the fields they ask for.

What a document asks for and the stand-in does not know is refused, as the real one refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\.\.\.|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|\w+|[{}()\[\]:$!=@]')
_SPACE = re.compile(r"(?:[\s,]|#[^\n]*)+")
_WORDS = {"true": True, "false": False, "null": None}


class Invalid(Exception):
    """A document that does not fit the schema: HTTP 400."""


class Refused(Exception):
    """An error of execution: HTTP 200 with `errors`."""

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.path = code, message, path


@dataclass(frozen=True)
class Selection:
    """A field, or with `on` an inline fragment, or with `spread` the name of a fragment."""

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inner: tuple[Selection, ...] = ()
    on: str = ""
    spread: str = ""


@dataclass(frozen=True)
class Variable:
    """A place where a variable stands."""

    name: str


class Document:
    """One operation and its fragments."""

    def __init__(self, text: str) -> None:
        self.operation = ""
        self.selections: tuple[Selection, ...] = ()
        self.fragments: dict[str, tuple[Selection, ...]] = {}
        self._tokens = list(_tokens(text))
        self._at = 0
        while self._at < len(self._tokens):
            self._definition()

    def answer(self, roots: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """`data`. A root is a function of its arguments; so may be a field. Raises Invalid, Refused."""
        return self._object(roots, self.selections, variables)

    # -- reading -----------------------------------------------------------------------------------------------------

    def _next(self, expected: str | None = None) -> str:
        if self._at >= len(self._tokens):
            raise Invalid("Syntax Error: Unexpected <EOF>.")
        token = self._tokens[self._at]
        if expected is not None and token != expected:
            raise Invalid(f'Syntax Error: Expected "{expected}", found "{token}".')
        self._at += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _definition(self) -> None:
        kind = self._next()
        if kind == "fragment":
            name = self._next()
            self._next("on")
            self._next()
            self.fragments[name] = self._selections()
            return
        if kind not in ("query", "mutation") or self.selections:
            raise Invalid(f'Syntax Error: Unexpected "{kind}".')
        self.operation = self._next()
        if self._peek() == "(":
            while self._next() != ")":
                pass
        self.selections = self._selections()

    def _selections(self) -> tuple[Selection, ...]:
        self._next("{")
        found = []
        while self._peek() != "}":
            if self._peek() == "...":
                self._next()
                if self._peek() == "on":
                    self._next()
                    found.append(Selection(on=self._next(), inner=self._selections()))
                else:
                    found.append(Selection(spread=self._next()))
                continue
            name = self._next()
            arguments: dict[str, Any] = {}
            if self._peek() == "(":
                self._next()
                while self._peek() != ")":
                    key = self._next()
                    self._next(":")
                    arguments[key] = self._value()
                self._next()
            found.append(Selection(name, arguments, self._selections() if self._peek() == "{" else ()))
        self._next("}")
        return tuple(found)

    def _value(self) -> Any:
        mark = self._next()
        if mark == "$":
            return Variable(self._next())
        if mark == "[":
            items = []
            while self._peek() != "]":
                items.append(self._value())
            self._next()
            return items
        if mark == "{":
            held = {}
            while self._peek() != "}":
                key = self._next()
                self._next(":")
                held[key] = self._value()
            self._next()
            return held
        if mark.startswith('"'):
            return mark[1:-1]
        return _WORDS.get(mark, int(mark) if re.fullmatch(r"-?\d+", mark) else mark)

    # -- answering ---------------------------------------------------------------------------------------------------

    def _object(
        self, held: Mapping[str, Any], selections: Sequence[Selection], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for each in selections:
            if each.spread:
                told |= self._object(held, self.fragments[each.spread], variables)
            elif each.on:
                kind = held.get("__typename")
                if kind == each.on or (each.on == "ErrorResult" and "errorCode" in held):
                    told |= self._object(held, each.inner, variables)
            elif each.name not in held:
                raise Invalid(f'Cannot query field "{each.name}".')
            else:
                value = held[each.name]
                if isinstance(value, Callable):  # type: ignore[arg-type]
                    value = value(**_filled(each.arguments, variables))
                elif each.arguments:
                    raise Invalid(f'Unknown argument on field "{each.name}".')
                told[each.name] = self._field(value, each, variables)
        return told

    def _field(self, value: Any, selection: Selection, variables: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._field(each, selection, variables) for each in value]
        if not isinstance(value, Mapping):
            return value
        if not selection.inner:
            raise Invalid(f'Field "{selection.name}" must have a selection of subfields.')
        return self._object(value, selection.inner, variables)


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        if space := _SPACE.match(text, at):
            at = space.end()
            continue
        found = _TOKEN.match(text, at)
        if found is None:
            raise Invalid(f"Syntax Error: Unexpected character {text[at]!r}.")
        yield found[0]
        at = found.end()


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Variable):
        return variables.get(value.name)
    if isinstance(value, Mapping):
        return {key: _filled(each, variables) for key, each in value.items()}
    return [_filled(each, variables) for each in value] if isinstance(value, list) else value
