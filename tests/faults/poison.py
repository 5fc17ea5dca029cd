"""Bodies that break the contract, one function a kind; each is refused for a reason of its own and kept with its bytes.

`tag` makes a body unique: the same refused body again would be a duplicate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Event = dict[str, Any]


def not_utf8(event: Event, tag: str) -> bytes:
    """A byte that no UTF-8 text has."""
    return _text(event).replace(b"Erika", b"Erik\xff" + tag.encode(), 1)


def not_json(event: Event, tag: str) -> bytes:
    """Cut off in the middle."""
    return _text({"tag": tag, **event})[:-40]


def no_object(_: Event, tag: str) -> bytes:
    """JSON, but no event."""
    return json.dumps([tag, 1, 2]).encode()


def empty_lines(event: Event, tag: str) -> bytes:
    """The schema wants at least one line."""
    return _with(event, tag, lines=[])


def wrong_types(event: Event, tag: str) -> bytes:
    """Fields of a wrong type."""
    return _with(event, tag, total={"amount": 1}, currency="euro", version="new")


def unknown_version(event: Event, tag: str) -> bytes:
    """A later contract that nobody knows."""
    return _text({**event, "type": "order-imported.v9", "tag": tag})


def unknown_type(event: Event, tag: str) -> bytes:
    """No contract at all."""
    return _text({**event, "type": "order-exploded.v1", "tag": tag})


def not_a_number(event: Event, tag: str) -> bytes:
    """NaN is Python's idea of JSON."""
    return _text({**event, "extra": float("nan"), "tag": tag})


def infinity(event: Event, tag: str) -> bytes:
    """So is Infinity."""
    return _text({**event, "extra": float("-inf"), "tag": tag})


def nul(event: Event, tag: str) -> bytes:
    """PostgreSQL cannot hold this character in a text."""
    return _with(event, tag, customer={"email": "e@example.org", "last_name": "Mus\0ter"})


def lone_surrogate(event: Event, tag: str) -> bytes:
    """Half a character, escaped."""
    body = _with(event, tag, customer={"email": "e@example.org", "last_name": "HALF"})
    return body.replace(b"HALF", rb"\ud83d")


def deep(event: Event, tag: str) -> bytes:
    """Ten thousand brackets."""
    return _text({"tag": tag, **event})[:-1] + b', "extra": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


def huge_number(event: Event, tag: str) -> bytes:
    """A price with four hundred digits."""
    lines = [{**event["data"]["order"]["lines"][0], "unit_price": "9" * 400}]
    return _with(event, tag, lines=lines)


def foreign_interface(event: Event, tag: str) -> bytes:
    """An interface that nobody has set up."""
    return _text({**event, "tag": tag, "data": {**event["data"], "interface": "nobody-knows"}})


KINDS: Mapping[str, Callable[[Event, str], bytes]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        not_utf8, not_json, no_object, empty_lines, wrong_types, unknown_version, unknown_type, not_a_number, infinity,
        nul, lone_surrogate, deep, huge_number, foreign_interface,
    )
}  # fmt: skip


def _text(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


def _with(event: Event, tag: str, **order: Any) -> bytes:
    data = event["data"]
    return json.dumps({**event, "tag": tag, "data": {**data, "order": {**data["order"], **order}}}).encode()
