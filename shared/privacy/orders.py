"""Orders of a person, each with its export: finding them in the copies that are kept, and taking the person out.

What stays is what books, later events and the remote systems need: numbers, times, amounts, articles, states, history
and hashes, so sums stay right, the same input stays a duplicate, and a later change still finds its order.
"""

# ruff: noqa: S608 - put together from names of ours

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.events.erased import MARK, erased_event
from shared.privacy.subject import Subject, traces
from shared.records.exchanges import pack, unpack
from shared.records.hashes import event_hash

UNDER_WAY = ("pending", "running", "waiting", "failed")
"""States of an order or its export in which it is not over: its data is still needed."""

_PAGE = """
SELECT p.record_id, p.no, convert_from(p.body, 'UTF8')::json #> '{data,order}' AS content
FROM payloads p WHERE (p.record_id, p.no) > (%s, %s) ORDER BY p.record_id, p.no LIMIT %s
"""
_BY_NUMBER = """
SELECT r.id FROM interfaces i JOIN records r ON r.interface = i.slug AND r.key = %(number)s
WHERE r.flow = ANY('{order-import,order-export}') AND (%(interface)s = '' OR i.slug = %(interface)s)
"""
_BOTH = """
SELECT r.id, r.interface, r.key FROM records r JOIN records o ON o.interface = r.interface AND o.key = r.key
WHERE o.id = ANY(%s) AND o.flow <> 'stock' AND r.flow IN ('order-import', 'order-export') ORDER BY r.id
"""
_STANDING = """
SELECT id, interface, flow, key, state FROM records WHERE id = ANY(%s) ORDER BY id
"""
_REASONS = (
    ("records", "id", "reason"),
    ("ignored", "record_id", "reason"),
    ("troubles", "record_id", "problem"),
    ("parts", "record_id", "reason"),
    ("transitions", "record_id", "reason"),
    ("shipments", "record_id", "remarks"),
)
KEPT_VALUES = frozenset(
    {
        "system", "status", "code", "sku", "payment", "shipping", "rate", "carrier", "setting", "fingerprint",
        "quantity", "remote", "fields", "interface", "number", "total", "actor",
    }
)  # fmt: skip
"""Values of a problem that name no buyer: words of mappings, numbers of records, names of fields."""


def find_orders(
    conn: Connection, who: Subject, after: Sequence[int], limit: int
) -> tuple[dict[int, list[str]], list[int] | None]:
    """Records of this person by their id, each with what it says of them, and where to go on; None at the end.

    By a number there is one look-up; by anything else every copy that is kept is read, `limit` of them at a time,
    for an address that was corrected since is in an older copy only.
    """
    if who.number:
        rows = conn.execute(_BY_NUMBER, {"number": who.number, "interface": who.interface}).fetchall()
        return {row[0]: _of_copies(conn, row[0]) for row in rows}, None
    page = conn.execute(_PAGE, (*(after or (0, 0)), limit)).fetchall()
    found: dict[int, list[str]] = {}
    for record_id, _, order in page:
        if isinstance(order, dict) and who.knows(order):
            found[record_id] = _of_copies(conn, record_id)
    if who.interface and found:
        rows = conn.execute(
            "SELECT id FROM records WHERE id = ANY(%s) AND interface = %s", (list(found), who.interface)
        ).fetchall()
        found = {row[0]: found[row[0]] for row in rows}
    return found, [page[-1][0], page[-1][1]] if len(page) == limit else None


def order_and_export(conn: Connection, ids: Sequence[int]) -> list[tuple[int, str, str]]:
    """Id, interface and number of these records, and of the other side of the same order."""
    return [(row[0], row[1], row[2]) for row in conn.execute(_BOTH, (list(ids),)).fetchall()]


def lock_orders(conn: Connection, ids: Sequence[int]) -> tuple[list[int], list[dict[str, str]], list[int]]:
    """`judge_orders`, and hold the rows until the end of the caller's transaction. The third are the ids of orders that
    somebody else holds this moment: they are not waited for, as whoever takes events in locks in another order."""
    locked = {
        row[0]
        for row in conn.execute(
            "SELECT id FROM records WHERE id = ANY(%s) ORDER BY id FOR UPDATE SKIP LOCKED", (list(ids),)
        ).fetchall()
    }
    names = {one[0]: one[1:] for one in order_and_export(conn, ids)}
    busy = {name for id_, name in names.items() if id_ not in locked}
    free, stays = judge_orders(conn, [id_ for id_ in ids if names.get(id_) not in busy])
    return free, stays, [id_ for id_ in ids if names.get(id_) in busy]


def judge_orders(conn: Connection, ids: Sequence[int]) -> tuple[list[int], list[dict[str, str]]]:
    """The ids of the records whose order is over, and why others stay: `{interface, number, why, flow, state}`.

    An order is over when neither it nor its export (both are given) is under way, and nobody holds it for the law.
    why: under-way or held.
    """
    rows = conn.execute(_STANDING, (list(ids),)).fetchall()
    stays: dict[tuple[str, str], dict[str, str]] = {}
    for _, interface, flow, key, state in rows:
        if state in UNDER_WAY:
            what = {"interface": interface, "number": key, "why": "under-way", "flow": flow, "state": state}
            stays.setdefault((interface, key), what)
    keys = {(row[1], row[3]) for row in rows}
    for interface, key in conn.execute(
        "SELECT interface, key FROM privacy_holds WHERE (interface, key) IN"
        " (SELECT * FROM unnest(%s::text[], %s::text[]))",
        ([one for one, _ in keys], [one for _, one in keys]),
    ):
        stays[(interface, key)] = {"interface": interface, "number": key, "why": "held", "flow": "", "state": ""}
    return [row[0] for row in rows if (row[1], row[3]) not in stays], list(stays.values())


def erase_orders(conn: Connection, ids: Sequence[int]) -> dict[str, int]:
    """Take the person out of these records; how many rows of which table were overwritten.

    In the caller's transaction, under `lock_orders`. Doing it again changes nothing.
    """
    told: dict[str, int] = {"records": len(ids)}
    known = conn.execute("SELECT record_id, no, body FROM payloads WHERE record_id = ANY(%s)", (list(ids),)).fetchall()
    told["payloads"] = _write(
        conn,
        "UPDATE payloads p SET body = n.body FROM unnest(%s::int8[], %s::int4[], %s::bytea[]) AS n(id, no, body)"
        " WHERE p.record_id = n.id AND p.no = n.no",
        [(id_, no, erased_event(bytes(body))) for id_, no, body in known],
    )
    told["events"] = _erase_inbox(conn, [bytes(body) for _, _, body in known])
    for table, column, what in _REASONS:
        told[table] = max(told.get(table, 0), _erase_reasons(conn, table, column, what, ids))
    told["attempts"] = _erase_details(conn, ids)
    told["exchanges"] = _erase_calls(conn, ids)
    told["shipments"] = conn.execute(
        "UPDATE shipments SET document = '{}', tracking_number = NULL WHERE record_id = ANY(%s)", (list(ids),)
    ).rowcount
    told["ignored"] += conn.execute("UPDATE ignored SET why = %s WHERE record_id = ANY(%s)", (MARK, list(ids))).rowcount
    told["receipt_numbers"] = conn.execute(
        "UPDATE receipt_numbers SET answer = NULL WHERE answer IS NOT NULL AND number = ANY(ARRAY("
        "SELECT key FROM records WHERE id = ANY(%s)))",
        (list(ids),),
    ).rowcount
    # The index forgets at once; whoever searches meanwhile reads the record itself.
    told["search_texts"] = conn.execute("DELETE FROM search_texts WHERE record_id = ANY(%s)", (list(ids),)).rowcount
    conn.execute("INSERT INTO search_stale SELECT unnest(%s::int8[])", (list(ids),))
    conn.execute(
        "INSERT INTO privacy_erased(record_id, payload_no) SELECT id, payload_no FROM records WHERE id = ANY(%s)"
        " ON CONFLICT (record_id) DO UPDATE SET payload_no = excluded.payload_no, at = now()",
        (list(ids),),
    )
    conn.execute("DELETE FROM privacy_later WHERE class = 'orders' AND ref = ANY(%s)", (list(ids),))
    return {name: count for name, count in told.items() if count}


def erase_event_ids(conn: Connection, ids: Sequence[int]) -> int:
    """Overwrite the ids of events that led to no copy of these records: those that were superseded. Reads the inbox
    once, which has no index by record. In the caller's transaction."""
    return conn.execute(
        "UPDATE events SET id = %s WHERE record_id = ANY(%s) AND id <> %s", (MARK, list(ids), MARK)
    ).rowcount


def erase_in_calls(calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Calls as they are kept, see `Exchange.told`, without what was said."""
    return [
        {**call, "target": call["target"].partition("?")[0], "request": None, "response": None,
         "wrong": call["wrong"] and MARK}
        for call in calls
    ]  # fmt: skip


def erase_problems(found: Any) -> Any:
    """Problems as they are stored; of their values stays what names nobody."""
    if isinstance(found, list):
        return [erase_problems(one) for one in found]
    if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
        return found
    kept = {name: value if name in KEPT_VALUES else MARK for name, value in found["values"].items()}
    return {**found, "values": kept}


def _of_copies(conn: Connection, record_id: int) -> list[str]:
    found: list[str] = []
    for (body,) in conn.execute("SELECT body FROM payloads WHERE record_id = %s", (record_id,)).fetchall():
        order = (orjson.loads(bytes(body)).get("data") or {}).get("order")
        found += traces(order) if isinstance(order, dict) else []
    return list(dict.fromkeys(found))


def _write(conn: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> int:
    if not rows:
        return 0
    return conn.execute(statement.encode(), [list(column) for column in zip(*rows, strict=True)]).rowcount


def _erase_inbox(conn: Connection, bodies: Sequence[bytes]) -> int:
    """The ids of the events whose copies these are; their hashes stay, and know them when they come again."""
    hashes = []
    for body in bodies:
        event = orjson.loads(body)
        if isinstance(event, dict) and isinstance(event.get("id"), str) and event["id"] != MARK:
            hashes.append(event_hash(str(event.get("source")), event["id"]))
    return conn.execute("UPDATE events SET id = %s WHERE hash = ANY(%s)", (MARK, hashes)).rowcount if hashes else 0


def _erase_reasons(conn: Connection, table: str, column: str, what: str, ids: Sequence[int]) -> int:
    rows = conn.execute(
        f"SELECT ctid::text, {what} FROM {table} WHERE {column} = ANY(%s) AND {what} IS NOT NULL FOR UPDATE".encode()
        if table != "transitions"
        else b"SELECT seq || ' ' || record_id, reason FROM transitions WHERE record_id = ANY(%s)"
        b" AND reason IS NOT NULL FOR UPDATE",
        (list(ids),),
    ).fetchall()
    changed = [(at, Jsonb(erase_problems(found))) for at, found in rows if erase_problems(found) != found]
    if not changed:
        return 0
    where = "t.seq || ' ' || t.record_id = n.at" if table == "transitions" else "t.ctid = n.at::tid"
    return conn.execute(
        f"UPDATE {table} t SET {what} = n.said FROM unnest(%s::text[], %s::jsonb[]) AS n(at, said)"
        f" WHERE t.{column} = ANY(%s) AND {where}".encode(),
        ([at for at, _ in changed], [said for _, said in changed], list(ids)),
    ).rowcount


def _erase_details(conn: Connection, ids: Sequence[int]) -> int:
    """Of an attempt's detail stay numbers, flags and the remote system's number."""
    rows = conn.execute(
        "SELECT record_id, claim_no, detail FROM attempts WHERE record_id = ANY(%s) AND detail IS NOT NULL FOR UPDATE",
        (list(ids),),
    ).fetchall()
    changed = [(id_, no, Jsonb(_numbers(detail))) for id_, no, detail in rows if _numbers(detail) != detail]
    return _write(
        conn,
        "UPDATE attempts a SET detail = n.said FROM unnest(%s::int8[], %s::int4[], %s::jsonb[]) AS n(id, no, said)"
        " WHERE a.record_id = n.id AND a.claim_no = n.no",
        changed,
    )


def _numbers(detail: Any, name: str = "") -> Any:
    if isinstance(detail, dict):
        return {key: _numbers(value, key) for key, value in detail.items()}
    if isinstance(detail, list):
        return [_numbers(one, name) for one in detail]
    return MARK if isinstance(detail, str) and name not in KEPT_VALUES else detail


def _erase_calls(conn: Connection, ids: Sequence[int]) -> int:
    rows = conn.execute(
        "SELECT record_id, claim_no, at, body FROM exchanges WHERE record_id = ANY(%s) FOR UPDATE", (list(ids),)
    ).fetchall()
    changed = []
    for id_, no, at, body in rows:
        kept = unpack(bytes(body))
        calls = erase_in_calls(kept["calls"])
        if calls != kept["calls"]:
            changed.append((id_, no, at, repack(calls, kept["left_out"])))
    return _write(
        conn,
        "UPDATE exchanges e SET body = n.body FROM"
        " unnest(%s::int8[], %s::int4[], %s::timestamptz[], %s::bytea[]) AS n(id, no, at, body)"
        " WHERE e.record_id = n.id AND e.claim_no = n.no AND e.at = n.at",
        changed,
    )


def repack(calls: Sequence[Mapping[str, Any]], left_out: int) -> bytes:
    """Calls as they are stored, with how many had been left out before."""
    packed = pack(calls, left_out)
    return packed if packed is not None else b""
