"""Mails that are to be sent: one row per recipient, made with the decision, taken by lease, recorded after sending.

Send, then record: a kill in between sends again, under the same Message-ID. Called by `round` and by the post.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from shared.alarms.decided import Decided
from shared.alarms.told import Mailing
from shared.db.connect import Connection

LEASE = "90 seconds"
"""Longer than a conversation with a mail server may take."""

GIVE_UP = "5 days"


_QUEUE = """
INSERT INTO mails(recipient, kind, decision, message_id, thread, state, due_at)
SELECT r.id, d.kind, d.id, d.mark || '.' || r.id,
  CASE WHEN d.kind <> 'opened' THEN (
    -- From the beginning of the incidents on, so that years of other mails are not looked through.
    SELECT m.message_id FROM alarm_decisions e JOIN mails m ON m.decision = e.id
    WHERE e.subscription = c.subscription AND e.incidents && c.incidents
      AND e.at >= d.since AND m.recipient = r.id AND m.state IN ('queued', 'sent')
    ORDER BY e.at, m.id LIMIT 1) END,
  s.state, CASE s.state WHEN 'queued' THEN now() END
FROM unnest(%s::int8[], %s::text[], %s::text[], %s::timestamptz[]) AS d(id, kind, mark, since)
     JOIN alarm_decisions c ON c.id = d.id JOIN recipients r ON r.subscription = c.subscription
     CROSS JOIN LATERAL (SELECT CASE WHEN r.stopped_at IS NOT NULL THEN 'unsubscribed'
       WHEN r.verified_at IS NULL THEN 'unverified' ELSE 'queued' END AS state) s
ORDER BY d.id, r.id
RETURNING state
"""


def queue(conn: Connection, decided: Sequence[Decided]) -> int:
    """A mail to each recipient of each decision that sends one; returns how many are to be sent.

    One thread per incident and recipient. Who has not confirmed or has left has a row that says so, for the ledger.
    """
    mailing = [one for one in decided if isinstance(one.what, Mailing)]
    if not mailing:
        return 0
    rows = conn.execute(
        _QUEUE.encode(),
        (
            [one.number for one in mailing],
            [str(one.what) for one in mailing],
            [f"{one.number}.{secrets.token_hex(6)}" for one in mailing],
            [one.since for one in mailing],
        ),
    ).fetchall()
    return sum(row == ("queued",) for row in rows)


def queue_for(conn: Connection, recipient: int, kind: str) -> None:
    """A mail to one recipient: a test, or the question whether the address is theirs."""
    conn.execute(
        "INSERT INTO mails(recipient, kind, message_id) VALUES (%s, %s, %s)",
        (recipient, kind, f"{kind}.{secrets.token_hex(8)}.{recipient}"),
    )


def ask_unconfirmed(conn: Connection, subscription: int) -> None:
    """Ask every recipient who was not asked yet whether the address is theirs."""
    rows = conn.execute(
        "SELECT id FROM recipients r WHERE subscription = %s AND verified_at IS NULL AND stopped_at IS NULL"
        " AND NOT EXISTS (SELECT FROM mails WHERE recipient = r.id AND kind = 'confirm')",
        (subscription,),
    ).fetchall()
    for row in rows:
        queue_for(conn, row[0], "confirm")


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail in hand. at: the decision's moment; incidents: their ids; until: when it is looked at again."""

    id: int
    kind: str
    message_id: str
    thread: str | None
    tries: int
    created_at: datetime
    address: str
    recipient: int
    language: str
    time_zone: str
    subscription: int
    name: str
    frequency: str
    interfaces: list[str]
    filter: str
    incidents: list[int] | None
    severity: str | None
    at: datetime | None
    until: datetime | None


def take(conn: Connection) -> Taken | None:
    """The next mail that is due, under a lease; None if there is none. Counts as a try."""
    with conn.transaction(), conn.cursor(row_factory=class_row(Taken)) as cursor:
        return cursor.execute(
            "WITH m AS (SELECT id FROM mails WHERE state = 'queued' AND due_at <= now() ORDER BY due_at, id"
            "   FOR UPDATE SKIP LOCKED LIMIT 1),"
            " u AS (UPDATE mails SET tries = tries + 1, due_at = now() + %s::interval FROM m WHERE mails.id = m.id"
            "   RETURNING mails.*)"
            " SELECT u.id, u.kind, u.message_id, u.thread, u.tries, u.created_at, r.address, r.id AS recipient,"
            "  coalesce(r.language, s.language) AS language, s.time_zone, s.id AS subscription, s.name, s.frequency,"
            "  s.interfaces, s.filter, d.incidents, d.severity, d.at, d.until"
            " FROM u JOIN recipients r ON r.id = u.recipient JOIN subscriptions s ON s.id = r.subscription"
            " LEFT JOIN alarm_decisions d ON d.id = u.decision",
            (LEASE,),
        ).fetchone()


def sent(conn: Connection, mail: int, reply: str) -> None:
    """The server took it."""
    conn.execute(
        "UPDATE mails SET state = 'sent', due_at = NULL, reply = %s, sent_at = now() WHERE id = %s", (reply[:500], mail)
    )


def refused(conn: Connection, mail: int, reply: str) -> None:
    """The server will never take it (5xx): shown, not tried again."""
    conn.execute("UPDATE mails SET state = 'refused', due_at = NULL, reply = %s WHERE id = %s", (reply[:500], mail))


def later(conn: Connection, mail: int, reply: str, seconds: float) -> None:
    """Not now (4xx, nobody answers): tried again, up to five days."""
    conn.execute(
        "UPDATE mails SET reply = %s,"
        " state = CASE WHEN created_at < now() - %s::interval THEN 'given-up' ELSE state END,"
        " due_at = CASE WHEN created_at < now() - %s::interval THEN NULL ELSE now() + make_interval(secs => %s) END"
        " WHERE id = %s",
        (reply[:500], GIVE_UP, GIVE_UP, seconds, mail),
    )


def counts(conn: Connection) -> dict[str, Any]:
    """How many mails wait, and since when the oldest does."""
    row = conn.execute("SELECT count(*), min(created_at) FROM mails WHERE state = 'queued'").fetchone()
    return {"queued": row[0], "oldest": row[1]} if row else {}
