"""How kombu's pgmq transport writes a message into a row, so that kombu on the other side reads it, and back.

Called by the consumer and the publisher for pgmq. A row that is no such envelope (somebody called `pgmq.send` by hand)
is handed on as it is: what it holds is for the decoder to judge, and nothing here may be lost or stop the queue.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any, NamedTuple

import orjson

from shared.broker.delivery import Message


class Opened(NamedTuple):
    """What an envelope holds."""

    body: bytes
    routing_key: str
    content_type: str | None


def seal(message: Message) -> dict[str, Any]:
    """The envelope of a message."""
    properties: dict[str, Any] = {
        "delivery_mode": 2,
        "priority": 0,
        "delivery_tag": str(uuid.uuid4()),
        "body_encoding": "base64",
        "delivery_info": {"exchange": message.exchange, "routing_key": message.routing_key},
    }
    if message.message_id is not None:
        properties["message_id"] = message.message_id
    return {
        "body": base64.b64encode(message.body).decode("ascii"),
        "content-type": message.content_type,
        "content-encoding": "binary",
        "headers": dict(message.headers),
        "properties": properties,
    }


def unseal(row: Any, queue: str) -> Opened:
    """The message in a row; `queue` stands in for a routing key that is not there."""
    try:
        properties = row["properties"]
        body = row["body"]
        if properties.get("body_encoding") == "base64":
            content = base64.b64decode(body, validate=True)
        else:
            content = body.encode() if isinstance(body, str) else orjson.dumps(body)
        key = (properties.get("delivery_info") or {}).get("routing_key")
        kind = row.get("content-type")
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error):
        return Opened(orjson.dumps(row), queue, "application/json")
    return Opened(content, key if isinstance(key, str) and key else queue, kind if isinstance(kind, str) else None)
