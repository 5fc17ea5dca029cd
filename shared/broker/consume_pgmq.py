"""Takes messages from the broker inside PostgreSQL.

Enters: queue names. Leaves: deliveries. Called through `open_consumer`. The rows are those of kombu's pgmq transport
and the work is done by pgmq's own functions; reading is ours, because the transport reads ten rows at a time, deletes
them one by one and waits without a deadline (docs/adr).

A message that was read is hidden for a while (30 s) and then delivered again, to whoever asks. An ack after that is
still right: it says that the message is stored.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from shared.broker.address import Address
from shared.broker.delivery import BrokerGone, Delivery
from shared.broker.envelope import unseal
from shared.broker.pgmq_link import Link, drop_link, entity, open_link, table, visibility
from shared.broker.topology import DELIVERY_LIMIT, EVENTS, UNROUTED

POLL_SECONDS = 0.05
ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 2.0
CONSUMER_LOCK = 0x434F4E53
BATCH_BYTES = 32 * 1024 * 1024


class PgmqConsumer:
    """One connection that asks all its queues at once. Implements `Consumer`."""

    def __init__(self, address: Address, queues: Sequence[str], *, name: str, prefetch: int) -> None:
        """Connect and look whether the queues are there. Raises BrokerGone."""
        self._queues = list(queues)
        self._prefetch = prefetch
        self._visibility = visibility(address)
        self._held: dict[tuple[str, int], float] = {}  # queue and id -> until when the message is ours alone
        self._turn = 0
        self._broken = False
        self._link: Link | None = None
        try:
            self._link = open_link(address, name).within(ANSWER_SECONDS)
            # One look at all queues: an idle consumer asks twenty times a second.
            looks = (sql.SQL("EXISTS (SELECT FROM {} WHERE vt <= clock_timestamp())").format(table(q)) for q in queues)
            self._look = sql.SQL("SELECT {}").format(sql.SQL(", ").join(looks))
            self._link.execute(self._look)
            # pgmq does not know its consumers. A lock that all of them share says that there is one, while it lives.
            for queue in queues:
                self._link.execute("SELECT pg_advisory_lock_shared(%s, %s)", (CONSUMER_LOCK, _number(queue)))
        except psycopg.Error as error:
            self._broken = True
            self.close()
            raise _gone(error, address) from error

    def collect(self, wait: float, limit: int = 250) -> list[Delivery]:
        """See `Consumer`."""
        until = time.monotonic() + wait
        try:
            while True:
                taken = self._take(limit)
                left = until - time.monotonic()
                if taken or left <= 0:
                    return taken
                time.sleep(min(POLL_SECONDS, left))
        except psycopg.Error as error:
            self._broken = True
            raise _gone(error) from error

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer`. One transaction for all of them; what is gone already is no error."""
        by_queue: dict[str, list[int]] = {}
        for delivery in deliveries:
            by_queue.setdefault(delivery.tag[0], []).append(delivery.tag[1])
        if not by_queue:
            return
        try:
            link = self._alive().within(ANSWER_SECONDS)
            with link.pipeline(), link.transaction():
                for queue, numbers in by_queue.items():
                    link.execute("SELECT pgmq.delete(%s, %s::bigint[])", (entity(queue), numbers))
        except psycopg.Error as error:
            self._broken = True
            raise _gone(error) from error
        for delivery in deliveries:
            self._held.pop(delivery.tag, None)

    def close(self) -> None:
        """See `Consumer`."""
        link, self._link = self._link, None
        if link is None:
            return
        if not self._broken:
            self._give_back(link)
        drop_link(link)

    def _take(self, limit: int) -> list[Delivery]:
        link = self._alive().within(ANSWER_SECONDS)
        now = time.monotonic()
        self._held = {tag: until for tag, until in self._held.items() if until > now}
        ready = link.execute(self._look).fetchone() or ()
        taken: list[Delivery] = []
        size = 0
        full = [queue for queue, has in zip(self._queues, ready, strict=True) if has]
        self._turn += 1  # begin with another one each time: a full queue must not keep the others waiting
        for queue in full[self._turn % len(full) :] + full[: self._turn % len(full)] if full else []:
            room = min(limit - len(taken), self._prefetch - len(self._held))
            if room <= 0 or size > BATCH_BYTES:
                break
            rows = link.execute(
                "SELECT msg_id, read_ct, message FROM pgmq.read(%s, %s, %s)",
                (entity(queue), max(1, round(self._visibility)), room),
            ).fetchall()
            for number, reads, row in sorted(rows, key=lambda row: row[0]):
                taken.append(_delivery(queue, number, reads, row))
                size += len(taken[-1].body)
                self._held[(queue, number)] = now + self._visibility
        return taken

    def _give_back(self, link: Link) -> None:
        now = time.monotonic()
        by_queue: dict[str, list[int]] = {}
        for (queue, number), until in self._held.items():
            if until > now:  # later it may be somebody else's
                by_queue.setdefault(queue, []).append(number)
        try:
            link.within(CLOSE_SECONDS)
            for queue, numbers in by_queue.items():
                link.execute("SELECT FROM pgmq.set_vt(%s, %s::bigint[], clock_timestamp())", (entity(queue), numbers))
        except psycopg.Error:
            return  # they come back by themselves when their time is over

    def _alive(self) -> Link:
        if self._link is None:
            raise psycopg.OperationalError("the connection is closed")
        return self._link


def consumers(link: Link, queues: Sequence[str]) -> dict[str, int]:
    """How many consumers each queue has."""
    rows = link.execute(
        "SELECT objid::bigint, count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1",
        (CONSUMER_LOCK,),
    ).fetchall()
    counted = dict(rows)
    return {queue: counted.get(_number(queue), 0) for queue in queues}


def _number(queue: str) -> int:
    return zlib.crc32(queue.encode()) >> 1  # an int4 without a sign


def _delivery(queue: str, number: int, reads: int, row: Any) -> Delivery:
    opened = unseal(row, queue)
    origin = queue
    if queue == UNROUTED:
        origin = f"{queue} (unroutable)"
    elif queue in EVENTS and reads > DELIVERY_LIMIT:
        # pgmq moves nothing aside by itself; whoever reads this takes it in alone or rejects it.
        origin = f"{queue} (delivery_limit)"
    return Delivery(
        body=opened.body,
        queue=queue,
        routing_key=opened.routing_key,
        content_type=opened.content_type,
        origin=origin,
        count=reads,
        tag=(queue, number),
    )


def _gone(error: psycopg.Error, address: Address | None = None) -> BrokerGone:
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return BrokerGone(f"{error.diag.message_primary}. `connect topology apply` makes what is missing.")
    where = f" at {address}" if address else ""
    return BrokerGone(f"The broker{where} cannot be used: {' '.join(str(error).split())}")
