"""Which causes the unfinished records of a list have, the most frequent first: what its filter offers."""

from __future__ import annotations

from shared.db.connect import Connection

COUNTED_TO = 10_000
MOST = 12
_CAUSES = """
SELECT code, count(*) FROM (
  SELECT code FROM records WHERE flow = %(flow)s AND (%(slug)s::text IS NULL OR interface = %(slug)s)
    AND state IN ('failed', 'waiting', 'warning') AND code IS NOT NULL AND NOT test LIMIT %(counted)s
) found GROUP BY code ORDER BY count(*) DESC, code LIMIT %(most)s
"""


def cause_counts(conn: Connection, flow: str, interface: str | None) -> dict[str, int]:
    """Code → how many, among at most COUNTED_TO records."""
    values = {"flow": flow, "slug": interface, "counted": COUNTED_TO, "most": MOST}
    return dict(conn.execute(_CAUSES, values).fetchall())
