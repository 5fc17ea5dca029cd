"""`docs/reference/events.md`: every field of every event with its form, from the contracts. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.cli.asyncapi import CONTENT_TYPE, SUMMARY
from shared.broker.topology import EVENTS_EXCHANGE, connect_topology, dead_queue
from shared.events.envelope import CONTRACTS
from shared.events.schemas import schema

HEAD = f"""\
# Events

Generated from `shared/events`; write it again with `make generate`. How to publish them, and what comes back:
[publishing events](../publishing.md). For programs: [JSON Schemas](../schemas), [AsyncAPI
document](../asyncapi.json).

Every event is a CloudEvent 1.0 in structured JSON, `{CONTENT_TYPE}`. Unknown fields are ignored, fields are only
added, and a breaking change is a new version beside the old one. What is not needed may be left out or null. A
value of a wrong form makes a rejection; business data that is merely absent makes a `failed` order, which a person
can mend.
"""
ENVELOPE = "The envelope is the same for all; the contract is in `data`."
# Written once more as words: who reads a table does not read regular expressions.
FORMS = {
    "^-?[0-9]{1,12}(\\.[0-9]{1,4})?$": 'decimal in quotes, e.g. `"19.99"`',
    "^[0-9]{1,3}(\\.[0-9]{1,4})?$": 'percentage in quotes, e.g. `"19.0"`',
    "^[A-Z]{2}$": "country, ISO 3166-1 alpha-2",
    "^[A-Z]{3}$": "currency, ISO 4217",
    "^[a-z0-9][a-z0-9-]{0,62}$": "name of an interface",
    "^\\S(.*\\S)?$": "text without blanks at its ends",
}


def markdown() -> str:
    """The page."""
    first = schema(next(iter(CONTRACTS)))
    return HEAD + "\n## Envelope\n\n" + ENVELOPE + "\n\n" + _table(first, first, "") + "".join(map(_event, CONTRACTS))


def _event(event_type: str) -> str:
    whole, slug = schema(event_type), event_type.rpartition(".")[0]
    (queue,) = connect_topology().route(EVENTS_EXCHANGE, f"{event_type}.any")
    data = _resolved(whole, whole["properties"]["data"])
    more = data.get("description", "").splitlines()[0]
    about = SUMMARY[slug] if event_type in more else f"{SUMMARY[slug]} {more}"
    return (
        f"\n## {event_type}\n\n{about}\n\n"
        f"Exchange `{EVENTS_EXCHANGE}`, routing key `{event_type}.<interface>`, queue `{queue}`, dead letters"
        f" `{dead_queue(queue)}`. Schema: [{event_type}.json](../schemas/{event_type}.json).\n\n"
        + _table(whole, data, "data.")
    )


def _table(whole: Mapping[str, Any], shape: Mapping[str, Any], before: str) -> str:
    rows = "".join(
        f"| `{name}` | {'yes' if needed else 'no'} | {form} | {default} |\n"
        for name, needed, form, default in _fields(whole, shape, before)
    )
    return "| field | needed | form | default |\n|---|---|---|---|\n" + rows


def _fields(whole: Mapping[str, Any], shape: Mapping[str, Any], before: str) -> Iterator[tuple[str, bool, str, str]]:
    """(path, needed, form, default) of each field and what is in it; `lines[].sku` for one of a list."""
    for name, found in shape["properties"].items():
        path, field = before + name, _resolved(whole, found)
        if path in ("type", "data"):
            contracts = ", ".join(f"`{one}`" for one in CONTRACTS)
            yield path, True, f"one of {contracts}" if path == "type" else "what the contract below says", "–"
            continue
        inner = _resolved(whole, field.get("items", {})) if field.get("type") == "array" else field
        many = "[]" if field.get("type") == "array" else ""
        default = found.get("default", field.get("default"))
        shown = "–" if default is None or default in ([], "") else f"`{json.dumps(default)}`"
        yield path + many, name in shape.get("required", ()), _form(inner, many), shown
        if "properties" in inner:
            yield from _fields(whole, inner, f"{path}{many}.")


def _resolved(whole: Mapping[str, Any], shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """The shape behind a reference, and without its null."""
    if "$ref" in shape:
        return _resolved(whole, whole["$defs"][shape["$ref"].rpartition("/")[2]])
    for one in shape.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolved(whole, {**one, **{name: shape[name] for name in ("description",) if name in shape}})
    return shape


def _form(inner: Mapping[str, Any], many: str) -> str:
    if "const" in inner:
        return f"`{inner['const']}`"
    if "enum" in inner:
        return ", ".join(f"`{one}`" for one in inner["enum"])
    if inner.get("format") == "date-time":
        return "time, RFC 3339 with its offset"
    if "properties" in inner:
        about = (inner.get("description") or "").split("\n")[0]
        return ("list: " if many else "") + (about or "an object")
    if inner.get("type") == "integer":
        return "whole number" + _range(inner)
    said = FORMS.get(inner.get("pattern", ""), "text")
    length = f", at most {inner['maxLength']} characters" if "maxLength" in inner else ""
    return ("list of " if many else "") + said + length


def _range(shape: Mapping[str, Any]) -> str:
    low = f" above {shape['exclusiveMinimum']}" if "exclusiveMinimum" in shape else ""
    low = f" from {shape['minimum']}" if "minimum" in shape else low
    return f"{low} to {shape['maximum']}" if "maximum" in shape else low
