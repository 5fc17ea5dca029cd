"""pika, one message at a time, a process per stage. `python -m benchmarks.peers.pika_process store|settle`."""

from __future__ import annotations

import sys
from typing import Any

import pika

from benchmarks.contender import peer
from benchmarks.peers.job import EVENT, NEXT, SETTLE, STORE, settling, storing
from shared.db.connect import connect
from shared.settings import load

PREFETCH = 100
MODULE = "benchmarks.peers.pika_process"
CONTENDER = peer(
    "pika",
    "pika one by one, 4 processes per stage",
    [[MODULE, "store"]] * 4 + [[MODULE, "settle"]] * 4,
    sessions=8,
)


def main() -> None:
    """Run until a signal."""
    settings = load()
    first = sys.argv[1] == "store"
    database = connect(settings.database(), "bench-peer")
    channel = pika.BlockingConnection(pika.URLParameters(settings.broker())).channel()
    channel.basic_qos(prefetch_count=PREFETCH)
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2)

    def take(_channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        if first:
            database.execute(STORE, storing(body))
            channel.basic_publish("", NEXT, body, persistent)
        else:
            database.execute(SETTLE, settling(body))
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(EVENT if first else NEXT, take)
    channel.start_consuming()


if __name__ == "__main__":
    main()
