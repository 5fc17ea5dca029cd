"""What differs between two documents: field by field for a person, or line by line as programs compare texts. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

MOST = 200
"""Differences that are told at most; a document may have thousands of fields."""

NOTHING: Any = object()


def fields(before: Any, after: Any, most: int = MOST) -> list[dict[str, Any]]:
    """`[{"where": "lines.0.quantity", "before": "2", "after": "3"}]`; None for a side where the field is not there."""
    told: list[dict[str, Any]] = []
    for where, was, now in _differences("", before, after):
        told.append({"where": where or "–", "before": _text(was), "after": _text(now)})
        if len(told) == most:
            break
    return told


def lines(before: str, after: str, most: int = MOST) -> list[str]:
    """The lines that went ("- …") and came ("+ …"), each with a line around it ("  …"); empty where nothing differs."""
    found = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[3:]
    told = [f"{line[:1]} {line[1:]}" if line[:1] in "+- " else "…" for line in found]
    return told if len(told) <= most else [*told[:most], "…"]


def laid_out(text: str) -> str:
    """JSON a field a line, so that lines can be compared; anything else stays as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def _differences(where: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _differences(_below(where, key), before.get(key, NOTHING), after.get(key, NOTHING))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from _differences(_below(where, place), _at(before, place), _at(after, place))
    else:
        yield where, before, after


def _at(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else NOTHING


def _below(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _text(value: Any) -> str | None:
    if value is NOTHING:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
