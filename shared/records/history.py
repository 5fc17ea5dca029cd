"""One record whole, and everything that happened to it: transitions and attempts, newest first.

Called by the API, the page and `connect orders show`. Hops are named source → target: marketplace → Connect → ERP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.personal import customer_name, initials, masked
from shared.records.wording import explained, remark, sentence, step

OURSELVES = "Connect"
TO_THE_MARKETPLACE = ("status", "tracking", "stock")

_RECORD = """
SELECT r.id, r.interface, r.flow, r.key, r.stage, r.state, r.code, r.reason, r.due_at, r.tries, r.lost, r.claim_no,
       r.payload_no, r.sent_no, r.intended, r.blocked, r.forced, r.test, r.changed_at, nullif(r.version, -1) AS version,
       r.received_at, r.input_at, r.updated_at, r.trying_since, r.ordered_at, r.ship_by, r.marketplace_id, r.remote,
       p.body, p.traceparent, i.title AS interface_title, i.marketplace, i.erp, i.mode,
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
    """Ids of the records with this number: order number, marketplace id or the ERP's number; the exact number first."""
    rows = conn.execute(
        "SELECT id FROM records WHERE flow = %s AND (key = %s OR marketplace_id = %s OR remote = %s)"
        " AND (%s::text IS NULL OR interface = %s) ORDER BY key <> %s, id LIMIT 100",
        (flow, key, key, key, interface, interface, key),
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
    payload = _payload(row.pop("body"))
    data: dict[str, Any] = payload.get("data") or {}
    order = data.get("order") or {}
    name = customer_name(order)
    problems = explained(row["reason"], language)
    row["reason"] = {"sentence": sentence(row["reason"], language), "problems": problems} if problems else None
    return {
        **row,
        "number": row["key"] if row["flow"] != "stock" else None,
        "erp_number": row["remote"] if row["flow"] == "order-import" else data.get("erp_number"),
        "total": order.get("total"),
        "currency": order.get("currency"),
        "customer": name if reveal or name is None else initials(name),
        "payload": payload if reveal else masked(payload),
    }


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
    entries = [_transition(row, sides[0], sides[1], language) for row in transitions]
    entries += [_attempt(row, sides[0], sides[1]) for row in attempts]
    # An attempt is written in the transaction of its settle: it stands below the transition it led to.
    return sorted(entries, key=lambda entry: (entry["at"], entry["kind"] == "transition", entry["seq"]), reverse=True)


def hop(stage: str, marketplace: str, erp: str) -> dict[str, str]:
    """Source and target of a stage, for people."""
    if stage == "connect":
        return {"source": marketplace, "target": OURSELVES}
    if stage in TO_THE_MARKETPLACE:
        return {"source": OURSELVES, "target": marketplace}
    return {"source": OURSELVES, "target": erp}


def _transition(row: dict[str, Any], marketplace: str, erp: str, language: Language) -> dict[str, Any]:
    between = hop(row["stage"], marketplace, erp)
    return {
        "at": row["at"],
        "kind": "transition",
        **between,
        "stage": row["stage"],
        "from_state": row["from_state"],
        "to_state": row["to_state"],
        "code": row["code"],
        "reason": explained(row["reason"], language) or None,
        "step": step(row["stage"], row["to_state"], between, language),
        "sentence": sentence(row["reason"], language)
        or remark(row["code"], language)
        or step(row["stage"], row["to_state"], between, language),
        "actor": row["actor"],
        "claim_no": row["claim_no"],
        "duration": None,
        "seq": row["seq"],
    }


def _attempt(row: dict[str, Any], marketplace: str, erp: str) -> dict[str, Any]:
    return {
        "at": row["ended_at"],
        "kind": "attempt",
        **hop(row["stage"], marketplace, erp),
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
