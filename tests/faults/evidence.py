"""What is there after a case: gathered only from Postgres, the ledgers of the stand-ins and the broker, and what ended.

A system lives through many cases, so `Mark` says where a case began; everything after it is the case's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db.connect import Connection, connect
from shared.records.books import accounting
from tests.support.system import System


@dataclass(frozen=True, slots=True)
class Mark:
    """The last numbers before a case: of rejections, of the ERP's orders, and of the counted arrivals."""

    rejection: int
    create: int
    arrival: int


@dataclass(frozen=True, slots=True)
class Fate:
    """A row of the inbox."""

    source: str
    id: str
    number: str
    outcome: str
    record: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of the rejections."""

    digest: UUID
    queue: str
    state: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A transition."""

    seq: int
    before: str | None
    after: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """An order in Connect with its history and its staged copies: (when, event id) in the order they were staged."""

    id: int
    number: str
    state: str
    code: str | None
    seq: int
    due: bool
    recheck: bool
    changed_at: datetime
    version: int
    steps: tuple[Step, ...]
    copies: tuple[tuple[datetime, str], ...]


@dataclass(frozen=True, slots=True)
class Create:
    """An order that the ERP holds. street tells the version it was made from; at is when it came, in seconds."""

    id: str
    number: str
    street: str
    status: str
    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; wanted: what was to be expected of it; said: complaints in its log that nobody planned.

    files: how many it had open when it was told to stop; 0 where it died.
    leaks: lines of its log, or of its metrics, that hold personal data.
    """

    name: str
    code: int | None
    wanted: tuple[int, ...]
    said: tuple[str, ...] = ()
    files: int = 0
    leaks: int = 0


@dataclass(frozen=True)
class Evidence:
    """All of it. queues: messages left in each; books: of every day; ended: every process of the case."""

    fates: Sequence[Fate]
    refused: Sequence[Refused]
    records: Sequence[Record]
    creates: Sequence[Create]
    queues: Mapping[str, int]
    books: Sequence[Mapping[str, Any]]
    ended: Sequence[Ended] = field(default=())
    receipts: Mapping[str, str] = field(default_factory=dict)


def mark(system: System) -> Mark:
    """Where a case begins."""
    with connect(system.database_url, "faults-mark") as conn:
        row = conn.execute(
            "SELECT (SELECT coalesce(max(id), 0) FROM rejections), (SELECT coalesce(max(no), 0) FROM arrivals)"
        ).fetchone()
    assert row is not None
    creates = system.stand.ledger("xentral")
    return Mark(row[0], int(creates[-1]["id"]) if creates else 0, row[1])


def gather(system: System, since: Mark, tag: str, queues: Mapping[str, int], ended: Sequence[Ended]) -> Evidence:
    """Everything of the case with this tag, when nothing runs any more."""
    with connect(system.database_url, "faults-evidence") as conn:
        fates = [
            Fate(*row)
            for row in conn.execute(
                "SELECT source, id, key, outcome, record_id FROM events WHERE source = %s OR key LIKE %s",
                (f"/faults/{tag}", f"{tag}-%"),
            )
        ]
        refused = [
            Refused(row[0], row[1], row[2], tuple(problem["code"] for problem in row[3]))
            for row in conn.execute(
                "SELECT body_hash, queue, state, problems FROM rejections WHERE id > %s", (since.rejection,)
            )
        ]
        days = conn.execute("SELECT DISTINCT received_at::date FROM arrivals").fetchall()
        books = [accounting(conn, None, day) for (day,) in days]
        receipts = dict(
            conn.execute("SELECT number, result FROM receipt_numbers WHERE number LIKE %s", (f"{tag}-%",)).fetchall()
        )
        records = _records(conn, tag)
    creates = [
        Create(
            order["id"],
            order["externalOrderNumber"],
            order["delivery"]["shippingAddress"]["street"],
            order["status"],
            order["created"],
        )
        for order in system.stand.ledger("xentral", since.create)
    ]
    return Evidence(fates, refused, records, creates, queues, books, tuple(ended), receipts)


def _records(conn: Connection, tag: str) -> list[Record]:
    steps: dict[int, list[Step]] = {}
    copies: dict[int, list[tuple[datetime, str]]] = {}
    mine = "SELECT id FROM records WHERE flow = 'order-import' AND key LIKE %s"
    for record, *step in conn.execute(
        f"SELECT record_id, seq, from_state, to_state, code FROM transitions WHERE record_id IN ({mine})"
        " ORDER BY record_id, seq",
        (f"{tag}-%",),
    ):
        steps.setdefault(record, []).append(Step(*step))
    for record, at, body in conn.execute(
        f"SELECT record_id, received_at, body FROM payloads WHERE record_id IN ({mine}) ORDER BY record_id, no",
        (f"{tag}-%",),
    ):
        copies.setdefault(record, []).append((at, json.loads(body)["id"]))
    return [
        Record(*row, tuple(steps.get(row[0], ())), tuple(copies.get(row[0], ())))
        for row in conn.execute(
            "SELECT id, key, state, code, seq, due_at IS NOT NULL, recheck, changed_at, version FROM records"
            " WHERE flow = 'order-import' AND key LIKE %s",
            (f"{tag}-%",),
        )
    ]
