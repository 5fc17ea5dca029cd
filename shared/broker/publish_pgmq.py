"""Publishes to the broker inside PostgreSQL: routed by the topology, one transaction a call; its commit is the confirm.

Enters: messages. Leaves: fates. Called through `open_publisher`. kombu on the other side reads these rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg
from psycopg.types.json import Jsonb

from shared.broker.address import Address
from shared.broker.delivery import Fate, Message
from shared.broker.envelope import seal
from shared.broker.pgmq_link import CONNECT_SECONDS, Link, drop_link, entity, open_link, table
from shared.broker.topology import MAX_MESSAGE_BYTES, connect_topology, wake_queue

WAKE_SECONDS = 1.0
WAKES_KEPT = 1000
CHUNK = 1000


class PgmqPublisher:
    """Opens its connection when it is first needed, and again after a failure. Implements `Publisher`."""

    def __init__(self, address: Address, *, name: str) -> None:
        self._address = address
        self._name = name
        self._topology = connect_topology()
        self._link: Link | None = None
        self._no_wake_before = 0.0

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        """See `Publisher`."""
        until = time.monotonic() + deadline
        fates: list[Fate] = []
        for start in range(0, len(messages), CHUNK):
            fates += self._publish(messages[start : start + CHUNK], until)
        return fates

    def wake(self, stage: str, interfaces: Sequence[str]) -> None:
        """See `Publisher`. Beyond 1000 waiting wake-ups of a stage no more are stored: nobody reads them."""
        if time.monotonic() < self._no_wake_before or not interfaces:
            return
        queue = wake_queue(stage)
        notes = [Jsonb(seal(Message(name.encode(), queue, exchange=""))) for name in interfaces]
        try:
            link = self._open(time.monotonic() + WAKE_SECONDS)
            link.execute(
                psycopg.sql.SQL(
                    "SELECT pgmq.send_batch(%s, %s::jsonb[]) WHERE NOT EXISTS (SELECT FROM {} OFFSET %s)"
                ).format(table(queue)),
                (entity(queue), notes, WAKES_KEPT - 1),
            )
        except psycopg.Error:
            # A wake-up may be lost: the poll of the workers stands behind it. Do not try again with each one.
            self._no_wake_before = time.monotonic() + 5 * WAKE_SECONDS
            self._drop()

    def close(self) -> None:
        """See `Publisher`."""
        self._drop()

    def _publish(self, messages: Sequence[Message], until: float) -> list[Fate]:
        fates = [Fate.REFUSED] * len(messages)
        routed: dict[str, list[int]] = {}
        for index, message in enumerate(messages):
            for queue in self._route(message):
                routed.setdefault(queue, []).append(index)
        whole = sorted({index for indexes in routed.values() for index in indexes})
        outcome = self._store(messages, routed, until)
        for index in whole:
            fates[index] = outcome
        if outcome is Fate.REFUSED and len(whole) > 1:
            # One of them cannot be stored: it leaves alone.
            for index in whole:
                alone = {queue: [index] for queue, indexes in routed.items() if index in indexes}
                fates[index] = self._store(messages, alone, until)
        return fates

    def _route(self, message: Message) -> list[str]:
        if len(message.body) > MAX_MESSAGE_BYTES:
            return []
        try:
            return self._topology.route(message.exchange, message.routing_key)
        except KeyError:
            return []

    def _store(self, messages: Sequence[Message], routed: dict[str, list[int]], until: float) -> Fate:
        """Insert all of them in one transaction."""
        try:
            link = self._open(until)
            with link.pipeline(), link.transaction():
                for queue, indexes in routed.items():
                    rows = [Jsonb(seal(messages[index])) for index in indexes]
                    link.execute("SELECT pgmq.send_batch(%s, %s::jsonb[])", (entity(queue), rows))
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self._drop()
            return Fate.UNKNOWN
        except psycopg.Error:
            self._drop()
            return Fate.REFUSED  # rolled back: a queue that is missing, a value that jsonb cannot hold
        return Fate.CONFIRMED

    def _open(self, until: float) -> Link:
        left = until - time.monotonic()
        if left <= 0:
            raise psycopg.OperationalError("no time left")
        if self._link is not None and self._link.closed:
            self._drop()
        if self._link is None:
            self._link = open_link(self._address, self._name, min(left, CONNECT_SECONDS))
        self._link.until = until
        return self._link

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            drop_link(link)
