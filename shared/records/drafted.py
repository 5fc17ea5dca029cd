"""What a dry run shows of one number: the documents that would be sent, or what stands against it.

Kept with the number's receipt for an hour only: a document may name a buyer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Json

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.records.wording import explained

KEPT = "1 hour"


@dataclass(frozen=True, slots=True)
class Document:
    """One call that would be made. kind: what it is about; system: whom it would go to; body: as it would be sent;
    now: what that system shows now of what the body would change, where that was read."""

    kind: Literal["order", "order-cancellation", "shipment", "cancellation", "quantity"]
    system: str
    body: dict[str, Any]
    now: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Drafted:
    """problems: why nothing would be sent, or remarks on what would be."""

    documents: Sequence[Document] = ()
    problems: Sequence[Problem] = ()


def store_drafted(conn: Connection, receipt: UUID, no: int, drafted: Drafted) -> None:
    """Answer a number of a receipt."""
    answer = {
        "documents": [
            {"kind": one.kind, "system": one.system, "document": one.body, "now": one.now} for one in drafted.documents
        ],
        "problems": [problem.as_json() for problem in drafted.problems],
    }
    conn.execute(
        "UPDATE receipt_numbers SET result = 'drafted', answer = %s, code = %s, due_at = NULL"
        " WHERE receipt = %s AND no = %s",
        (Json(answer), drafted.problems[0].code if drafted.problems else None, receipt, no),
    )


def shown(answer: dict[str, Any] | None, language: Language, *, reveal: bool) -> dict[str, Any]:
    """The members of a receipt's number that only a dry run has. reveal False: without the documents, of which then
    only is said how many there are."""
    known = answer or {"documents": [], "problems": []}
    documents = known["documents"] if reveal else [{**one, "document": None} for one in known["documents"]]
    return {
        "documents": documents,
        "document": documents[0]["document"] if documents else None,
        "problems": explained(known["problems"], language),
        "expired": answer is None,
    }


def known_records(conn: Connection, interface: str, flow: str, numbers: Sequence[str]) -> dict[str, int]:
    """The ids of the records there are, by number: a dry run sees what was done for them before."""
    return dict(
        conn.execute(
            "SELECT key, id FROM records WHERE interface = %s AND flow = %s AND key = ANY(%s)",
            (interface, flow, list(numbers)),
        ).fetchall()
    )


def forget_drafted(conn: Connection) -> int:
    """Drop what was shown long enough ago. How many numbers."""
    return conn.execute(
        "UPDATE receipt_numbers n SET answer = NULL FROM receipts r WHERE r.id = n.receipt AND r.dry_run"
        " AND n.answer IS NOT NULL AND r.created_at < now() - %s::interval",
        (KEPT,),
    ).rowcount
