"""Groups: what is in trouble, by its cause, the most harmful first: due today, then what it is worth, then how many.

A group is every record that has one cause (interface, flow, code, and what a key waits for), from the moment it failed
so until it is done; those on their way again are still of it. Read out of `troubles`. Items are dicts ready for JSON.
"""
# ruff: noqa: S608 - statements are put together from texts of ours; values travel as parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.records.causes import said_of
from shared.records.filter import GROUP
from shared.records.last_time import last_times

Shown = Literal["open", "acknowledged", "resolved"]
SHOWN: tuple[Shown, ...] = ("open", "acknowledged", "resolved")
TREND_HOURS = 24
AT_STAKE = "state IS DISTINCT FROM 'warning'"
"""What is done with a remark is not at stake any more: it has no worth and no date here."""

_DAY = """WITH d AS (SELECT now() AS now,
  date_trunc('day', now() AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s AS begins,
  (date_trunc('day', now() AT TIME ZONE %(zone)s) + interval '1 day') AT TIME ZONE %(zone)s AS ends)"""
_SCOPE = """(%(interface)s::text IS NULL OR t.interface = %(interface)s)
  AND (%(flow)s::text IS NULL OR t.flow = %(flow)s) AND (%(cause)s::text IS NULL OR t.cause = %(cause)s)"""
_FIGURES = f"""count(*) AS count, sum(amount) FILTER (WHERE {AT_STAKE}) AS worth,
  count(*) FILTER (WHERE ship_by < d.now AND {AT_STAKE}) AS overdue,
  count(*) FILTER (WHERE ship_by < d.ends AND {AT_STAKE}) AS due_today,
  min(ship_by) FILTER (WHERE {AT_STAKE}) AS next_ship_by, min(entered_at) AS first_seen, max(seen_at) AS last_seen,
  max(left_at) AS left_at, max(record_id) AS sample"""
_OPEN = f"""{_DAY} SELECT t.cause, t.state, t.currency, {_FIGURES} FROM troubles t, d
WHERE t.left_at IS NULL AND {_SCOPE} GROUP BY t.cause, t.state, t.currency"""
_OVER = f"""{_DAY} SELECT t.cause, t.outcome AS state, t.currency, {_FIGURES} FROM troubles t, d
WHERE (t.left_at >= d.begins OR t.cause = %(cause)s AND t.left_at IS NOT NULL) AND t.outcome <> 'other'
  AND NOT t.cause = ANY(%(open)s) AND {_SCOPE} GROUP BY t.cause, t.outcome, t.currency"""
_SAMPLES = """SELECT t.cause, t.interface, t.flow, t.code, t.problem, cause_value(t.code, t.problem) AS value,
  coalesce(i.marketplace, '') AS marketplace, coalesce(i.erp, '') AS erp,
  ARRAY(SELECT b.key FROM blocks b WHERE b.record_id = t.record_id ORDER BY b.key) AS watched
FROM unnest(%s::text[], %s::int8[]) AS s(cause, sample) JOIN troubles t ON t.record_id = s.sample AND t.cause = s.cause
     LEFT JOIN interfaces i ON i.slug = t.interface"""
# A reading of its own: grouped together with the figures, PostgreSQL expects a group per row and sorts on disk.
_TREND = f"""SELECT cause, floor(date_part('epoch', now() - entered_at) / 3600)::int AS hours, count(*) FROM (
  SELECT cause, entered_at FROM troubles WHERE left_at IS NULL AND cause = ANY(%(causes)s)
  UNION ALL SELECT cause, entered_at FROM troubles
  WHERE left_at > now() - interval '{TREND_HOURS} hours' AND cause = ANY(%(causes)s)) t
WHERE entered_at > now() - interval '{TREND_HOURS} hours' AND entered_at <= now() GROUP BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Groups:
    """items: of the wanted kind, the most harmful first; counts: how many of each kind; records: in all open ones."""

    items: list[dict[str, Any]]
    counts: dict[str, int]
    records: int


def list_groups(
    conn: Connection,
    zone: ZoneInfo,
    *,
    shown: Shown = "open",
    interface: str | None = None,
    flow: str | None = None,
) -> Groups:
    """The groups of all interfaces and flows, or of one. zone: in which "today" ends.

    Resolved are those that emptied today. Acknowledged ones come back to open when the cause returns.
    """
    found = _found(conn, zone, interface, flow, None)
    kinds: dict[str, list[dict[str, Any]]] = {kind: [one for one in found if one["status"] == kind] for kind in SHOWN}
    counts = {kind: len(of_kind) for kind, of_kind in kinds.items()}
    items = kinds[shown]
    _complete(conn, items)
    return Groups(items, counts, sum(one["count"] for kind in SHOWN[:2] for one in kinds[kind]))


def read_group(conn: Connection, zone: ZoneInfo, cause: str) -> dict[str, Any] | None:
    """One group, also one that emptied long ago; None where no record ever had this cause."""
    if not GROUP.fullmatch(cause):
        return None
    found = _found(conn, zone, None, None, cause)
    _complete(conn, found)
    return found[0] if found else None


def cause_of_record(conn: Connection, record_id: int) -> str | None:
    """The cause a record suffers from; None where it is in no trouble."""
    row = conn.execute("SELECT cause FROM troubles WHERE record_id = %s AND left_at IS NULL", (record_id,)).fetchone()
    return None if row is None else str(row[0])


def _found(
    conn: Connection, zone: ZoneInfo, interface: str | None, flow: str | None, cause: str | None
) -> list[dict[str, Any]]:
    values: dict[str, Any] = {"zone": zone.key, "interface": interface, "flow": flow, "cause": cause}
    with conn.cursor(row_factory=dict_row) as cursor:
        now = _merged(cursor.execute(_OPEN.encode(), values).fetchall())
        over = _merged(cursor.execute(_OVER.encode(), {**values, "open": list(now)}).fetchall())
    said = said_of(conn, [*now, *over])
    for cause_, one in now.items():
        known = said.get(cause_, {}).get("acknowledged_at")
        one["status"] = "acknowledged" if known is not None and known >= one["first_seen"] else "open"
    for one in over.values():
        one["status"] = "resolved"
    found = []
    for one in (*now.values(), *over.values()):
        spoken = said.get(one["id"], {})
        names = ("note", "noted_by", "noted_at", "assignee", "assigned_by", "acknowledged_by", "acknowledged_at")
        found.append(one | {name: spoken.get(name) for name in names})
    return sorted(found, key=_harm)


def _harm(group: Mapping[str, Any]) -> tuple[Any, ...]:
    worth = sum(Decimal(one["amount"]) for one in group["amounts"])
    last = group["resolved_at"]
    return (-group["due_today"], -worth, -group["count"], -last.timestamp() if last else 0, group["id"])


def _merged(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures by cause; they come by state and currency as well."""
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = groups.setdefault(
            row["cause"],
            {
                "id": row["cause"], "filter": f"group:{row['cause']}", "count": 0, "states": {}, "worth": {},
                "due_today": 0, "overdue": 0, "next_ship_by": None, "first_seen": row["first_seen"],
                "last_seen": row["last_seen"], "resolved_at": row["left_at"], "sample": row["sample"],
            },
        )  # fmt: skip
        state = row["state"] or "on_their_way"
        one["count"] += row["count"]
        one["states"][state] = one["states"].get(state, 0) + row["count"]
        one["due_today"] += row["due_today"]
        one["overdue"] += row["overdue"]
        if row["worth"] is not None and row["currency"]:
            one["worth"][row["currency"]] = one["worth"].get(row["currency"], Decimal(0)) + row["worth"]
        one["first_seen"] = min(one["first_seen"], row["first_seen"])
        one["sample"] = max(one["sample"], row["sample"])
        for name, best in (("last_seen", max), ("resolved_at", max), ("next_ship_by", min)):
            said = [at for at in (one[name], row["left_at" if name == "resolved_at" else name]) if at is not None]
            one[name] = best(said) if said else None
    for one in groups.values():
        worth = one.pop("worth")
        one["amounts"] = [{"currency": name, "amount": f"{worth[name]:.2f}"} for name in sorted(worth)]
    return groups


def _complete(conn: Connection, groups: list[dict[str, Any]]) -> None:
    """Add what is asked for per group: its problem, its trend, and what ended it the last time."""
    ids = [one["id"] for one in groups]
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SAMPLES.encode(), (ids, [one["sample"] for one in groups])).fetchall()
    samples = {row["cause"]: row for row in rows}
    trend: dict[str, dict[int, int]] = {}
    for cause, hours, count in conn.execute(_TREND.encode(), {"causes": ids}):
        trend.setdefault(cause, {})[hours] = count
    ended = last_times(conn, ids)
    for one in groups:
        of_hours = trend.get(one["id"], {})
        one |= samples[one["id"]]
        one["trend"] = [of_hours.get(hours, 0) for hours in reversed(range(TREND_HOURS))]
        one["last_time"] = ended.get(one["id"])
        one["acknowledged"] = one["status"] == "acknowledged"
        del one["cause"], one["sample"]
