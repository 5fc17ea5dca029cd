"""The JSON Schema of every contract, made from the pydantic models. Pure; `services.cli.generated` writes the files."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from shared.events.envelope import CONTRACTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(event_type: str) -> dict[str, Any]:
    """The schema of one event with its envelope, e.g. of `order-imported.v1`. Raises KeyError for an unknown type."""
    made = TypeAdapter(CONTRACTS[event_type]).json_schema(mode="validation")
    made["title"] = event_type
    made["properties"]["type"] = {"const": event_type, "title": "Type", "type": "string"}
    return {"$schema": DIALECT, "$id": f"urn:connect:schema:{event_type}", **made}


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by event type."""
    return {event_type: schema(event_type) for event_type in CONTRACTS}
