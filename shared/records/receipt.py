"""A receipt, number by number, as people and programs see it. Called by API, pages and CLI."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.drafted import shown
from shared.records.resources import ARTICLES
from shared.records.wording import remark, sentence

WRONG = ("failed", "waiting", "warning")
"""States that have a reason."""


def read_receipt(
    conn: Connection, receipt: UUID, *, reveal: bool = True, language: Language = "en"
) -> dict[str, Any] | None:
    """A receipt with one entry per number: queued, exists, not-found, malformed, failed or, of a dry run, drafted.

    queued: asked for; once it was read from where it comes from, the entry links its record and shows the state.
    sentence: what went wrong, None while nothing did.
    drafted: with the documents that would be sent and what stands against it; reveal False keeps the documents back
    where they may name a buyer.
    """
    row = conn.execute(
        "SELECT id, verb, interface, created_by, created_at, dry_run, again FROM receipts WHERE id = %s", (receipt,)
    ).fetchone()
    if row is None:
        return None
    numbers = conn.execute(
        "SELECT n.interface, n.number, n.result, n.record_id, r.state, r.remote, n.code, n.answer, r.reason"
        " FROM receipt_numbers n LEFT JOIN records r ON r.id = n.record_id WHERE n.receipt = %s ORDER BY n.no",
        (receipt,),
    ).fetchall()
    seen = reveal or row[1] == ARTICLES.verb
    return {
        "id": str(row[0]),
        "verb": row[1],
        "interface": row[2],
        "created_by": row[3],
        "created_at": row[4],
        "dry_run": row[5],
        "again": row[6],
        "complete": all(result != "queued" for _, _, result, *_ in numbers),
        "numbers": [
            {
                "interface": interface,
                "number": number,
                "result": "queued" if result == "taken-in" else result,
                "record_id": record_id,
                "state": state,
                "remote": remote,
                "code": code,
                "sentence": remark(code, language) or (sentence(reason, language) if state in WRONG else None),
                **(shown(answer, language, reveal=seen) if result == "drafted" else {}),
            }
            for interface, number, result, record_id, state, remote, code, answer, reason in numbers
        ],
    }
