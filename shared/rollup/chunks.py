"""Records by what they are, counted in chunks of neighbouring numbers and only again where something changed.

A chunk is counted whole, so nothing adds up wrongly over time: whatever a record was before, what counts is what it is.
New records lie together in the last chunks; what the transitions name is counted again; and one more chunk is, each
round, in turn, which finds what no transition tells of (a deletion, an end of a test). Called by `rollup`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.rollup.stretch import CHUNK

Place = tuple[str, str, str, str]
"""flow, interface, stage, state."""

_LOCK = "SELECT FROM rollup_watch FOR UPDATE"
_STANDS = "state IN ('pending', 'running', 'waiting') AND code IS DISTINCT FROM 'announced'"
# A part of an export has its own state, unless the record stands as none of its parts does: that is how it stands then.
_COUNT = f"""
WITH r AS MATERIALIZED (
  SELECT id, flow, interface, stage, state, CASE WHEN {_STANDS} THEN input_at END AS since FROM records
  WHERE id >= %(first)s AND id < %(next)s AND NOT test),
p AS MATERIALIZED (
  SELECT record_id, max(state) FILTER (WHERE part = 'status') AS status,
         max(state) FILTER (WHERE part = 'tracking') AS tracking
  FROM parts WHERE record_id >= %(first)s AND record_id < %(next)s GROUP BY 1),
e AS (
  SELECT r.*, s.stage AS shown, CASE
      WHEN r.state IN ('pending', 'running')
        OR r.state NOT IN (coalesce(p.status, 'never'), coalesce(p.tracking, 'never'))
      THEN r.state ELSE coalesce(s.its, 'never') END AS its
  FROM r LEFT JOIN p ON p.record_id = r.id
       CROSS JOIN LATERAL (VALUES ('status', p.status), ('tracking', p.tracking)) AS s(stage, its)
  WHERE r.flow = 'order-export')
SELECT flow, interface, stage, state, count(*), extract(epoch FROM min(since))::float8 FROM r
WHERE flow <> 'order-export' GROUP BY 1, 2, 3, 4
UNION ALL
SELECT flow, interface, shown, its, count(*), extract(epoch FROM min(since))::float8 FROM e GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - our own text
_STORE = """
INSERT INTO rollup_chunks(chunk, counts, dirty, counted_at) VALUES (%(chunk)s, %(counts)s, false, now())
ON CONFLICT (chunk) DO UPDATE SET counts = excluded.counts, dirty = false, counted_at = now()
"""
Counts = dict[Place, tuple[int, float | None]]
"""How many, and the epoch of the oldest unfinished one."""


def count_chunk(conn: Connection, chunk: int) -> Counts:
    """What the records of a chunk are now. No tests among them."""
    rows = conn.execute(_COUNT.encode(), {"first": chunk * CHUNK, "next": (chunk + 1) * CHUNK})
    return {(flow, interface, stage, state): (count, since) for flow, interface, stage, state, count, since in rows}


@dataclass(slots=True)
class Chunks:
    """What is known of all chunks, in memory as in the table. Of one connection that is the only one to count."""

    failpoint: Callable[[str], None]
    counts: dict[int, Counts] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    checked: int = -1

    def load(self, conn: Connection) -> None:
        """Read what was counted."""
        self.counts = {
            chunk: {(row[0], row[1], row[2], row[3]): (row[4], row[5]) for row in rows}
            for chunk, rows in conn.execute("SELECT chunk, counts FROM rollup_chunks")
        }

    def read_dirty(self, conn: Connection) -> None:
        """Which chunks were marked."""
        self.dirty = {row[0] for row in conn.execute("SELECT chunk FROM rollup_chunks WHERE dirty")}

    def count(self, conn: Connection, chunk: int) -> None:
        """Count a chunk again and store it, unmarked: who marks it waits, or has done so before the count."""
        with conn.transaction():
            conn.execute(_LOCK)
            found = count_chunk(conn, chunk)
            self.failpoint("rollup.counted")
            rows = [[*place, *value] for place, value in sorted(found.items())]
            conn.execute(_STORE, {"chunk": chunk, "counts": Jsonb(rows)})
        self.counts[chunk] = found
        self.dirty.discard(chunk)

    def next_check(self, settled: Iterable[int]) -> int | None:
        """The chunk whose turn it is among these, of which nothing is known to have changed."""
        able = sorted(settled)
        if not able:
            return None
        self.checked = next((chunk for chunk in able if chunk > self.checked), able[0])
        return self.checked

    def records(self) -> dict[Place, int]:
        """How many records there are of each kind."""
        found: dict[Place, int] = {}
        for counts in self.counts.values():
            for place, (count, _) in counts.items():
                found[place] = found.get(place, 0) + count
        return found

    def oldest(self) -> dict[tuple[str, str], float]:
        """(flow, interface) → since when the oldest unfinished record is here, as epoch."""
        found: dict[tuple[str, str], float] = {}
        for counts in self.counts.values():
            for (flow, interface, _, _), (_, since) in counts.items():
                if since is not None:
                    found[flow, interface] = min(since, found.get((flow, interface), since))
        return found
