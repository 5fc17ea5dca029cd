"""What happened in a stretch of time: states entered, errors, inputs, rejections, and which chunks of records changed.

The stretch is found by where its rows lie (BRIN); each record is looked up once per transition. An export is shown by
its parts: pending and running are those of both, and what the record became counts only where no part changed with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.db.connect import Connection
from shared.errors.catalogue import catalogue

CHUNK = 20_000
"""Records that are counted together."""

NOBODY = "?"
"""The interface of what names none that is known."""

UNCLASSIFIED = "unclassified"
_EVENTS = ("order-imported", "order-changed", "stock-changed")
QUEUES = (*_EVENTS, *(f"{event}.dead" for event in _EVENTS), "connect.unrouted", "http", "webhook", "export", "fetch",
          "connect")  # fmt: skip
"""Where refused input can have come from."""

# The estimates of a stretch nobody knows are too high, and a hash of all records would be made for ten of them.
_PLAN = (
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_seqscan', 'off', true)"
)
_TRANSITIONS = f"""
WITH t AS MATERIALIZED (
  SELECT record_id, at, stage, to_state, code,
         bool_or(stage IN ('status', 'tracking')) OVER (PARTITION BY record_id, at) AS parted
  FROM transitions WHERE at >= %(since)s AND at < %(until)s),
k AS MATERIALIZED (
  SELECT t.*, r.flow, coalesce((SELECT i.slug FROM interfaces i WHERE i.slug = r.interface), '{NOBODY}') AS interface
  FROM t JOIN records r ON r.id = t.record_id WHERE NOT r.test)
SELECT 'entered', date_trunc(%(unit)s, at), ARRAY[flow, interface, s.stage, to_state], count(*)
FROM k CROSS JOIN LATERAL unnest(CASE WHEN k.stage <> 'marketplace' THEN ARRAY[k.stage]
    WHEN to_state IN ('pending', 'running') THEN '{{status,tracking}}'::text[]
    WHEN parted THEN '{{}}' ELSE ARRAY[k.stage] END) AS s(stage) GROUP BY 2, 3
UNION ALL
SELECT 'errors', NULL, ARRAY[flow, interface, code], count(*) FROM k
WHERE to_state IN ('failed', 'waiting') AND code IS NOT NULL AND stage NOT IN ('status', 'tracking') GROUP BY 3
UNION ALL
SELECT 'chunks', NULL, ARRAY[(record_id / {CHUNK})::text], count(*) FROM t GROUP BY 3
"""  # noqa: S608 - our own text
_INPUTS = f"""
SELECT CASE WHEN i.slug IS NULL THEN '{NOBODY}' ELSE a.interface END, a.event, date_trunc(%(unit)s, a.received_at),
       sum(a.inputs)::bigint
FROM arrivals a LEFT JOIN interfaces i ON i.slug = a.interface
WHERE a.received_at >= %(since)s AND a.received_at < %(until)s GROUP BY 1, 2, 3
"""  # noqa: S608 - our own text
_REJECTIONS = """
SELECT queue, count(*) FROM rejections WHERE received_at >= %(since)s AND received_at < %(until)s GROUP BY 1
"""
Entered = tuple[datetime, str, str, str, str]
Input = tuple[datetime, str, str]


@dataclass(slots=True)
class Stretch:
    """entered: (minute, flow, interface, stage, state) → how many; errors: (flow, interface, code); inputs: (minute,
    event, interface); rejections: (queue,). chunks: of the records that changed, tests too."""

    entered: dict[Entered, int] = field(default_factory=dict)
    errors: dict[tuple[str, ...], int] = field(default_factory=dict)
    inputs: dict[Input, int] = field(default_factory=dict)
    rejections: dict[tuple[str, ...], int] = field(default_factory=dict)
    chunks: set[int] = field(default_factory=set)

    def totals(self) -> dict[str, dict[tuple[str, ...], int]]:
        """By name of the total, without the minutes."""
        return {
            "transitions": _without_minute(self.entered),
            "errors": self.errors,
            "inputs": _without_minute(self.inputs),
            "rejections": self.rejections,
        }


def read_stretch(conn: Connection, since: datetime, until: datetime, unit: str = "minute") -> Stretch:
    """What happened from `since` to before `until`. unit: `hour` for one that is long ago.

    Runs in the caller's transaction, which plans nothing else.
    """
    found, known, values = Stretch(), catalogue(), {"since": since, "until": until, "unit": unit}
    conn.execute(_PLAN)
    for what, minute, labels, count in conn.execute(_TRANSITIONS.encode(), values):
        if what == "entered":
            flow, interface, stage, state = labels
            found.entered[minute, flow, interface, stage, state] = count
        elif what == "errors":
            flow, interface, code = labels
            _add(found.errors, (flow, interface, code if code in known else UNCLASSIFIED), count)
        else:
            found.chunks.add(int(labels[0]))
    for interface, event, minute, count in conn.execute(_INPUTS.encode(), values):
        found.inputs[minute, event, interface] = count
    for queue, count in conn.execute(_REJECTIONS, values):
        _add(found.rejections, (queue if queue in QUEUES else NOBODY,), count)
    return found


def _without_minute(by_minute: Mapping[Entered, int] | Mapping[Input, int]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for (_, *labels), count in by_minute.items():
        _add(found, tuple(labels), count)
    return found


def _add(counts: dict[tuple[str, ...], int], labels: tuple[str, ...], count: int) -> None:
    counts[labels] = counts.get(labels, 0) + count
