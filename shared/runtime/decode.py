"""Bytes → a checked event, or every problem by name. Pure; nothing that arrives here can raise.

The fast way is one pass of pydantic over the bytes. Only when that fails, or when the bytes hold something suspicious,
the slow way looks for the words to say what is wrong.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from pydantic import ValidationError

from shared.errors.problem import Problem
from shared.events.envelope import CONTRACTS, Event

MOST_BYTES = 1024 * 1024
MOST_DEPTH = 64
MOST_PROBLEMS = 50
AHEAD = timedelta(minutes=5)
_ESCAPES = (rb"\u0000", rb"\ud", rb"\uD")
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Refused:
    """What could be read of a refused input, and all that is wrong with it."""

    problems: tuple[Problem, ...]
    source: str | None = None
    event_id: str | None = None
    type: str | None = None
    interface: str | None = None


def decode(body: bytes, expected: str | None, now: datetime) -> Event[Any] | Refused:
    """Check one event against its contract.

    expected: the slug of the event a queue is for (`order-imported`), None where any may come. now: the database's
    clock. Returns the event, or Refused with every problem found.
    """
    if len(body) > MOST_BYTES:
        return Refused((Problem("too-large", values={"bytes": str(len(body)), "most": str(MOST_BYTES)}),))
    contract = CONTRACTS.get(f"{expected}.v1") if expected else None
    if contract is not None and not _suspicious(body):
        try:
            event = contract.model_validate_json(body)
        except (ValidationError, ValueError, RecursionError):
            return _explain(body, expected, now)
        if event.type == f"{expected}.v1":
            late = _ahead(event, now)
            return event if not late else _refuse(event, late)
    return _explain(body, expected, now)


def _suspicious(body: bytes) -> bool:
    """Whether it may hold what pydantic reads and no database stores, or what is no JSON: the slow way knows."""
    if b"NaN" in body or b"Infinity" in body:
        return True
    if b"\\u" in body and any(escape in body for escape in _ESCAPES):
        return True
    # Few events have so many brackets, and counting them costs next to nothing.
    return body.count(b"[") + body.count(b"{") > MOST_DEPTH and _depth(body) > MOST_DEPTH


def _ahead(event: Event[Any], now: datetime) -> list[Problem]:
    """Times more than five minutes ahead of the database's clock would win over every later change."""
    holder = getattr(event.data, "order", event.data)
    changed_at: datetime | None = getattr(holder, "changed_at", None)
    latest = now + AHEAD
    if event.time <= latest and (changed_at is None or changed_at <= latest):
        return []
    path = "data.order.changed_at" if holder is not event.data else "data.changed_at"
    return [
        Problem("time-in-future", field, {"time": at.isoformat(), "now": now.isoformat(timespec="seconds")})
        for field, at in {"time": event.time, path: changed_at}.items()
        if at is not None and at > latest
    ]


def _refuse(event: Event[Any], problems: list[Problem]) -> Refused:
    return Refused(tuple(problems), event.source, event.id, event.type, getattr(event.data, "interface", None))


def _explain(body: bytes, expected: str | None, now: datetime) -> Event[Any] | Refused:
    """The slow way: what exactly is wrong, or after all nothing."""
    parsed = _parse(body)
    if isinstance(parsed, Problem):
        return Refused((parsed,))
    if not isinstance(parsed, dict):
        return Refused((Problem("field-invalid", "", {"message": "must be a JSON object"}),))
    refused = _envelope(parsed)
    problems = [*_characters(parsed), *_types(parsed, expected)]
    if problems:
        return Refused(tuple(problems[:MOST_PROBLEMS]), *refused)
    contract = CONTRACTS[parsed["type"]]
    try:
        event = contract.model_validate_json(body)
    except ValidationError as error:
        return Refused(tuple(_fields(error)), *refused)
    late = _ahead(event, now)
    return event if not late else _refuse(event, late)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse(body: bytes) -> Any:
    """The JSON value, or the problem that it is none."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return Problem("not-utf8", values={"position": str(error.start)})
    if _depth(body) > MOST_DEPTH:
        return Problem("too-deep", values={"most": str(MOST_DEPTH)})
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return Problem("not-json", values={"message": f"{error.msg}, line {error.lineno}, column {error.colno}"})
    except (ValueError, RecursionError) as error:
        return Problem("not-json", values={"message": str(error)[:200]})


def _depth(body: bytes) -> int:
    """How deep brackets nest, strings left out; found without recursion, so that depth itself can do no harm."""
    depth = deepest = 0
    for bracket in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", body):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in b"]}":
            depth -= 1
    return deepest


def _characters(value: Any, path: str = "") -> list[Problem]:
    """Characters that no database and no file can hold: NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        if "\0" in value:
            return [Problem("nul-character", path)]
        if not value.isascii() and _HALF.search(value):
            return [Problem("lone-surrogate", path)]
        return []
    if isinstance(value, dict):
        return [
            problem
            for name, item in value.items()
            for problem in (
                *_characters(name, f"{path}.(name)".lstrip(".")),
                *_characters(item, f"{path}.{_printable(name)}".lstrip(".")),
            )
        ]
    if isinstance(value, list):
        return [p for n, item in enumerate(value) for p in _characters(item, f"{path}.{n}".lstrip("."))]
    return []


def _printable(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode() if not name.isprintable() else name


def _types(parsed: dict[str, Any], expected: str | None) -> list[Problem]:
    given = parsed.get("type")
    if not isinstance(given, str):
        return [Problem("field-invalid", "type", {"message": "must be a text such as order-imported.v1"})]
    slug, dot, _ = given.rpartition(".")
    known = ", ".join(sorted(CONTRACTS))
    if given not in CONTRACTS:
        if dot and f"{slug}.v1" in CONTRACTS:
            return [Problem("version-unknown", "type", {"type": _short(given), "known": known})]
        return [Problem("type-unknown", "type", {"type": _short(given), "known": known})]
    if expected is not None and slug != expected:
        return [Problem("wrong-queue", "type", {"type": given, "queue": expected})]
    return []


def _fields(error: ValidationError) -> list[Problem]:
    """Pydantic's findings as problems, each with its path and no quoted input (that may be personal)."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[:MOST_PROBLEMS]
    inner = {one["loc"][:-depth] for one in found for depth in range(1, len(one["loc"]))}
    return [
        Problem("field-invalid", ".".join(str(part) for part in one["loc"]), {"message": one["msg"]})
        for one in found
        if one["type"] != "too_short" or one["loc"] not in inner  # a list is "too short" once its items were refused
    ]


def _envelope(parsed: dict[str, Any]) -> tuple[str | None, str | None, str | None, str | None]:
    data = parsed.get("data")
    interface = data.get("interface") if isinstance(data, dict) else None
    return _text(parsed.get("source")), _text(parsed.get("id")), _text(parsed.get("type")), _text(interface)


def _text(value: Any) -> str | None:
    """A text that can be stored and searched for, else None."""
    if not isinstance(value, str) or not value or len(value) > 300 or _characters(value):
        return None
    return value


def _short(text: str) -> str:
    return text[:100].encode("utf-8", "backslashreplace").decode()
