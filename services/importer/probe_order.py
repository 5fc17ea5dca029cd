"""Sends a made-up order through each live interface every few minutes, to see it arrive: the probe order.

    due ─▶ broker (a queue of its own) ─▶ decode ─▶ the stage's handler over an ERP that only notes ─▶ the probe's row

The Journal sees the row and closes the circle. It looks up in the ERP as a real order would, creates nothing, and never
becomes a record. Live interfaces only: what is in test is not relied upon yet, and often half set up, so that its
failures would mail people at night about nothing. What a probe finds about mappings or articles is no trouble of the
way it went; what keeps the ERP from answering is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from services.importer.preview import dry_run
from shared.alarms import probed
from shared.broker.delivery import BrokerGone, Consumer, Delivery, Message, Publisher
from shared.broker.topology import PROBE
from shared.connectors.contract import RemoteError
from shared.db.connect import GONE, Connection
from shared.errors.catalogue import UNCLASSIFIED, entry
from shared.errors.fingerprint import fingerprint
from shared.records.interfaces import Interface
from shared.runtime.clock import DatabaseClock
from shared.runtime.decode import Refused, decode
from shared.runtime.preview import Notes, problems_of
from shared.runtime.remotes import Remotes

LOOK_SECONDS = 5.0
PUBLISH_SECONDS = 10.0
SOURCE = "/connect/probe"
WAY = frozenset({"connection", "rate limit", "auth", "remote bug", "internal"})
"""Classes of errors that are about the way of an order, not about the order."""


class ProbeOrders:
    """The loop of one importer; any number may run."""

    def __init__(
        self,
        remotes: Remotes,
        every: timedelta,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        consume: Callable[[], Consumer],
        publisher: Publisher,
    ) -> None:
        self._remotes, self._every = remotes, every
        self._connect, self._read = connect, read
        self._consume, self._publisher = consume, publisher
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        while not stopping():
            beat()
            consumer = None
            try:
                consumer = self._consume()
                with self._connect() as conn:
                    self._work(conn, consumer, beat, stopping)
            except (*GONE, BrokerGone) as error:
                self._log.warning("probe-order.away", error=error)
                pause(LOOK_SECONDS)
            finally:
                if consumer is not None:
                    consumer.close()

    def _work(
        self, conn: Connection, consumer: Consumer, beat: Callable[[], None], stopping: Callable[[], bool]
    ) -> None:
        looked = -LOOK_SECONDS
        while not stopping():
            beat()
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                for slug, number in probed.due(conn, self._every):
                    self._send(conn, slug, number)
            for delivery in consumer.collect(1.0):
                beat()
                self._take(conn, delivery)
                consumer.ack([delivery])

    def _send(self, conn: Connection, slug: str, number: int) -> None:
        interface = self._read(conn, slug)
        if interface is not None:
            event = made_up(slug, number, probed.example(conn, slug, interface.mappings))
            fate = self._publisher.publish([Message(json.dumps(event).encode(), PROBE, "")], PUBLISH_SECONDS)
            self._log.info("probe-order.sent", interface=slug, outcome=str(fate[0]))

    def _take(self, conn: Connection, delivery: Delivery) -> None:
        event = decode(delivery.body, "order-imported", DatabaseClock().now(conn))
        if isinstance(event, Refused) or event.source != SOURCE:
            self._log.warning("probe-order.unreadable")
            return
        slug, number = event.data.interface, event.data.order.number
        interface = self._read(conn, slug)
        if interface is None:
            return
        trouble = self._trouble(interface, number, delivery.body)
        probed.answered(conn, slug, int(number.rpartition("-")[2]), trouble)
        self._log.info("probe-order.answered", interface=slug, code=trouble)

    def _trouble(self, interface: Interface, number: str, body: bytes) -> str | None:
        """The code of what stood in the way."""
        try:
            source, close = self._remotes.marketplace(interface)
            try:
                return _of(dry_run(self._remotes, interface, source, {number: body}), number)
            finally:
                close()
        except RemoteError as error:
            return str(error.reason)
        except GONE:
            raise
        except Exception as error:
            self._log.error("probe-order.unclassified", error=error, fingerprint=fingerprint(error), exc_info=True)
            return UNCLASSIFIED


def _of(notes: Notes, number: str) -> str | None:
    said = notes.said.get(number)
    if said is None:
        return UNCLASSIFIED
    codes = (problem.code for problem in problems_of(said, sent=bool(notes.documents.get(number))))
    return next((code for code in codes if entry(code).kind in WAY), None)


def made_up(slug: str, number: int, names: dict[str, str]) -> dict[str, Any]:
    """The event of a probe: an order about nobody, complete as the contract wants it."""
    now = datetime.now(UTC).isoformat()
    nobody = {"name": "Connect Probe", "street": "Probe", "house_number": "1", "addition": None, "zip_code": "10115",
              "city": "Berlin", "country": "DE"}  # fmt: skip
    key = f"connect-probe-{number}"
    line = {"id": "1", "sku": names["sku"], "title": "Probe", "quantity": 1, "unit_price": "1.00",
            "tax_rate": names["tax"], "marketplace_ids": ["1"]}  # fmt: skip
    order = {
        "number": key, "marketplace_id": key, "status": "open", "version": 1, "ordered_at": now, "currency": "EUR",
        "customer": {"email": "probe@connect.invalid", "first_name": "Connect", "last_name": "Probe"},
        "billing_address": nobody, "shipping_address": nobody, "lines": [line],
        "shipping": {"method": names["shipping"], "price": "0.00", "tax_rate": names["tax"]},
        "payment": {"method": names["payment"]}, "total": "1.00",
    }  # fmt: skip
    return {
        "specversion": "1.0", "id": f"{slug}-{key}-{now}", "source": SOURCE, "type": "order-imported.v1", "time": now,
        "data": {"interface": slug, "order": order},
    }  # fmt: skip
