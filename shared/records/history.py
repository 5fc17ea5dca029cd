"""One record whole, and everything that happened to it: transitions and attempts, newest first.

Called by the API, the pages and the CLI's `show`. Hops are named source → target: marketplace → Connect → ERP, or back.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.away import with_away
from shared.records.columns import columns, reason
from shared.records.held import held, said
from shared.records.indexed import candidates_named, query_of
from shared.records.modes import standings
from shared.records.parts import STAGE
from shared.records.personal import masked
from shared.records.search import fold
from shared.records.wording import explained, remark, sentence, step

OURSELVES = "Connect"
TO_THE_MARKETPLACE = ("marketplace", "status", "tracking", "stock")

_RECORD = f"""
SELECT r.id, r.interface, r.flow, r.key, {STAGE} AS stage, r.state, r.code, r.reason, r.due_at, r.tries, r.lost,
       r.claim_no, r.payload_no, r.sent_no, r.intended, r.blocked, r.forced, r.test, r.changed_at,
       nullif(r.version, -1) AS version, r.received_at, r.input_at, r.updated_at, r.trying_since, r.ordered_at,
       r.ship_by, r.marketplace_id, r.remote, p.body, p.traceparent, i.title AS interface_title, i.marketplace, i.erp,
       i.mode,
       (SELECT coalesce(jsonb_agg(b.key ORDER BY b.key), '[]') FROM blocks b WHERE b.record_id = r.id) AS waits_for
FROM records r
LEFT JOIN payloads p ON p.record_id = r.id AND p.no = r.payload_no
LEFT JOIN interfaces i ON i.slug = r.interface
WHERE r.id = %s
"""

_TRANSITIONS = """
SELECT at, seq, stage, from_state, to_state, claim_no, code, reason, actor FROM transitions
WHERE record_id = %s ORDER BY at DESC, seq DESC LIMIT %s
"""

_ATTEMPTS = """
SELECT claim_no, stage, started_at, ended_at, outcome, code, called, detail FROM attempts
WHERE record_id = %s ORDER BY ended_at DESC, claim_no DESC LIMIT %s
"""


def find_records(conn: Connection, flow: str, key: str, interface: str | None = None) -> list[int]:
    """Ids of the records with this number: order number, SKU, marketplace id, ERP's or tracking number, foreign SKU.

    The exact number comes first.
    """
    # Whatever has the number says it, so the index of texts leads there; unless it is signs alone.
    near = f"id = ANY(ARRAY({candidates_named('near')}))" if fold(key) else "true"
    rows = conn.execute(
        f"SELECT id FROM records WHERE {near} AND flow = %(flow)s AND (key = %(key)s OR marketplace_id = %(key)s"
        "   OR remote = %(key)s OR id IN (SELECT record_id FROM shipments WHERE tracking_number = %(key)s)"
        "   OR id IN (SELECT record_id FROM articles WHERE foreign_sku = %(key)s)"
        "   OR flow = 'order-export' AND (interface, key) IN"
        f"     (SELECT interface, key FROM records WHERE {near} AND flow = 'order-import' AND remote = %(key)s))"
        " AND (%(interface)s::text IS NULL OR interface = %(interface)s)"
        " ORDER BY key <> %(key)s, id LIMIT 100".encode(),
        {"flow": flow, "key": key, "interface": interface, "near": query_of([key]) if fold(key) else None},
    ).fetchall()
    return [row[0] for row in rows]


def read_record(
    conn: Connection, record_id: int, reveal: bool = True, language: Language = "en"
) -> dict[str, Any] | None:
    """The record with its staged event (`payload`) and its problems explained; None when there is none.

    reveal False shows initials instead of the buyer's data.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_RECORD, (record_id,)).fetchone()
    if row is None:
        return None
    (row,) = with_away(conn, [row])
    payload = _payload(row.pop("body"))
    copies: dict[int, dict[str, Any]] = {record_id: payload.get("data") or {}}
    why, holds = said(reason(row["reason"], language), held(row, standings(conn)), language)
    return {
        **row,
        "reason": why,
        "held": holds,
        **columns(conn, [row], copies, reveal, language)[record_id],
        "payload": payload if reveal else masked(payload),
    }


def of_the_same_order(conn: Connection, record: Mapping[str, Any]) -> int | None:
    """The id of an order's export, or of an export's order; None where there is none."""
    other = {"order-import": "order-export", "order-export": "order-import"}.get(record["flow"])
    row = conn.execute(
        "SELECT id FROM records WHERE interface = %s AND flow = %s AND key = %s",
        (record["interface"], other, record["key"]),
    ).fetchone()
    return row[0] if row else None


def history(
    conn: Connection,
    record_id: int,
    *,
    titles: Mapping[str, str] | None = None,
    language: Language = "en",
    limit: int = 1_000,
) -> list[dict[str, Any]]:
    """What happened, newest first, at most `limit` of each kind. titles: connector key → its name for people."""
    record = conn.execute(
        "SELECT r.flow, r.key, coalesce(i.marketplace, ''), coalesce(i.erp, '') FROM records r"
        " LEFT JOIN interfaces i ON i.slug = r.interface WHERE r.id = %s",
        (record_id,),
    ).fetchone()
    if record is None:
        return []
    sides = [(titles or {}).get(key) or key.title() for key in record[2:]]
    with conn.cursor(row_factory=dict_row) as cursor:
        transitions = cursor.execute(_TRANSITIONS, (record_id, limit)).fetchall()
        attempts = cursor.execute(_ATTEMPTS, (record_id, limit)).fetchall()
    entries = [_transition(row, record[0], hop(record[0], row["stage"], *sides), language) for row in transitions]
    entries += [_attempt(row, hop(record[0], row["stage"], *sides)) for row in attempts]
    # An attempt is written in the transaction of its settle: it stands below the transition it led to.
    return sorted(entries, key=lambda entry: (entry["at"], entry["kind"] == "transition", entry["seq"]), reverse=True)


def hop(flow: str, stage: str, marketplace: str, erp: str) -> dict[str, str]:
    """Source and target of a stage, for people."""
    if stage == "connect":
        return {"source": marketplace if flow == "order-import" else erp, "target": OURSELVES}
    return {"source": OURSELVES, "target": marketplace if stage in TO_THE_MARKETPLACE else erp}


def _transition(row: dict[str, Any], flow: str, between: dict[str, str], language: Language) -> dict[str, Any]:
    said = step(flow, row["stage"], row["to_state"], between, language)
    return {
        "at": row["at"],
        "kind": "transition",
        **between,
        "stage": row["stage"],
        "from_state": row["from_state"],
        "to_state": row["to_state"],
        "code": row["code"],
        "reason": explained(row["reason"], language) or None,
        "step": said,
        "sentence": sentence(row["reason"], language) or remark(row["code"], language) or said,
        "actor": row["actor"],
        "claim_no": row["claim_no"],
        "duration": None,
        "seq": row["seq"],
    }


def _attempt(row: dict[str, Any], between: dict[str, str]) -> dict[str, Any]:
    return {
        "at": row["ended_at"],
        "kind": "attempt",
        **between,
        "stage": row["stage"],
        "from_state": None,
        "to_state": None,
        "code": row["code"],
        "reason": None,
        "outcome": row["outcome"],
        "called": row["called"],
        "detail": row["detail"],
        "sentence": None,
        "actor": None,
        "claim_no": row["claim_no"],
        "duration": (row["ended_at"] - row["started_at"]).total_seconds(),
        "seq": 0,
    }


def _payload(body: bytes | None) -> dict[str, Any]:
    if body is None:
        return {}
    try:
        event = json.loads(bytes(body))
    except ValueError:
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("data"), dict) else {}
