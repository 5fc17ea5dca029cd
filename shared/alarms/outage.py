"""The database's own outage: whom to tell is read before it, what was told is written down after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from shared.alarms.hours import Hours, loud_from
from shared.alarms.incidents import Cause
from shared.db.connect import Connection

CODE = "connect-database-away"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is told, with what their mail needs. hours: as JSON text; level: 1 asked for all at once, 2 for all, 3 for
    errors of some interfaces."""

    recipient: int
    subscription: int
    address: str
    language: str
    time_zone: str
    name: str
    frequency: str
    hours: str
    level: int

    def loud_from(self, moment: datetime) -> datetime:
        """When they may be told."""
        return loud_from(Hours.model_validate_json(self.hours), moment, ZoneInfo(self.time_zone))


@dataclass(frozen=True, slots=True)
class Told:
    """A mail that was to go out meanwhile. state: sent, refused, or given-up where it could not be sent in time."""

    person: Person
    message_id: str
    state: str
    tries: int
    reply: str
    at: datetime | None


def cause(number: str) -> Cause:
    """What its incident is about. number: the outage's own."""
    return Cause("", "infrastructure", CODE, number)


def people(conn: Connection) -> list[Person]:
    """Who must be told: each address once, those who asked to hear of everything at once; where nobody did, who asked
    for everything; else whoever wants errors of anything, because without the database nothing works at all."""
    with conn.cursor(row_factory=class_row(Person)) as cursor:
        found = cursor.execute(
            "SELECT DISTINCT ON (level, lower(r.address)) r.id AS recipient, s.id AS subscription, r.address,"
            " coalesce(r.language, s.language) AS language, s.time_zone, s.name, s.frequency, s.hours::text AS hours,"
            " CASE WHEN s.interfaces <> '{}' OR s.flows <> '{}' THEN 3 WHEN s.frequency = 'immediately' THEN 1 ELSE 2"
            "  END AS level FROM recipients r JOIN subscriptions s ON s.id = r.subscription"
            " WHERE s.active AND 'error' = ANY(s.\"on\") AND r.verified_at IS NOT NULL AND r.stopped_at IS NULL"
            " ORDER BY level, lower(r.address), r.id LIMIT 500"
        ).fetchall()
    first = min((one.level for one in found), default=0)
    return [one for one in found if one.level == first]


def book(conn: Connection, number: str, since: datetime, until: datetime, told: Sequence[Told]) -> bool:
    """Write the outage down once it is over: incident, decisions, mails, and the all-clear to who was told, which the
    queue sends. False where it was written down before: a kill may have come between that and forgetting it."""
    with conn.transaction():
        about = cause(number)
        row = conn.execute(
            "INSERT INTO incidents(interface, flow, code, key, severity, since, ended)"
            " SELECT %s, %s, %s, %s, 'error', %s, %s WHERE NOT EXISTS"
            " (SELECT FROM incidents WHERE code = %s AND key = %s) RETURNING id",
            (*about, since, max(until, since + timedelta(seconds=1)), CODE, number),
        ).fetchone()
        if row is None:
            return False
        decided: dict[tuple[int, str], int] = {}
        for one in told:
            _mailed(conn, one, _decision(conn, decided, one, "opened", since, row[0]))
            if one.state == "sent":
                due = one.person.loud_from(until)
                _all_clear(conn, one, _decision(conn, decided, one, "resolved", until, row[0]), number, due)
    return True


def _decision(
    conn: Connection, decided: dict[tuple[int, str], int], one: Told, what: str, at: datetime, incident: int
) -> int | None:
    """The line of the ledger; None where the alarm was deleted meanwhile."""
    key = (one.person.subscription, what)
    if key not in decided:
        row = conn.execute(
            "INSERT INTO alarm_decisions(subscription, at, what, severity, incidents)"
            " SELECT id, %s, %s, 'error', %s FROM subscriptions WHERE id = %s RETURNING id",
            (at, what, [incident], one.person.subscription),
        ).fetchone()
        if row is None:
            return None
        decided[key] = row[0]
    return decided[key]


def _mailed(conn: Connection, one: Told, decision: int | None) -> None:
    conn.execute(
        "INSERT INTO mails(recipient, kind, decision, message_id, state, tries, due_at, reply, created_at, sent_at)"
        " SELECT id, 'opened', %s, %s, %s, %s, NULL, %s, coalesce(%s, now()), %s FROM recipients WHERE id = %s",
        (decision, one.message_id, one.state, one.tries, one.reply[:500], one.at,
         one.at if one.state == "sent" else None, one.person.recipient),
    )  # fmt: skip


def _all_clear(conn: Connection, one: Told, decision: int | None, number: str, due: datetime) -> None:
    conn.execute(
        "INSERT INTO mails(recipient, kind, decision, message_id, thread, due_at)"
        " SELECT id, 'resolved', %s, %s, %s, greatest(%s, now()) FROM recipients"
        " WHERE id = %s AND stopped_at IS NULL",
        (decision, f"back.{number}.{one.person.recipient}", one.message_id, due, one.person.recipient),
    )


def person_to_json(one: Person) -> dict[str, Any]:
    """As the file keeps them."""
    return asdict(one)


def person_from_json(value: dict[str, Any]) -> Person:
    """What `person_to_json` made; a name that this release does not know is left out."""
    return Person(**{name: value[name] for name in Person.__slots__})
