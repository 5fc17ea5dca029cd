"""What others ask the rollup: inputs and states entered, per step of time, for sparklines, reports and baselines.

Any period costs a look at its minutes, never at the big tables; what the roller has not folded yet is added from where
it lies, so the last step is as true as the first. What is older than `thin.MINUTES_DAYS` is known by the hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.db.connect import Connection

FLOW_OF = {"order-imported": "order-import", "order-changed": "order-export", "stock-changed": "stock"}
"""Event → the flow it belongs to."""

_INPUTS = """
SELECT interface, event, place, sum(inputs)::bigint FROM (
  SELECT interface, event, floor(extract(epoch FROM minute - %(since)s) / %(step)s)::int AS place, inputs
  FROM rollup_inputs WHERE minute >= %(since)s AND minute < %(until)s
  UNION ALL
  SELECT interface, event, floor(extract(epoch FROM received_at - %(since)s) / %(step)s)::int, inputs
  FROM arrivals WHERE received_at < %(until)s
    AND received_at >= (SELECT greatest(rolled, %(since)s) FROM rollup_watch)) n
WHERE (%(interface)s::text IS NULL OR interface = %(interface)s) GROUP BY 1, 2, 3
"""
_ENTERED = """
SELECT interface, flow, state, floor(extract(epoch FROM minute - %(since)s) / %(step)s)::int, sum(entered)::bigint
FROM rollup_minutes WHERE minute >= %(since)s AND minute < %(until)s
  AND state = ANY(%(states)s)
  AND (%(interface)s::text IS NULL OR interface = %(interface)s) GROUP BY 1, 2, 3, 4
"""


def inputs(
    conn: Connection,
    since: datetime,
    until: datetime,
    step: timedelta = timedelta(minutes=1),
    *,
    interface: str | None = None,
    flow: str | None = None,
) -> dict[tuple[str, str], list[int]]:
    """How many inputs came in, by (interface, flow): one number per `step` from `since`, the last one may be cut short.

    interface, flow: only these; None for all. Input of no known interface is under `?`; one that had no input at all
    in the period is not in the answer. `since` is taken down to its minute. Raises ValueError for a step under a
    minute or a period that is empty.
    """
    begin, many = _steps(since, until, step)
    found: dict[tuple[str, str], list[int]] = {}
    values = {"since": begin, "until": until, "step": step.total_seconds(), "interface": interface}
    for slug, event, place, count in conn.execute(_INPUTS, values):
        of = FLOW_OF.get(event)
        if of is not None and flow in (None, of) and 0 <= place < many:
            found.setdefault((slug, of), [0] * many)[place] += count
    return found


def inputs_by_minute(
    conn: Connection, since: datetime, until: datetime, *, interface: str | None = None, flow: str | None = None
) -> dict[tuple[str, str], dict[datetime, int]]:
    """The same, as minute → how many, without the minutes that had none: what a baseline is learned from."""
    begin, _ = _steps(since, until, timedelta(minutes=1))
    return {
        place: {begin + timedelta(minutes=n): count for n, count in enumerate(counts) if count}
        for place, counts in inputs(conn, since, until, interface=interface, flow=flow).items()
    }


def entered(
    conn: Connection,
    since: datetime,
    until: datetime,
    step: timedelta,
    states: Sequence[str],
    *,
    interface: str | None = None,
) -> dict[tuple[str, str, str], list[int]]:
    """How often records came into these states, by (interface, flow, state): one number per `step` from `since`.

    Of an export each part is counted; what is taken in enters `done` at the stage connect. Knows what is folded, see
    `roller.rolled_until`: usually up to some ten seconds ago. Raises as `inputs` does.
    """
    begin, many = _steps(since, until, step)
    found: dict[tuple[str, str, str], list[int]] = {}
    values: Mapping[str, Any] = {
        "since": begin, "until": until, "step": step.total_seconds(), "states": list(states), "interface": interface,
    }  # fmt: skip
    for slug, flow, state, place, count in conn.execute(_ENTERED, values):
        if 0 <= place < many:
            found.setdefault((slug, flow, state), [0] * many)[place] += count
    return found


def _steps(since: datetime, until: datetime, step: timedelta) -> tuple[datetime, int]:
    if step < timedelta(minutes=1):
        raise ValueError("a step has to be a minute at least: that is how finely it is known")
    begin = since.replace(second=0, microsecond=0)
    if until <= begin:
        raise ValueError("the period is empty: `until` has to come after `since`")
    return begin, -(-(until - begin) // step)
