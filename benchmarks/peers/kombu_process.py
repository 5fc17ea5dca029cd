"""kombu, one message at a time: a ConsumerMixin per stage. `python -m benchmarks.peers.kombu_process store|settle`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kombu import Connection, Queue
from kombu.mixins import ConsumerMixin

from benchmarks.contender import peer
from benchmarks.peers.job import EVENT, NEXT, SETTLE, STORE, settling, storing
from shared.db.connect import connect
from shared.settings import load

PREFETCH = 100
MODULE = "benchmarks.peers.kombu_process"
CONTENDER = peer(
    "kombu",
    "kombu one by one, 4 processes per stage",
    [[MODULE, "store"]] * 4 + [[MODULE, "settle"]] * 4,
    sessions=8,
)


class Stage(ConsumerMixin):
    """Takes one message, runs one transaction, publishes, acks."""

    def __init__(self, connection: Connection, database: str, stage: str) -> None:
        self.connection = connection
        self._first = stage == "store"
        self._database = connect(database, "bench-peer")
        self._producer = connection.clone(transport_options={"confirm_publish": True}).Producer(auto_declare=False)

    def get_consumers(self, Consumer: Any, channel: Any) -> Sequence[Any]:  # noqa: ARG002  # kombu's signature
        """One consumer on the stage's queue."""
        queue = Queue(EVENT if self._first else NEXT, no_declare=True)
        return [Consumer([queue], on_message=self._on, prefetch_count=PREFETCH, auto_declare=False)]

    def _on(self, message: Any) -> None:
        body = message.body if isinstance(message.body, bytes) else bytes(message.body, "utf-8")
        if self._first:
            self._database.execute(STORE, storing(body))
            self._producer.publish(
                body, exchange="", routing_key=NEXT, delivery_mode=2, content_type="application/octet-stream",
                content_encoding="binary",
            )  # fmt: skip
        else:
            self._database.execute(SETTLE, settling(body))
        message.ack()


def main() -> None:
    """Run until a signal."""
    settings = load()
    with Connection(settings.broker()) as connection:
        Stage(connection, settings.database(), sys.argv[1]).run()


if __name__ == "__main__":
    main()
