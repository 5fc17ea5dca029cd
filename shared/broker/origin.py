"""Where a delivery came from and how often, told from what RabbitMQ wrote into its headers.

Called by the consumer for AMQP. Headers are as untrusted as bodies: anything may stand in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.broker.topology import UNROUTED


def origin(queue: str, headers: Mapping[str, Any]) -> str:
    """The queue; for dead letters and the unrouted with the broker's reason: `order-imported.dead (delivery_limit)`."""
    if queue == UNROUTED:
        return f"{queue} (unroutable)"
    death = _death(headers)
    reason = death.get("reason")
    return f"{queue} ({reason})" if queue.endswith(".dead") and isinstance(reason, str) else queue


def routing_key(queue: str, key: str, headers: Mapping[str, Any]) -> str:
    """The key it was published with: dead letters carry the name of their queue instead."""
    keys = _death(headers).get("routing-keys") if queue.endswith(".dead") else None
    return keys[0] if isinstance(keys, list) and keys and isinstance(keys[0], str) else key


def count(headers: Mapping[str, Any], redelivered: bool) -> int:
    """How often it was delivered by now. RabbitMQ counts from the second time on, from 4.3 not every kind of return."""
    returned = headers.get("x-delivery-count")
    known = returned if isinstance(returned, int) and not isinstance(returned, bool) else 0
    return max(known, 1 if redelivered else 0, 0) + 1


def _death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        return deaths[0]
    return {}
