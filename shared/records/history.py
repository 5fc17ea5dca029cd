"""One record whole, and everything that happened to it: transitions and attempts, newest first.

Called by the API, the pages and the CLI's `show`. Hops are named source → target: marketplace → Connect → ERP, or back.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.away import with_away
from shared.records.columns import columns, reason
from shared.records.copies import payload as stored_event
from shared.records.exchanges import compared, read_exchanges
from shared.records.held import held
from shared.records.held import said as held_said
from shared.records.indexed import candidates_named, query_of
from shared.records.modes import standings
from shared.records.parts import NAMES, STAGE
from shared.records.personal import masked
from shared.records.search import fold
from shared.records.wording import explained, remark, sentence, step

OURSELVES = "Connect"
NO_CALLS: Mapping[str, Any] = {"calls": [], "left_out": 0}
AT_REST = ("done", "warning", "failed", "skipped", "never", "waiting")
"""What leaves these without a person does so by itself."""
TO_THE_MARKETPLACE = ("marketplace", "status", "tracking", "stock")

_RECORD = f"""
SELECT r.id, r.interface, r.flow, r.key, {STAGE} AS stage, r.state, r.code, r.reason, r.due_at, r.tries, r.lost,
       r.claim_no, r.payload_no, r.sent_no, r.intended, r.blocked, r.forced, r.test, r.changed_at,
       nullif(r.version, -1) AS version, r.received_at, r.input_at, r.updated_at, r.trying_since, r.ordered_at,
       r.ship_by, r.marketplace_id, r.remote, p.body, p.traceparent, i.title AS interface_title, i.marketplace, i.erp,
       i.mode,
       (SELECT coalesce(jsonb_agg(b.key ORDER BY b.key), '[]') FROM blocks b WHERE b.record_id = r.id) AS waits_for,
       (SELECT coalesce(jsonb_agg(a.part ORDER BY a.part), '[]') FROM archived a WHERE a.record_id = r.id) AS archived
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
    near, of_order = (f"id = ANY(ARRAY({candidates_named(name)}))" if fold(key) else "true" for name in ("near", "of"))
    rows = conn.execute(
        f"SELECT id FROM records WHERE {near} AND flow = %(flow)s AND (key = %(key)s OR marketplace_id = %(key)s"
        "   OR remote = %(key)s OR id IN (SELECT record_id FROM shipments WHERE tracking_number = %(key)s)"
        "   OR id IN (SELECT record_id FROM articles WHERE foreign_sku = %(key)s)"
        "   OR flow = 'order-export' AND (interface, key) IN"
        f"     (SELECT interface, key FROM records WHERE {of_order} AND flow = 'order-import' AND remote = %(key)s))"
        " AND (%(interface)s::text IS NULL OR interface = %(interface)s)"
        " ORDER BY key <> %(key)s, id LIMIT 100".encode(),
        {
            "flow": flow,
            "key": key,
            "interface": interface,
            "near": query_of([key], flow) if fold(key) else None,
            "of": query_of([key], "order-import") if fold(key) else None,
        },
    ).fetchall()
    return [row[0] for row in rows]


def read_record(
    conn: Connection, record_id: int, reveal: bool = True, language: Language = "en"
) -> dict[str, Any] | None:
    """The record with its staged event (`payload`) and its problems explained; None when there is none.

    reveal False shows initials instead of the buyer's data. `archived`: parts of the archive that have history of it.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_RECORD, (record_id,)).fetchone()
    if row is None:
        return None
    (row,) = with_away(conn, [row])
    payload = stored_event(row.pop("body"))
    copies: dict[int, dict[str, Any]] = {record_id: payload.get("data") or {}}
    why, holds = held_said(reason(row["reason"], language), held(row, standings(conn)), language)
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
    reveal: bool = True,
    limit: int = 1_000,
) -> list[dict[str, Any]]:
    """What happened, newest first, at most `limit` of each kind. titles: connector key → its name for people.

    An attempt has its `calls` and, against the attempt before it, what `changed`; reveal False leaves bodies out.
    """
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
    told = {row["claim_no"]: _status_told(row["detail"]) for row in attempts}
    entries = [
        _transition(row, record[0], hop(record[0], row["stage"], *sides), language, told.get(row["claim_no"]))
        for row in transitions
    ]
    said = read_exchanges(conn, record_id, reveal=reveal) if attempts else {}
    entries += [
        _attempt(row, hop(record[0], row["stage"], *sides)) | _calls(said, row, before)
        for row, before in zip(attempts, [*attempts[1:], None], strict=False)
    ]
    return _asked(newest_first(entries))


def newest_first(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the order of pages and API. An attempt is written in the transaction of its settle: it stands below the
    transition it led to."""
    return sorted(entries, key=lambda entry: (entry["at"], entry["kind"] == "transition", entry["seq"]), reverse=True)


def _asked(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`asked_by` says which person's wish led to it: of the one who set it due, until it comes to rest."""
    asked: str | None = None
    for entry in reversed(entries):
        if entry["actor"] is not None:
            asked = entry["actor"]
        elif entry["from_state"] in AT_REST and entry["stage"] not in NAMES:
            asked = None
        entry["asked_by"] = asked
    return entries


def hop(flow: str, stage: str, marketplace: str, erp: str) -> dict[str, str]:
    """Source and target of a stage, for people."""
    if stage == "connect":
        return {"source": marketplace if flow == "order-import" else erp, "target": OURSELVES}
    return {"source": OURSELVES, "target": marketplace if stage in TO_THE_MARKETPLACE else erp}


def _calls(
    said: Mapping[int, Mapping[str, Any]], row: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What was said to remote systems in an attempt, and what of it differs from the one before."""
    kept = said.get(row["claim_no"], NO_CALLS)
    earlier = said.get(before["claim_no"]) if before else None
    changed = None if earlier is None else compared(earlier["calls"], kept["calls"])
    return {"calls": kept["calls"], "calls_left_out": kept["left_out"], "changed": changed}


def _status_told(detail: Any) -> str | None:
    """Which of the ERP's statuses an attempt of an export was about."""
    status = (detail or {}).get("status")
    return status.get("status") if isinstance(status, dict) else None


def _transition(
    row: dict[str, Any], flow: str, between: dict[str, str], language: Language, told: str | None
) -> dict[str, Any]:
    said = step(flow, row["stage"], row["to_state"], between, language, told)
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
