"""Bulk runs: what a person wants done to many records, as an object that goes on by itself and can be undone.

A few records (up to FEW) are acted on at once, in the transaction of the wish. For more the run is stored with what was
asked for; the choice of records is fixed there and then where that is quick, else by a runner (`bulk_steps`), which
also does the rest. Called by the API, the pages and the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from uuid import UUID

import psycopg
from psycopg import sql

from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.actions import Acted, Seen, retry
from shared.records.bulk_read import read_run
from shared.records.filter import Filter
from shared.records.ignoring import ignore, unignore
from shared.records.left_alone import CHOICES, WHY, Left, choices
from shared.records.resources import OF_FLOW
from shared.records.selected import TooMany, meant
from shared.records.states import Verb, sources

BulkVerb = Literal["retry", "ignore", "unignore"]
FEW = 25
"""So many are acted on at once, without a time to undo and without a ramp."""

MOST = 1_000_000
"""So many one run may choose; one that finds more ends as `stopped` and has touched none."""

UNDO_SECONDS = 10
QUICK_SECONDS = 0.4
"""So long the choice of records may take inside the request."""


@dataclass(frozen=True, slots=True)
class How:
    """How a run is to go. undo_seconds: None is UNDO_SECONDS, for a few records 0; ramp: None is by their number.

    per_minute: set due at most so many; leave: kinds of records to leave alone (`left_alone.CHOICES`); why: for the
    audit and, of `ignore`, for the record; token: of the form, so that one sent twice is one run.
    """

    undo_seconds: float | None = None
    ramp: bool | None = None
    per_minute: int | None = None
    leave: Collection[str] = ()
    why: str | None = None
    token: UUID | None = None

    def __post_init__(self) -> None:
        assert set(self.leave) <= CHOICES, self.leave


AS_USUAL = How()


def preview(
    conn: Connection,
    flow: str,
    *,
    ids: Sequence[int] | None,
    filter: Filter | None,
    excepted: Sequence[int] = (),
    leave: Collection[str] = (),
) -> dict[str, Any]:
    """What a retry would touch: how many run, how many do not and why, by state and, of those that would fail again, by
    cause. Nothing is changed."""
    chosen, values = meant(flow, ids, filter, excepted)
    why = WHY
    params = {"ignored": False, "from": sources(Verb.RETRY), "finished": True, "hopeless": choices(CHOICES)["hopeless"]}
    for name, value in params.items():
        why = why.replace(f"%({name})s", sql.Literal(value).as_string(conn))
    # Of each row why it stands back by choice: what a person does not leave alone runs all the same.
    rows = conn.execute(
        sql.SQL(
            "WITH r AS (SELECT id, interface, flow, state, code, seq, payload_no, forced FROM records r"  # noqa: S608
            f"   WHERE {chosen})"
            f" SELECT o.state, {why} AS why, CASE WHEN o.state IN ('failed', 'waiting') THEN o.code END, count(*)"
            " FROM (SELECT r.*, m.mode, r.seq AS seen, r.payload_no AS copy FROM r"
            "   JOIN flow_modes m ON m.interface = r.interface AND m.flow = r.flow) o GROUP BY 1, 2, 3"
        ),
        values,
    ).fetchall()
    by_state: dict[str, int] = {}
    left: dict[str, int] = {}
    hopeless: dict[str, int] = {}
    finished = 0
    for state, reason, code, count in rows:
        by_state[state] = by_state.get(state, 0) + count
        if reason == Left.HOPELESS:
            hopeless[code] = hopeless.get(code, 0) + count
        elif reason == Left.FINISHED:
            finished += count
        if reason is not None and (reason not in CHOICES or reason in leave):
            left[reason] = left.get(reason, 0) + count
    matched = sum(by_state.values())
    if ids is not None and len(set(ids)) > matched:
        left[Left.UNKNOWN] = len(set(ids)) - matched
    run = matched - sum(count for reason, count in left.items() if reason != Left.UNKNOWN)
    return {
        "dry_run": True,
        "counts": {
            "matched": matched,
            "by_state": dict(sorted(by_state.items())),
            "already_on_their_way": left.get(Left.ON_ITS_WAY, 0),
            "nothing_to_send": left.get(Left.NOTHING, 0),
            "run": run,
        },
        "left": left,
        "finished": finished,
        "would_fail_again": dict(sorted(hopeless.items(), key=lambda item: (-item[1], item[0]))),
        "undo_seconds": UNDO_SECONDS if run > FEW else 0,
        "ramp": run > FEW,
    }


def retry_ids(conn: Connection, flow: str, ids: Sequence[int], actor: str, how: How = AS_USUAL) -> dict[str, Any]:
    """Retry these; returns the run. Ids of another flow count as not known."""
    return start(conn, flow, "retry", actor, ids=ids, how=how)


def retry_matching(
    conn: Connection, flow: str, filter: Filter, excepted: Sequence[int], actor: str, how: How = AS_USUAL
) -> dict[str, Any]:
    """Retry everything that matches, except some; returns the run."""
    return start(conn, flow, "retry", actor, filter=filter, excepted=excepted, how=how)


def start(
    conn: Connection,
    flow: str,
    verb: BulkVerb,
    actor: str,
    *,
    ids: Sequence[int] | None = None,
    filter: Filter | None = None,
    excepted: Sequence[int] = (),
    how: How = AS_USUAL,
) -> dict[str, Any]:
    """Begin a run and return it; with a token that was used before, the run of that time. It is
    in the audit with it. Raises TooMany for ids."""
    wanted = None if ids is None else list(dict.fromkeys(ids))
    if wanted is not None and len(wanted) > MOST:
        raise TooMany(f"{len(wanted)} records at once, {MOST} are allowed.")
    chosen, values = meant(flow, wanted, filter, excepted)
    with conn.transaction():
        few = _quickly(conn, lambda: _few(conn, chosen, values))
        many = few is None or max(len(few), len(wanted or ())) > FEW
        undo = how.undo_seconds if how.undo_seconds is not None else UNDO_SECONDS if many else 0.0
        ramp = (how.ramp if how.ramp is not None else many) and verb == "retry"
        run = _store(conn, flow, verb, actor, filter, excepted, how, undo, ramp)
        if run is not None:
            at_once = not many and not undo and not ramp and how.per_minute is None
            if at_once and few is not None:
                _act(conn, run, verb, actor, few, wanted, how)
            else:
                _choose(conn, run, chosen, values, wanted)
            target = {"run": str(run), "filter": None if filter is None else filter.text, "counts": _counts(conn, run)}
            audit(conn, actor, f"{OF_FLOW[flow].name}.{verb}", target, how.why)
        else:
            row = conn.execute("SELECT id FROM bulk_runs WHERE token = %s", (how.token,)).fetchone()
            assert row is not None
            run = row[0]
    found = read_run(conn, run)
    assert found is not None
    return found


Found = TypeVar("Found")


def _quickly(conn: Connection, look: Callable[[], Found]) -> Found | None:
    """What it finds within QUICK_SECONDS a statement; None where it takes longer, and then it has done nothing."""
    before = conn.execute("SELECT current_setting('statement_timeout')").fetchone()
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('statement_timeout', %s, true)", (f"{int(QUICK_SECONDS * 1000)}ms",))
            found = look()
    except psycopg.errors.QueryCanceled:
        return None
    conn.execute("SELECT set_config('statement_timeout', %s, true)", before)
    return found


def _few(conn: Connection, chosen: str, values: Sequence[Any]) -> list[int]:
    """Ids, at most one more than FEW."""
    rows = conn.execute(
        sql.SQL(f"SELECT r.id FROM records r WHERE {chosen} LIMIT %s"),  # noqa: S608
        [*values, FEW + 1],
    )
    return sorted(id_ for (id_,) in rows.fetchall())


def _counts(conn: Connection, run: UUID) -> dict[str, int | None]:
    row = conn.execute("SELECT matched, set_due, left_alone FROM bulk_runs WHERE id = %s", (run,)).fetchone()
    assert row is not None
    return dict(zip(("matched", "done", "skipped"), row, strict=True))


def act(conn: Connection, verb: str, ids: Sequence[int], actor: str, why: str | None, **more: Any) -> Acted:
    """What the verb of a run does to some of its records. more: `seen`, and of a retry `leave`."""
    if verb == "ignore":
        return ignore(conn, ids, actor, why or "", more.get("seen"))
    if verb == "unignore":
        return unignore(conn, ids, actor, more.get("seen"))
    return retry(conn, ids, actor, **more)


def _store(
    conn: Connection,
    flow: str,
    verb: str,
    actor: str,
    filter: Filter | None,
    excepted: Sequence[int],
    how: How,
    undo: float,
    ramp: bool,
) -> UUID | None:
    """None where the token was used before."""
    row = conn.execute(
        "INSERT INTO bulk_runs(verb, flow, filter, excepted, created_by, state, token, why, leaves, begins_at, due_at,"
        "   ramp, per_minute)"
        " VALUES (%(verb)s, %(flow)s, %(filter)s, %(excepted)s, %(actor)s, %(state)s, %(token)s, %(why)s, %(leave)s,"
        "   now() + make_interval(secs => %(undo)s), now(), %(ramp)s, %(per_minute)s)"
        " ON CONFLICT (token) WHERE token IS NOT NULL DO NOTHING RETURNING id",
        {
            "verb": verb,
            "flow": flow,
            "filter": None if filter is None else filter.text,
            "excepted": list(excepted),
            "actor": actor,
            "state": "undo-window" if undo > 0 else "running",
            "token": how.token,
            "why": how.why,
            "leave": sorted(how.leave),
            "undo": undo,
            "ramp": ramp,
            "per_minute": how.per_minute,
        },
    ).fetchone()
    return None if row is None else row[0]


def _act(
    conn: Connection, run: UUID, verb: str, actor: str, found: Sequence[int], wanted: Sequence[int] | None, how: How
) -> None:
    """A few: now."""
    # Nobody chose them earlier, but a bulk retry leaves alone what is ignored; one that is named is meant.
    one = wanted is not None and len(wanted) == 1
    seen = None if one else dict.fromkeys(found, Seen())
    done = act(conn, verb, found, actor, how.why, **({"leave": how.leave, "seen": seen} if verb == "retry" else {}))
    left = done.left | {id_: Left.UNKNOWN for id_ in wanted or () if id_ not in set(found)}
    settled = verb != "retry"
    ids = [*done.done, *left]
    conn.execute(
        "INSERT INTO bulk_items(run, record_id, seq, payload_no, state, code)"
        " SELECT %s, i.id, i.seq, 0, i.state, i.code"
        " FROM unnest(%s::int8[], %s::int4[], %s::text[], %s::text[]) AS i(id, seq, state, code)",
        (
            run,
            ids,
            [done.seqs.get(id_, 0) for id_ in ids],
            ["left" if id_ in left else "succeeded" if settled else "due" for id_ in ids],
            [left.get(id_) for id_ in ids],
        ),
    )
    over = settled or not done.done
    conn.execute(
        "UPDATE bulk_runs SET matched = %(matched)s, set_due = %(done)s, left_alone = %(left)s,"
        "   position = 9223372036854775807, succeeded = CASE WHEN %(settled)s THEN %(done)s ELSE 0 END,"
        "   step_at = now(),"
        "   state = CASE WHEN %(over)s THEN 'done' ELSE 'running' END,"
        "   finished_at = CASE WHEN %(over)s THEN now() END, due_at = CASE WHEN NOT %(over)s THEN now() END"
        " WHERE id = %(run)s",
        {
            "run": run, "matched": len(ids), "done": len(done.done), "left": len(left), "settled": settled,
            "over": over,
        },
    )  # fmt: skip


def _choose(conn: Connection, run: UUID, chosen: str, values: Sequence[Any], wanted: Sequence[int] | None) -> None:
    """Fix which records it is about, if that is quick; else a runner does."""
    if wanted is None:
        _quickly(conn, lambda: choose(conn, run, chosen, values))
    else:
        choose(conn, run, chosen, values)
        conn.execute(
            "WITH i AS (INSERT INTO bulk_items(run, record_id, seq, payload_no, state, code)"
            "   SELECT %(run)s, w.id, 0, 0, 'left', 'unknown' FROM unnest(%(ids)s::int8[]) AS w(id)"
            "   ON CONFLICT DO NOTHING RETURNING 1),"
            " n AS (SELECT count(*)::int AS n FROM i)"
            " UPDATE bulk_runs SET matched = matched + n.n, left_alone = left_alone + n.n FROM n WHERE id = %(run)s",
            {"run": run, "ids": list(wanted)},
        )


def choose(conn: Connection, run: UUID, chosen: str, values: Sequence[Any]) -> int:
    """Store the records of a run as they are now, in one statement and so one snapshot; returns how many, or, where
    they are more than MOST, MOST + 1, and then the run is over. In the caller's transaction."""
    made = conn.execute(
        sql.SQL(
            "INSERT INTO bulk_items(run, record_id, seq, payload_no)"  # noqa: S608
            f" SELECT %s, r.id, r.seq, r.payload_no FROM records r WHERE {chosen} LIMIT %s"
        ),
        [run, *values, MOST + 1],
    ).rowcount
    if made > MOST:
        conn.execute("DELETE FROM bulk_items WHERE run = %s", (run,))
        conn.execute(
            "UPDATE bulk_runs SET state = 'stopped', code = 'too-many', finished_at = now(), due_at = NULL"
            " WHERE id = %s",
            (run,),
        )
    else:
        conn.execute("UPDATE bulk_runs SET matched = %s WHERE id = %s", (made, run))
    return made
