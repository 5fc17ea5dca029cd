"""The error catalogue: loads `entries/*.toml` once, answers by code, and explains a problem in German or English.

A code without an entry, a language or a variable fails a test, never a running service: at run time an unknown code is
explained as `unclassified`, and a variable without a value is shown as its name in angle quotes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from shared.errors.entry import VARIABLE, Entry, Language, Owner
from shared.errors.place import place
from shared.errors.problem import Problem

UNCLASSIFIED = "unclassified"
ASIDE = " ({place})"
"""Left out where a problem concerns the whole."""

SYSTEM: dict[Language, str] = {"de": "Das andere System", "en": "The other system"}
"""For `{system}` where whoever raised the problem did not know the name."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A problem in one language, ready to show.

    title:         one plain sentence for a list
    cause, steps:  why it happened, and what to do, in order
    retry_helps:   pressing "retry" can succeed although nobody changed anything
    goes_on:       it goes on by itself, once what it waits for has come true or by repetition
    owner:         whose turn it is
    """

    code: str
    title: str
    cause: str
    steps: tuple[str, ...]
    retry_helps: bool
    goes_on: bool
    owner: Owner


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every entry by code. Raises pydantic.ValidationError or ValueError for a faulty file (a test loads them all)."""
    found: dict[str, Entry] = {}
    for file in sorted((files("shared.errors") / "entries").iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml") or file.name == "places.toml":
            continue
        for code, fields in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if code in found:
                raise ValueError(f"{file.name}: {code} is listed twice")
            found[code] = Entry.model_validate({"code": code, **fields})
    return found


def entry(code: str) -> Entry:
    """The entry of a code; that of `unclassified` for a code nobody knows."""
    return catalogue().get(code) or catalogue()[UNCLASSIFIED]


def explain(problem: Problem, language: Language = "en") -> Explained:
    """What a person needs to know about a problem. Never raises for a missing value."""
    known = entry(problem.code)
    texts = known.texts(language)
    values = {"place": place(problem.field, language), "system": SYSTEM[language], **problem.values}
    aside = "" if problem.field or "place" in problem.values else ASIDE
    if known.code != problem.code:
        values = {"what": problem.code, "fingerprint": problem.code, **values}
    return Explained(
        code=problem.code,
        title=_filled(texts.title_of(values).replace(aside, ""), values),
        cause=_filled(texts.cause, values),
        steps=tuple(_filled(step, values) for step in texts.remedy),
        retry_helps=known.retry in ("now", "backoff"),
        goes_on=known.retry in ("backoff", "when the key clears"),
        owner=known.owner,
    )


def _filled(text: str, values: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda match: str(values.get(match[1], f"‹{match[1]}›")), text).strip()
