"""What a subscription would have been told lately: the kept facts, through the same two pure halves as the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.alarms import incidents, plan, planned
from shared.alarms.calendar import Calendar
from shared.alarms.incidents import Cause, Fact, Happening, Incidents
from shared.alarms.plan import Answer, Decision, Plan, Silence
from shared.alarms.subscriptions import Matching, Subscription
from shared.alarms.told import Mailing
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection

DAYS = 14


@dataclass(frozen=True, slots=True)
class LookBack:
    """since, until: the period; mails: the decisions that send one; silences: how often there was none, by reason.

    instead: how many mails other settings would have made, by what is changed.
    """

    since: datetime
    until: datetime
    mails: tuple[dict[str, Any], ...]
    silences: dict[str, int]
    instead: dict[str, int]


@dataclass(frozen=True, slots=True)
class Past:
    """What a look back judges, read once for all variants of the settings. open: what stood when it begins."""

    since: datetime
    until: datetime
    open: list[Happening]
    happened: list[Happening]
    answers: list[Answer]
    calendar: Calendar


def look_back(conn: Connection, alarm: Alarm, zone: str, days: int = DAYS) -> LookBack:
    """The last `days` days, up to how far the service has looked. A filter is judged by what the records are now,
    maintenance by how it is planned now."""
    row = conn.execute("SELECT seen FROM alarm_watch").fetchone()
    assert row is not None
    past = past_of(conn, row[0] - timedelta(days=days), row[0])
    decisions = told(conn, alarm, zone, past)
    mails = [one for one in decisions if isinstance(one.what, Mailing)]
    return LookBack(
        past.since,
        past.until,
        _shown(conn, mails),
        dict(Counter(str(one.what) for one in decisions if isinstance(one.what, Silence))),
        {
            name: sum(isinstance(one.what, Mailing) for one in told(conn, other, zone, past))
            for name, other in _others(alarm).items()
        },
    )


def past_of(conn: Connection, since: datetime, until: datetime) -> Past:
    """What happened, as the kept facts say it; and what stood at its beginning, which a new alarm is told first."""
    stands = Incidents()
    incidents.advance(stands, _facts_before(conn, since), since)
    first = plan.beginning(stands, since)
    happened = incidents.advance(stands, _facts(conn, since, until), until)
    return Past(since, until, first, happened, _answers(conn, since, until), planned.calendar(conn))


def told(conn: Connection, alarm: Alarm, zone: str, past: Past) -> list[Decision]:
    """What an alarm with these settings decides, made when the past begins."""
    wish, state = alarm.wish(zone), Plan()
    one = Subscription(0, wish, alarm.filter)
    found = plan.advance(wish, state, Matching(conn, past.open).of(one), (), past.since, past.calendar)
    return found + plan.advance(
        wish, state, Matching(conn, past.happened).of(one), past.answers, past.until, past.calendar
    )


def _others(alarm: Alarm) -> dict[str, Alarm]:
    others = {}
    if alarm.frequency != "immediately":
        others["immediately"] = alarm.model_copy(update={"frequency": "immediately"})
    if set(alarm.on) != set(incidents.Severity):
        others["both"] = alarm.model_copy(update={"on": tuple(incidents.Severity)})
    return others


def _facts(conn: Connection, since: datetime, until: datetime) -> list[Fact]:
    rows = conn.execute(
        "SELECT at, interface, flow, code, key, open, error, news, remarks FROM alarm_facts"
        " WHERE at > %s AND at <= %s ORDER BY no",
        (since, until),
    ).fetchall()
    return [Fact(row[0], Cause(*row[1:5]), *row[5:]) for row in rows]


def _facts_before(conn: Connection, since: datetime) -> list[Fact]:
    """Those of the causes that stood at this moment or shortly before it: how they stood then follows from them."""
    rows = conn.execute(
        "WITH i AS (SELECT interface, flow, code, key, min(since) AS since FROM incidents"
        "   WHERE since <= %(at)s AND (ended IS NULL OR ended > %(at)s - interval '3 hours') GROUP BY 1, 2, 3, 4)"
        " SELECT f.at, f.interface, f.flow, f.code, f.key, f.open, f.error, f.news, f.remarks FROM alarm_facts f"
        " JOIN i USING (interface, flow, code, key)"
        " WHERE f.at <= %(at)s AND f.at >= (SELECT min(since) FROM i) - interval '3 hours'"
        " AND f.at >= i.since - interval '3 hours' ORDER BY f.no",
        {"at": since},
    ).fetchall()
    return [Fact(row[0], Cause(*row[1:5]), *row[5:]) for row in rows]


def _answers(conn: Connection, since: datetime, until: datetime) -> list[Answer]:
    rows = conn.execute(
        "SELECT a.handled, i.interface, i.flow, i.code, i.key, a.by, a.until FROM alarm_answers a"
        " JOIN incidents i ON i.id = a.incident WHERE a.handled > %s AND a.handled <= %s ORDER BY a.id",
        (since, until),
    ).fetchall()
    return [Answer(row[0], Cause(*row[1:5]), row[5], row[6]) for row in rows]


def _shown(conn: Connection, mails: Sequence[Decision]) -> tuple[dict[str, Any], ...]:
    """Mails with their incidents as they are known: code, a problem for the sentence, how many, from when to when."""
    wanted = sorted({each for one in mails for each in one.about})
    rows = (
        conn.execute(
            "SELECT w.n, i.id, i.records, i.ended, i.problem FROM unnest(%s::text[], %s::text[], %s::text[],"
            "   %s::text[], %s::timestamptz[]) WITH ORDINALITY AS w(interface, flow, code, key, since, n)"
            " CROSS JOIN LATERAL (SELECT id, records, ended, problem FROM incidents"
            "   WHERE (interface, flow, code, key) = (w.interface, w.flow, w.code, w.key) AND since >= w.since"
            "   ORDER BY since LIMIT 1) i",
            [list(column) for column in zip(*((*cause, since) for cause, since in wanted), strict=True)],
        ).fetchall()
        if wanted
        else []
    )
    known = {wanted[row[0] - 1]: row[1:] for row in rows}

    def incident(cause: Cause, since: datetime) -> dict[str, Any]:
        number, records, ended, problem = known.get((cause, since), (None, 0, None, None))
        return {
            "interface": cause.interface, "flow": cause.flow, "code": cause.code, "key": cause.key, "since": since,
            "incident": number, "records": records, "ended": ended, "problem": problem,
        }  # fmt: skip

    return tuple(
        {
            "at": one.at,
            "kind": str(one.what),
            "severity": str(one.severity),
            "about": [incident(*each) for each in one.about],
        }
        for one in mails
    )
