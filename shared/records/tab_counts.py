"""How many records a list holds, and how many of them failed: for its tab, so it must be cheap. No tests among them."""

from __future__ import annotations

from typing import Any

from shared.db.connect import Connection

COUNTED_TO = 10_000
_COUNT = """
SELECT count(*) FROM (
  SELECT FROM records WHERE flow = %(flow)s AND (%(slug)s::text IS NULL OR interface = %(slug)s)
    AND (%(state)s::text IS NULL OR state = %(state)s) AND NOT test LIMIT %(most)s
) found
"""


def tab_counts(conn: Connection, flow: str, interface: str | None) -> dict[str, Any]:
    """count and failed, each with whether there are more: exact up to COUNTED_TO."""
    count, failed = (_count(conn, flow, interface, state) for state in (None, "failed"))
    return {
        "count": min(count, COUNTED_TO),
        "capped": count > COUNTED_TO,
        "failed": min(failed, COUNTED_TO),
        "failed_capped": failed > COUNTED_TO,
    }


def _count(conn: Connection, flow: str, interface: str | None, state: str | None) -> int:
    row = conn.execute(_COUNT, {"flow": flow, "slug": interface, "state": state, "most": COUNTED_TO + 1}).fetchone()
    return int(row[0]) if row else 0
