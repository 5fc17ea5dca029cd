"""One round of the alert service, in one transaction: look, judge, decide, queue. A crash leaves all of it or nothing.

look ─▶ facts ─▶ incidents ─▶ per subscription: decisions (the ledger) ─▶ mails to send

One service does it at a time (the row of `alarm_watch` is locked), by the clock of the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from psycopg.types.json import Jsonb

from shared.alarms import incidents, look, plan, subscriptions
from shared.alarms.incidents import Cause, Fact, Happening, Incidents, Kind
from shared.alarms.plan import Answer, Decision, Mailing
from shared.alarms.queue import queue
from shared.alarms.standing import from_json, to_json
from shared.alarms.subscriptions import Subscription
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
    levels: Mapping[str, Mapping[Cause, int]] = MappingProxyType({}),
    *,
    failpoint: Callable[[str], None] = lambda _: None,
) -> Round | None:
    """Play one round. levels: by code, how many stand so that no transition tells of, e.g. services that are away.

    None where another service is at it.
    """
    with conn.transaction():
        row = conn.execute(
            "SELECT seen, checked, standing, clock_timestamp() FROM alarm_watch FOR UPDATE SKIP LOCKED"
        ).fetchone()
        if row is None:
            return None
        seen, checked, kept, now = row
        stands = from_json(kept)
        everything = now - checked >= CHECK_EVERYTHING
        facts, problems = look.look(conn, seen, now, stands.standing, everything=everything)
        before = {cause: one.open for cause, one in stands.standing.items() if one.ended is None}
        for code, found in {plan.DUE_SOON: look.due_soon(conn, now), **levels}.items():
            facts += look.level(now, code, found, before)
        happened = incidents.advance(stands, facts, now)
        _keep_facts(conn, facts)
        ids = _keep_incidents(conn, stands, facts, happened, problems)
        failpoint("alarm.judged")
        done = Round(now, len(facts), sum(one.kind is Kind.OPENED for one in happened))
        said = _answers(conn, now)
        for subscription in subscriptions.concerned(conn, [one.cause for one in happened], now, answered=bool(said)):
            _decide(conn, subscription, happened, said, now, ids, done)
        conn.execute(
            "UPDATE alarm_watch SET seen = %s, checked = CASE WHEN %s THEN %s ELSE checked END, standing = %s",
            (now, everything, now, Jsonb(to_json(stands))),
        )
        failpoint("alarm.decided")
    return done


def _decide(
    conn: Connection,
    subscription: Subscription,
    happened: Sequence[Happening],
    said: Sequence[Answer],
    now: datetime,
    ids: dict[tuple[Cause, datetime], int],
    done: Round,
) -> None:
    kept = subscription.plan
    relevant = subscriptions.matching(conn, subscription, happened)
    decisions = plan.advance(subscription.wish, kept, relevant, said, now)
    for decision in decisions:
        about = [found for one in decision.about if (found := ids.get(one) or _incident(conn, *one))]
        number = _record(conn, subscription, decision, about)
        done.decided[str(decision.what)] += 1
        if isinstance(decision.what, Mailing):
            done.mails += queue(conn, subscription.id, number, decision.what, about)
    subscriptions.keep_plan(conn, subscription.id, kept)


def _answers(conn: Connection, now: datetime) -> list[Answer]:
    """What people said since the last round. Taken and marked in one statement: what comes meanwhile is heard by the
    next one, and not marked unheard."""
    rows = conn.execute(
        "WITH a AS (UPDATE alarm_answers SET handled = %s WHERE handled IS NULL RETURNING id, incident, by, until)"
        " SELECT i.interface, i.flow, i.code, i.key, a.by, a.until FROM a JOIN incidents i ON i.id = a.incident"
        " ORDER BY a.id",
        (now,),
    ).fetchall()
    return [Answer(now, Cause(*row[:4]), row[4], row[5]) for row in rows]


def _record(conn: Connection, subscription: Subscription, decision: Decision, about: Sequence[int]) -> int:
    row = conn.execute(
        "INSERT INTO alarm_decisions(subscription, at, what, severity, incidents, until)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (subscription.id, decision.at, decision.what, decision.severity, list(about), decision.until),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _keep_facts(conn: Connection, facts: Iterable[Fact]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO alarm_facts(at, interface, flow, code, key, open, error, news, remarks)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(one.at, *one.cause, one.open, one.error, one.news, one.remarks) for one in facts],
        )


def _keep_incidents(
    conn: Connection,
    stands: Incidents,
    facts: Iterable[Fact],
    happened: Iterable[Happening],
    problems: look.Problems,
) -> dict[tuple[Cause, datetime], int]:
    """The incidents' rows as they are now; their ids by cause and beginning."""
    news: Counter[Cause] = Counter()
    for fact in facts:
        news[fact.cause] += fact.news + fact.remarks
    since = {cause: one.since for cause, one in stands.standing.items()}
    touched = {(one.cause, one.since) for one in happened}
    touched |= {(cause, since[cause]) for cause, count in news.items() if count and cause in since}
    ended = {(one.cause, one.since): one.at for one in happened if one.kind is Kind.RESOLVED}
    severity = {(one.cause, one.since): one.severity for one in happened}
    ids: dict[tuple[Cause, datetime], int] = {}
    for cause, began in sorted(touched):
        worst = severity.get((cause, began)) or stands.standing[cause].severity
        count = news[cause] if since.get(cause) == began else 0
        row = conn.execute(
            "INSERT INTO incidents(interface, flow, code, key, severity, since, ended, records, problem)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (interface, flow, code, key, since) DO UPDATE SET severity = excluded.severity,"
            "  ended = excluded.ended, records = incidents.records + excluded.records,"
            "  problem = coalesce(incidents.problem, excluded.problem) RETURNING id",
            (
                *cause,
                worst,
                began,
                ended.get((cause, began)),
                count,
                Jsonb(problems[cause]) if problems.get(cause) else None,
            ),
        ).fetchone()
        assert row is not None
        ids[(cause, began)] = row[0]
    return ids


def _incident(conn: Connection, cause: Cause, since: datetime) -> int | None:
    row = conn.execute(
        "SELECT id FROM incidents WHERE (interface, flow, code, key) = (%s, %s, %s, %s) AND since = %s",
        (*cause, since),
    ).fetchone()
    return int(row[0]) if row else None
