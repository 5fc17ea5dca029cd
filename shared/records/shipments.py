"""The ledger of shipments: what a marketplace was told, or is about to be. The intent is here before the call is made.

    intended ──▶ accepted ──▶ confirmed

An intent is stored only by the holder of the claim. What the marketplace accepted, or shows, is a fact, whoever learns
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem, storable


@dataclass(frozen=True, slots=True)
class Told:
    """A shipment in the ledger.

    carrier: the marketplace's word; units: what it ships; remote: the marketplace's id of it; seconds: since it was
    intended or, later, accepted. remarks are the draft's.
    """

    shipment: str
    state: str
    carrier: str
    tracking_number: str | None
    units: tuple[str, ...]
    remote: str | None
    seconds: float
    remarks: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent."""

    shipment: str
    carrier: str
    tracking_number: str | None
    units: tuple[str, ...]
    document: dict[str, Any]
    remarks: tuple[Problem, ...] = ()


def ledger(conn: Connection, records: Sequence[int]) -> dict[int, dict[str, Told]]:
    """The shipments of these records, by the ERP's id."""
    found: dict[int, dict[str, Told]] = {}
    for record_id, shipment, state, carrier, number, units, remote, seconds, remarks in conn.execute(
        "SELECT record_id, shipment, state, carrier, tracking_number, units, remote,"
        " extract(epoch FROM clock_timestamp() - greatest(intended_at, accepted_at))::float8, remarks"
        " FROM shipments WHERE record_id = ANY(%s)",
        (list(records),),
    ):
        said = tuple(Problem(one["code"], one.get("field", ""), one.get("values", {})) for one in remarks or ())
        found.setdefault(record_id, {})[shipment] = Told(
            shipment, state, carrier, number, tuple(units), remote, seconds, said
        )
    return found


def holds(conn: Connection, record_id: int, claim_no: int) -> bool:
    """Whether this claim is still the record's; until the end of the transaction nobody else can claim it."""
    row = conn.execute(
        "SELECT 1 FROM records WHERE id = %s AND claim_no = %s AND state = 'running' FOR SHARE", (record_id, claim_no)
    ).fetchone()
    return row is not None


def intend(conn: Connection, record_id: int, claim_no: int, intent: Intent) -> None:
    """Store what is about to be sent, or sent again. Inside a transaction in which `holds` said yes."""
    conn.execute(
        "INSERT INTO shipments(record_id, shipment, state, carrier, tracking_number, units, document, remarks,"
        "   claim_no, intended_at) VALUES (%(record)s, %(shipment)s, 'intended', %(carrier)s, %(number)s, %(units)s,"
        "   %(document)s, %(remarks)s, %(claim)s, clock_timestamp()) ON CONFLICT (record_id, shipment) DO UPDATE SET"
        " state = 'intended', carrier = excluded.carrier, tracking_number = excluded.tracking_number,"
        " units = excluded.units, document = excluded.document, remarks = excluded.remarks,"
        " claim_no = excluded.claim_no, intended_at = excluded.intended_at",
        {
            "record": record_id,
            "shipment": intent.shipment,
            "carrier": intent.carrier,
            "number": intent.tracking_number,
            "units": list(intent.units),
            "document": Jsonb(intent.document),
            "remarks": Jsonb([one.as_json() for one in intent.remarks]) if intent.remarks else None,
            "claim": claim_no,
        },
    )


def withdraw(conn: Connection, record_id: int, claim_no: int, shipment: str) -> None:
    """Take an intent of this claim back: it surely was not carried out, and nothing was ever accepted."""
    conn.execute(
        "DELETE FROM shipments WHERE record_id = %s AND claim_no = %s AND shipment = %s AND state = 'intended'"
        " AND accepted_at IS NULL",
        (record_id, claim_no, shipment),
    )


def accept(conn: Connection, record_id: int, shipment: str, remote: str) -> None:
    """The marketplace took it."""
    conn.execute(
        "UPDATE shipments SET state = 'accepted', accepted_at = clock_timestamp(), remote = %s"
        " WHERE record_id = %s AND shipment = %s AND state = 'intended'",
        (storable(remote), record_id, shipment),
    )


def confirm(conn: Connection, record_id: int, shipment: str, remote: str | None = None) -> None:
    """The marketplace shows it."""
    conn.execute(
        "UPDATE shipments SET state = 'confirmed', confirmed_at = clock_timestamp(), remote = coalesce(remote, %s)"
        " WHERE record_id = %s AND shipment = %s AND state <> 'confirmed'",
        (remote and storable(remote), record_id, shipment),
    )


def adopt(conn: Connection, record_id: int, claim_no: int, intent: Intent) -> None:
    """The marketplace shows it although we never sent it: somebody else did."""
    conn.execute(
        "INSERT INTO shipments(record_id, shipment, state, carrier, tracking_number, units, document, claim_no,"
        "   confirmed_at) VALUES (%s, %s, 'confirmed', %s, %s, %s, %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING",
        (
            record_id, intent.shipment, intent.carrier, intent.tracking_number, list(intent.units),
            Jsonb(intent.document), claim_no,
        ),
    )  # fmt: skip
