"""Probe orders: one per live interface every few minutes, through broker, Connect, dry run and Journal.

    importer: due ─▶ broker ─▶ importer: dry run ─▶ row ─▶ Journal sees it ─▶ metrics, and here what is missing

A probe never becomes a record, so no list, book or figure knows it. A row per interface holds the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.alarms.incidents import Cause
from shared.db.connect import Connection

FAILED = "probe-failed"
MISSING = "probe-missing"
PATIENCE = 3
"""So many times its interval a probe may be missing."""

_USED = (
    "i.mode = 'live' AND NOT EXISTS (SELECT FROM side_states s WHERE s.interface = i.slug AND s.side = 'erp'"
    " AND s.breaker <> 'closed')"
)
"""Interfaces that are probed. Not while the breaker is open: the outage has its incident, and is left in peace."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The last probe that came through."""

    interface: str
    succeeded_at: datetime
    seconds: float


def due(conn: Connection, every: timedelta) -> list[tuple[str, int]]:
    """Mark the interfaces whose probe is due as sent now, and return each with the probe's number. Of several processes
    one gets it."""
    with conn.transaction():
        conn.execute(
            f"INSERT INTO probes(interface) SELECT slug FROM interfaces i WHERE {_USED} ON CONFLICT DO NOTHING".encode()  # noqa: S608
        )
        rows = conn.execute(
            f"UPDATE probes p SET no = no + 1, sent_at = now() FROM interfaces i WHERE i.slug = p.interface AND {_USED}"  # noqa: S608
            " AND coalesce(p.sent_at, 'epoch') <= now() - %s RETURNING p.interface, p.no".encode(),
            (every,),
        ).fetchall()
    return [(interface, number) for interface, number in rows]


def answered(conn: Connection, interface: str, number: int, trouble: str | None) -> None:
    """Its dry run is over. trouble: the code of what stood in the way of it. A late one changes nothing."""
    conn.execute(
        "UPDATE probes SET answered_at = now(), trouble = %s, shown_at = NULL WHERE interface = %s AND no = %s"
        " AND (answered_at IS NULL OR answered_at < sent_at)",
        (trouble, interface, number),
    )


def show(conn: Connection) -> list[Shown]:
    """The Journal sees what was answered since it last looked. Returns the last success of every interface."""
    conn.execute(
        "UPDATE probes SET shown_at = now(), succeeded_at = CASE WHEN trouble IS NULL THEN now() ELSE succeeded_at END,"
        " seconds = CASE WHEN trouble IS NULL THEN extract(epoch FROM now() - sent_at) ELSE seconds END"
        " WHERE answered_at IS NOT NULL AND shown_at IS NULL"
    )
    rows = conn.execute(
        "SELECT p.interface, p.succeeded_at, p.seconds FROM probes p JOIN interfaces i ON i.slug = p.interface"
        " WHERE p.succeeded_at IS NOT NULL AND i.mode = 'live' ORDER BY 1"
    ).fetchall()
    return [Shown(*row) for row in rows]


def standing(conn: Connection, minutes: float, hearing_since: datetime) -> dict[str, dict[Cause, int]]:
    """Which probes failed or are missing, as levels of a round. minutes: their interval, 0 where there are none."""
    found: dict[str, dict[Cause, int]] = {FAILED: {}, MISSING: {}}
    if not minutes:
        return found
    rows = conn.execute(
        f"SELECT p.interface, p.trouble IS NOT NULL FROM probes p JOIN interfaces i ON i.slug = p.interface"  # noqa: S608
        f" WHERE {_USED} AND (p.trouble IS NOT NULL"
        " OR clock_timestamp() - greatest(p.since, p.succeeded_at, %s) > %s)".encode(),
        (hearing_since, timedelta(minutes=minutes * PATIENCE)),
    ).fetchall()
    for interface, failed in rows:
        code = FAILED if failed else MISSING
        found[code][Cause(interface, "infrastructure", code, "")] = 1
    return found


def explain(conn: Connection, minutes: float) -> None:
    """The words of their open incidents. After a round, in its transaction."""
    conn.execute(
        "UPDATE incidents i SET problem = jsonb_build_object('code', i.code, 'field', '', 'values', jsonb_build_object("
        "  'interface', i.interface, 'reason', coalesce(p.trouble, '–'), 'minutes', %s::text)) FROM probes p"
        " WHERE p.interface = i.interface AND i.code = ANY(%s) AND i.ended IS NULL AND i.problem IS NULL",
        (f"{minutes * PATIENCE:g}", [FAILED, MISSING]),
    )


def example(conn: Connection, interface: str, mappings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What a probe order names: an article that the interface has, and values that it maps; made-up ones else."""
    row = conn.execute(
        "SELECT sku FROM articles WHERE interface = %s AND kind <> 'parent' ORDER BY sku LIMIT 1", (interface,)
    ).fetchone()
    names: Sequence[tuple[str, str]] = (("payment", "PROBE"), ("shipping", "PROBE"), ("tax", "19.0"))
    return {"sku": row[0] if row else "CONNECT-PROBE"} | {
        kind: min(mappings.get(kind) or {usual: ""}) for kind, usual in names
    }
