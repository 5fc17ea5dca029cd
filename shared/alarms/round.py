"""One round of the alert service, in one transaction: look, judge, decide, queue. A crash leaves all of it or nothing.

look ─▶ facts ─▶ incidents ─▶ per subscription: decisions (the ledger) ─▶ mails to send

One service does it at a time (the row of `alarm_watch` is locked), by the clock of the database. What is read and
written goes in batches: a thousand subscriptions are a handful of statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from psycopg.types.json import Jsonb

from shared.alarms import incidents, kept, levels, look, plan, planned, plans, subscriptions
from shared.alarms.calendar import Calendar
from shared.alarms.decided import Decided, record
from shared.alarms.incidents import Cause, Fact, Happening, Incidents, Kind, Opening
from shared.alarms.plan import Answer
from shared.alarms.queue import queue
from shared.alarms.standing import from_json, to_json
from shared.db.connect import Connection

CHECK_EVERYTHING = timedelta(minutes=5)


@dataclass(slots=True)
class Round:
    """What one round did. decided: by kind or reason."""

    at: datetime
    facts: int = 0
    opened: int = 0
    decided: Counter[str] = field(default_factory=Counter)
    mails: int = 0


def play(
    conn: Connection,
    given: Mapping[str, Mapping[Cause, int]] = MappingProxyType({}),
    *,
    failpoint: Callable[[str], None] = lambda _: None,
) -> Round | None:
    """Play one round. given: by code, how many stand so that no transition tells of, e.g. services that are away.

    None where another service is at it.
    """
    with conn.transaction():
        row = conn.execute(
            "SELECT seen, checked, standing, clock_timestamp() FROM alarm_watch FOR UPDATE SKIP LOCKED"
        ).fetchone()
        if row is None:
            return None
        seen, checked, standing, now = row
        stands = from_json(standing)
        calendar = planned.calendar(conn)
        everything = now - checked >= CHECK_EVERYTHING
        facts, problems = _facts(conn, seen, now, stands, given, calendar, everything=everything)
        happened = incidents.advance(stands, facts, now)
        kept.keep_facts(conn, facts)
        ids = kept.keep_incidents(conn, stands, facts, happened, problems)
        failpoint("alarm.judged")
        done = Round(now, len(facts), sum(one.kind is Kind.OPENED for one in happened))
        said = kept.answers(conn, now)
        _decide(conn, stands, happened, said, now, calendar, ids, done)
        conn.execute(
            "UPDATE alarm_watch SET seen = %s, checked = CASE WHEN %s THEN %s ELSE checked END, standing = %s",
            (now, everything, now, Jsonb(to_json(stands))),
        )
        failpoint("alarm.decided")
    return done


def _facts(
    conn: Connection,
    seen: datetime,
    now: datetime,
    stands: Incidents,
    given: Mapping[str, Mapping[Cause, int]],
    calendar: Calendar,
    *,
    everything: bool,
) -> tuple[list[Fact], look.Problems]:
    """What is new at `now`, and a problem of each cause. What says once more how something stands is left out."""
    facts, problems = look.look(conn, seen, now, stands.standing, everything=everything)
    before = {cause: one.open for cause, one in stands.standing.items() if one.ended is None}
    found: dict[str, Mapping[Cause, levels.Level | int]] = {plan.DUE_SOON: look.due_soon(conn, now), **given}
    found |= levels.found(conn, now, calendar, before)
    for code, each in found.items():
        facts += look.level(now, code, each, before)
        problems |= look.problems_of(each)
    return [one for one in facts if incidents.tells(stands, one)], problems


def _decide(
    conn: Connection,
    stands: Incidents,
    happened: Sequence[Happening],
    said: Sequence[Answer],
    now: datetime,
    calendar: Calendar,
    ids: dict[Opening, int],
    done: Round,
) -> None:
    causes = [*(one.cause for one in happened), *(one.cause for one in said)]
    chosen = subscriptions.concerned(conn, causes, now)
    first = plan.beginning(stands, now) if any(not plans.begun(one.plan) for one in chosen) else []
    openings = plans.openings(conn, [one.plan for one in chosen])
    ids |= {opening: number for number, opening in openings.items()}
    ids |= plans.numbers(conn, [(one.cause, one.since) for one in first])
    matching, beginning = subscriptions.Matching(conn, happened), subscriptions.Matching(conn, first)
    decided: list[Decided] = []
    for one in chosen:  # a thousand plans are never in memory at once, only what is kept of them
        state = plans.from_json(one.plan, openings)
        relevant = (matching if state.begun else beginning).of(one)
        decisions = plan.advance(one.wish, state, relevant, said if state.begun else (), now, calendar)
        decided += [Decided.of(one.id, each, ids) for each in decisions]
        one.plan, one.next_at = plans.to_json(state, ids), state.next()
    record(conn, decided)
    queued = queue(conn, decided)
    subscriptions.keep_plans(conn, chosen)
    done.decided.update(str(one.what) for one in decided)
    done.mails = queued
