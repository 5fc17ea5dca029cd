"""The AsyncAPI 3 document: which events Connect takes, where on the broker, in which form. Pure.

Made from the contracts and the broker's topology; `services.cli.generated` writes it to `docs/asyncapi.json`.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from shared.broker.topology import EVENTS_EXCHANGE, connect_topology
from shared.events.envelope import CONTRACTS

CONTENT_TYPE = "application/cloudevents+json"
SCHEMAS = "#/components/schemas/"
BINDING = "0.3.0"
VERSION = "1.0.0"
"""Of the contracts: the second figure grows with a new field, the first with a `.v2`."""

SUMMARY = {
    "order-imported": "A marketplace order is known, or changed there.",
    "order-changed": "The ERP changed an order: status, shipment, cancellation.",
    "stock-changed": "The ERP's sellable quantity of an article changed.",
}

DESCRIPTION = """Connect stands between marketplaces and an ERP. Publishers send these events, Connect consumes them.

Every event is a CloudEvent 1.0 in structured JSON. (`source`, `id`) names it: the same pair with the same data is a
duplicate, with other data a rejection. Unknown fields are ignored; fields are only added; a breaking change is a new
version beside the old one. What cannot be accepted is kept as a rejection with every problem by name."""


def document() -> dict[str, Any]:
    """The whole document."""
    made: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {"title": "Connect", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": CONTENT_TYPE,
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "schemas": {}},
    }
    for event_type in CONTRACTS:
        slug = event_type.rpartition(".")[0]
        made["components"]["messages"][event_type] = _message(event_type, SUMMARY[slug], made["components"]["schemas"])
        made["channels"][event_type] = _exchange_channel(event_type)
        queues = connect_topology().route(EVENTS_EXCHANGE, f"{event_type}.any")
        made["channels"] |= {queue: _queue_channel(event_type, queue) for queue in queues}
        for channel in (event_type, *queues):
            made["operations"][f"consume-{channel}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": SUMMARY[slug],
                "messages": [{"$ref": f"#/channels/{channel}/messages/{event_type}"}],
                "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING}},
            }
    return made


def _exchange_channel(event_type: str) -> dict[str, Any]:
    kinds = {exchange.name: exchange.type for exchange in connect_topology().exchanges}
    exchange = {"name": EVENTS_EXCHANGE, "type": kinds[EVENTS_EXCHANGE], "durable": True, "autoDelete": False}
    return {
        "address": f"{event_type}.{{interface}}",
        "description": f"Routing key on the topic exchange {EVENTS_EXCHANGE}. The interface in the body decides.",
        "parameters": {"interface": {"description": "The interface's slug.", "examples": ["otto-de"]}},
        "messages": _messages(event_type),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _queue_channel(event_type: str, name: str) -> dict[str, Any]:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": name,
        "description": "The queue, for publishers that know only its name and use the default exchange.",
        "messages": _messages(event_type),
        "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING}},
    }


def _messages(event_type: str) -> dict[str, Any]:
    return {event_type: {"$ref": f"#/components/messages/{event_type}"}}


def _message(event_type: str, summary: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """The message; its schema and those it refers to are added to `schemas`."""
    schema = TypeAdapter(CONTRACTS[event_type]).json_schema(ref_template=SCHEMAS + "{model}")
    for name, part in schema.pop("$defs", {}).items():
        if schemas.setdefault(name, part) != part:
            raise ValueError(f"two contracts have different parts called {name}")
    schema["properties"]["type"] = {"type": "string", "const": event_type}
    schemas[event_type] = schema
    return {
        "name": event_type,
        "title": event_type,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": SCHEMAS + event_type},
        "bindings": {"amqp": {"messageType": event_type, "bindingVersion": BINDING}},
    }
