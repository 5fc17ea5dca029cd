"""What an export asks the database and writes there, each in a short transaction of its own on the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg_pool import ConnectionPool

from shared.connectors.contract import ReturnKey, SentShipment, ShipmentDraft, Unit
from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.events.orders import Shipment
from shared.records import return_numbers, shipments
from shared.records.claim import Claim
from shared.records.imported import Imported, ended_orders, imported_orders
from shared.records.parts import Part, read_parts
from shared.records.shipments import Intent, Told

Drafting = Callable[[ReturnKey | None], ShipmentDraft | list[Problem]]


class Fenced(Exception):
    """The claim is not the record's any more: nothing may be sent for it."""


class Book:
    """Orders, ledger and number pool of one interface. Thread-safe."""

    def __init__(self, pool: ConnectionPool[Connection], interface: str) -> None:
        self._pool = pool
        self._interface = interface

    def orders(self, numbers: Sequence[str]) -> dict[str, Imported]:
        """The imported orders with these numbers."""
        with self._pool.connection() as conn:
            return imported_orders(conn, self._interface, numbers)

    def ended(self, numbers: Sequence[str]) -> set[str]:
        """Which of these orders are imported by now."""
        with self._pool.connection() as conn:
            return ended_orders(conn, self._interface, numbers)

    def told(self, records: Sequence[int]) -> tuple[dict[int, dict[str, Told]], dict[int, dict[str, Part]]]:
        """The shipments of these records, and their parts."""
        with self._pool.connection() as conn:
            return shipments.ledger(conn, records), read_parts(conn, records)

    def intend(self, claim: Claim, shipment: Shipment, draft: Drafting) -> ShipmentDraft | list[Problem]:
        """Draft a shipment and store the intent to send it, with the return number that it takes, together.

        Raises Fenced. Where there is something against the draft, nothing is stored and no number is given.
        """
        with self._pool.connection() as conn, conn.transaction():
            if not shipments.holds(conn, claim.id, claim.claim_no):
                raise Fenced
            spare = None
            if not (shipment.return_tracking_number or "").strip():
                spare = return_numbers.next_for(conn, self._interface, claim.id, shipment.id)
            drafted = draft(None if spare is None else ReturnKey(spare.carrier, spare.number))
            if not isinstance(drafted, ShipmentDraft):
                return drafted
            if spare is not None and drafted.spare_used:
                return_numbers.give(conn, spare.no, claim.id, shipment.id)
            intent = Intent(
                shipment.id,
                drafted.carrier,
                drafted.tracking_number,
                drafted.units,
                drafted.document,
                drafted.remarks,
            )
            shipments.intend(conn, claim.id, claim.claim_no, intent)
            return drafted

    def withdraw(self, claim: Claim, shipment: Shipment) -> None:
        """Nothing was carried out: the intent is void."""
        with self._pool.connection() as conn:
            shipments.withdraw(conn, claim.id, claim.claim_no, shipment.id)

    def accept(self, claim: Claim, shipment: Shipment, sent: SentShipment) -> None:
        """The marketplace took it."""
        with self._pool.connection() as conn:
            shipments.accept(conn, claim.id, shipment.id, sent.id)

    def confirm(self, claim: Claim, shipment: Shipment, remote: str | None = None) -> None:
        """The marketplace shows it."""
        with self._pool.connection() as conn:
            shipments.confirm(conn, claim.id, shipment.id, remote)

    def adopt(self, claim: Claim, shipment: Shipment, units: Sequence[Unit]) -> None:
        """The marketplace shows it, and we never sent it."""
        intent = Intent(
            shipment.id,
            units[0].carrier or shipment.carrier or "",
            units[0].tracking_number,
            tuple(unit.id for unit in units),
            {},
        )
        with self._pool.connection() as conn:
            shipments.adopt(conn, claim.id, claim.claim_no, intent)
