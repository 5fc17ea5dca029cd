"""The steps of a bulk run. Each is one transaction under a lock of the run's row: whoever dies in one leaves it undone,
and another process goes on from there. Called by the Journal's runner.

A ramp sets 1, 5, 25 records due and waits for each step to settle; the rest follows with at most CHUNK under way, so
that new orders are not held up behind it. A run stops by itself where more than STOP_PERCENT of a step fail again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from shared.db.connect import GONE, Connection
from shared.failpoint import Planted
from shared.records.actions import Seen
from shared.records.bulk import act, choose
from shared.records.bulk_read import OVER, RAMP
from shared.records.filter import FilterError, parse
from shared.records.interfaces import modes
from shared.records.selected import meant

CHUNK = 500
STOP_PERCENT = 20
ENOUGH = 25  # of the rest, before its failures are judged
PAUSE_AFTER = 300.0  # seconds without anything settling, after which a run says that it waits
GIVE_UP_AFTER = 3600.0
LOOK_SECONDS, SLOW_SECONDS, TROUBLE_SECONDS = 0.5, 2.0, 30.0
CHOOSING_SECONDS = 600.0

_TAKE = """
SELECT id, verb, flow, filter, excepted, created_by, state, matched, why, leaves, ramp, per_minute, step, position,
       set_due, step_settled, step_failed, begins_at > now() AS undoable,
       date_part('epoch', now() - begins_at) AS running_seconds,
       coalesce(date_part('epoch', now() - step_at), 0) AS still_seconds
FROM bulk_runs WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

_JUDGE = """
WITH s AS (SELECT i.record_id, CASE WHEN r.state IN ('failed', 'waiting') THEN 'failed' WHEN r.id IS NULL THEN 'failed'
             ELSE 'succeeded' END AS became, CASE WHEN r.state IN ('failed', 'waiting') THEN r.code END AS code
           FROM bulk_items i LEFT JOIN records r ON r.id = i.record_id
           WHERE i.run = %(run)s AND i.state = 'due'
             AND (r.id IS NULL OR r.seq > i.seq AND r.state NOT IN ('pending', 'running'))),
u AS (UPDATE bulk_items i SET state = s.became, code = s.code FROM s
      WHERE i.run = %(run)s AND i.record_id = s.record_id RETURNING s.became)
SELECT count(*) FILTER (WHERE became = 'succeeded'), count(*) FILTER (WHERE became = 'failed') FROM u
"""


def move(conn: Connection, zone: ZoneInfo, failpoint: Callable[[str], None]) -> UUID | None:
    """Do the next step of a run that is due; its id, None where no run is due. zone: of days in filters."""
    run: dict[str, Any] | None = None
    try:
        with conn.transaction():
            with conn.cursor(row_factory=dict_row) as cursor:
                run = cursor.execute(_TAKE).fetchone()
            if run is None:
                return None
            if run["matched"] is None:
                _choose(conn, run, zone)
                failpoint("runs.chosen")
            elif run["undoable"] and run["state"] == "undo-window":
                _later(conn, run, "greatest(begins_at, now())")
            else:
                _go_on(conn, run, failpoint)
    except (*GONE, Planted):
        raise
    except Exception:
        if run is not None:  # the others need not wait for it
            _later(conn, run, f"now() + interval '{TROUBLE_SECONDS} s'")
        raise
    failpoint("runs.moved")
    return UUID(str(run["id"]))


def _choose(conn: Connection, run: dict[str, Any], zone: ZoneInfo) -> None:
    try:
        filter = parse(run["filter"], zone, modes(conn))
    except FilterError:
        _over(conn, run, "stopped", "filter-not-understood")
        return
    conn.execute("SELECT set_config('statement_timeout', %s, true)", (f"{int(CHOOSING_SECONDS * 1000)}ms",))
    chosen, values = meant(run["flow"], None, filter, run["excepted"])
    choose(conn, run["id"], chosen, values)


def _go_on(conn: Connection, run: dict[str, Any], failpoint: Callable[[str], None]) -> None:
    counted = conn.execute(_JUDGE, {"run": run["id"]}).fetchone()
    assert counted is not None
    good, bad = counted
    open_row = conn.execute("SELECT count(*) FROM bulk_items WHERE run = %s AND state = 'due'", (run["id"],)).fetchone()
    assert open_row is not None
    open_ = int(open_row[0])
    settled, failed = run["step_settled"] + good + bad, run["step_failed"] + bad
    conn.execute(
        "UPDATE bulk_runs SET succeeded = succeeded + %s, failed = failed + %s, step_settled = %s, step_failed = %s,"
        " step_at = CASE WHEN %s THEN now() ELSE coalesce(step_at, now()) END WHERE id = %s",
        (good, bad, settled, failed, good + bad > 0, run["id"]),
    )
    failpoint("runs.judged")
    still = 0.0 if good + bad else run["still_seconds"]
    if run["state"] in OVER:  # cancelled or stopped: what it set due is watched to its end
        if open_ == 0 or still > GIVE_UP_AFTER:
            conn.execute("UPDATE bulk_runs SET due_at = NULL WHERE id = %s", (run["id"],))
        else:
            _later(conn, run, f"now() + interval '{SLOW_SECONDS} s'")
        return
    ramping = run["ramp"] and run["step"] < len(RAMP)
    judged = settled >= 1 if ramping else run["ramp"] and settled >= ENOUGH
    if judged and (open_ == 0 or not ramping) and failed * 100 > settled * STOP_PERCENT and _more(conn, run):
        _over(conn, run, "stopped", "too-many-fail", watch=open_ > 0)
    elif open_ and (ramping or open_ >= CHUNK):
        _wait(conn, run, still)
    else:
        _set_due(conn, run, open_, ramping=ramping, settled=settled, failpoint=failpoint)


def _set_due(
    conn: Connection,
    run: dict[str, Any],
    open_: int,
    *,
    ramping: bool,
    settled: int,
    failpoint: Callable[[str], None],
) -> None:
    """The next records: a step of the ramp, or as many of the rest as there is room for."""
    step = run["step"]
    if ramping and settled > 0:  # this step is through
        step += 1
        ramping = step < len(RAMP)
    size = RAMP[step] if ramping else CHUNK - open_
    if run["verb"] != "retry":
        size = CHUNK
    if run["per_minute"] is not None:
        size = min(size, int(run["per_minute"] * max(0.0, run["running_seconds"]) / 60) + 1 - run["set_due"])
    rows = conn.execute(
        "SELECT record_id, seq, payload_no FROM bulk_items WHERE run = %s AND record_id > %s AND state = 'chosen'"
        " ORDER BY record_id LIMIT %s",
        (run["id"], run["position"], max(0, size)),
    ).fetchall()
    if not rows:
        if size <= 0 or open_:
            _wait(conn, run, run["still_seconds"])
        else:
            _over(conn, run, "done", None)
        return
    seen = {id_: Seen(seq, payload_no) for id_, seq, payload_no in rows}
    more: dict[str, Any] = {"seen": seen} | ({"leave": run["leaves"]} if run["verb"] == "retry" else {})
    done = act(conn, run["verb"], list(seen), run["created_by"], run["why"], **more)
    settles = run["verb"] == "retry"
    ids = list(seen)
    conn.execute(
        "UPDATE bulk_items i SET state = n.state, code = n.code, step = %s, seq = coalesce(n.seq, i.seq)"
        " FROM unnest(%s::int8[], %s::text[], %s::text[], %s::int4[]) AS n(id, state, code, seq)"
        " WHERE i.run = %s AND i.record_id = n.id",
        (
            step,
            ids,
            ["left" if id_ in done.left else "due" if settles else "succeeded" for id_ in ids],
            [done.left.get(id_) for id_ in ids],
            [done.seqs.get(id_) for id_ in ids],
            run["id"],
        ),
    )
    # A step of which every record was left alone proves nothing: the next records take its place.
    proves = bool(done.done)
    conn.execute(
        "UPDATE bulk_runs SET state = 'running', code = NULL, step = %(step)s, position = %(position)s,"
        "   set_due = set_due + %(done)s, left_alone = left_alone + %(left)s,"
        "   succeeded = succeeded + CASE WHEN %(settles)s THEN 0 ELSE %(done)s END, step_at = now(),"
        "   step_settled = CASE WHEN %(new)s THEN 0 ELSE step_settled END,"
        "   step_failed = CASE WHEN %(new)s THEN 0 ELSE step_failed END,"
        "   due_at = now() + make_interval(secs => %(after)s) WHERE id = %(run)s",
        {
            "run": run["id"],
            "step": step,
            "position": ids[-1],
            "done": len(done.done),
            "left": len(done.left),
            "settles": settles,
            "new": step != run["step"],
            "after": LOOK_SECONDS if settles and proves else 0.0,
        },
    )
    failpoint("runs.set-due")


def _more(conn: Connection, run: dict[str, Any]) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM bulk_items WHERE run = %s AND record_id > %s AND state = 'chosen')",
        (run["id"], run["position"]),
    ).fetchone()
    return row == (True,)


def _wait(conn: Connection, run: dict[str, Any], still: float) -> None:
    """For what is under way; where nothing settles for long the run says so, and once more is over."""
    if still > GIVE_UP_AFTER and not _more(conn, run):
        _over(conn, run, "done", "unsettled")
    elif still > PAUSE_AFTER:
        conn.execute("UPDATE bulk_runs SET state = 'paused', code = 'unsettled' WHERE id = %s", (run["id"],))
        _later(conn, run, f"now() + interval '{SLOW_SECONDS} s'")
    else:
        conn.execute("UPDATE bulk_runs SET state = 'running', code = NULL WHERE id = %s", (run["id"],))
        _later(conn, run, f"now() + interval '{LOOK_SECONDS} s'")


def _later(conn: Connection, run: dict[str, Any], when: str) -> None:
    conn.execute(f"UPDATE bulk_runs SET due_at = {when} WHERE id = %s", (run["id"],))  # noqa: S608 - ours


def _over(conn: Connection, run: dict[str, Any], state: str, code: str | None, *, watch: bool = False) -> None:
    conn.execute(
        "UPDATE bulk_runs SET state = %s, code = %s, finished_at = now(), due_at = CASE WHEN %s THEN now() END"
        " WHERE id = %s",
        (state, code, watch, run["id"]),
    )
