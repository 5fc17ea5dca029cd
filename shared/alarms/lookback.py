"""What a subscription would have been told lately: the kept facts, through the same two pure halves as the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.alarms import incidents, plan, subscriptions
from shared.alarms.incidents import Cause, Fact, Happening, Incidents
from shared.alarms.plan import Answer, Decision, Mailing, Plan, Silence
from shared.alarms.subscriptions import Subscription
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


def look_back(conn: Connection, alarm: Alarm, zone: str, days: int = DAYS) -> LookBack:
    """The last `days` days, up to how far the service has looked. A filter is judged by what the records are now."""
    row = conn.execute("SELECT seen FROM alarm_watch").fetchone()
    assert row is not None
    until: datetime = row[0]
    since = until - timedelta(days=days)
    happened = incidents.advance(Incidents(), _facts(conn, since, until), until)
    answers = _answers(conn, since, until)
    decisions = _told(conn, alarm, zone, happened, answers, until)
    mails = [one for one in decisions if isinstance(one.what, Mailing)]
    return LookBack(
        since,
        until,
        tuple(_shown(conn, one) for one in mails),
        dict(Counter(str(one.what) for one in decisions if isinstance(one.what, Silence))),
        {
            name: sum(isinstance(one.what, Mailing) for one in _told(conn, other, zone, happened, answers, until))
            for name, other in _others(alarm).items()
        },
    )


def _told(
    conn: Connection,
    alarm: Alarm,
    zone: str,
    happened: Sequence[Happening],
    answers: Sequence[Answer],
    until: datetime,
) -> list[Decision]:
    wish = alarm.wish(zone)
    relevant = subscriptions.matching(conn, Subscription(0, wish, Plan(), alarm.filter), happened)
    return plan.advance(wish, Plan(), relevant, answers, until)


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


def _answers(conn: Connection, since: datetime, until: datetime) -> list[Answer]:
    rows = conn.execute(
        "SELECT a.handled, i.interface, i.flow, i.code, i.key, a.by, a.until FROM alarm_answers a"
        " JOIN incidents i ON i.id = a.incident WHERE a.handled > %s AND a.handled <= %s ORDER BY a.id",
        (since, until),
    ).fetchall()
    return [Answer(row[0], Cause(*row[1:5]), row[5], row[6]) for row in rows]


def _shown(conn: Connection, one: Decision) -> dict[str, Any]:
    """A mail with its incidents as they are known: code, a problem for the sentence, how many, from when to when."""
    about = []
    for cause, since in one.about:
        row = conn.execute(
            "SELECT id, records, ended, problem FROM incidents WHERE (interface, flow, code, key) = (%s, %s, %s, %s)"
            " AND since >= %s ORDER BY since LIMIT 1",
            (*cause, since),
        ).fetchone()
        about.append(
            {
                "interface": cause.interface,
                "flow": cause.flow,
                "code": cause.code,
                "key": cause.key,
                "since": since,
                "incident": row and row[0],
                "records": row[1] if row else 0,
                "ended": row and row[2],
                "problem": row and row[3],
            }
        )
    return {"at": one.at, "kind": str(one.what), "severity": str(one.severity), "about": about}
