"""Removes Connect's queues and exchanges from a vhost that tests were given, so that each begins alike."""

from __future__ import annotations

import pika

from shared.broker.topology import connect_topology


def emptied(url: str) -> None:
    """Delete all that the topology names."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    for queue in connect_topology().queues:
        channel.queue_delete(queue.name)
    for exchange in connect_topology().exchanges:
        channel.exchange_delete(exchange.name)
    connection.close()
