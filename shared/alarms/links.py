"""What the links of a mail do, once a person has confirmed it: answer an incident, leave an alarm, confirm an address.

A link says which recipient clicked (`signed`); a mail scanner that opens it changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.alarms.signed import Deed, Links
from shared.db.connect import Connection

LATER_HOURS = 8


def recipient(conn: Connection, links: Links, deed: Deed, text: str) -> dict[str, Any] | None:
    """Whose link it is: address, alarm, language, whether they left or confirmed. None where it does not work: nobody
    signed it for this deed, its time is over, or the recipient is gone."""
    clock = conn.execute("SELECT now()").fetchone()
    assert clock is not None
    number = links.read(deed, text, clock[0])
    if number is None or number >= 2**63:
        return None
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT r.id, r.address, r.verified_at, r.stopped_at, coalesce(r.language, s.language) AS language,"
            " s.name,"
            " s.id AS subscription, (SELECT count(*) FROM recipients o WHERE o.subscription = s.id AND o.id <> r.id"
            "   AND o.stopped_at IS NULL) AS others FROM recipients r JOIN subscriptions s ON s.id = r.subscription"
            " WHERE r.id = %s",
            (number,),
        ).fetchone()


def incident(conn: Connection, number: int) -> dict[str, Any] | None:
    """The incident of a link."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, interface, flow, code, key, severity, since, ended, records, problem FROM incidents"
            " WHERE id = %s",
            (number,),
        ).fetchone()


def answer(conn: Connection, number: int, by: str, *, later: bool, hours: int = LATER_HOURS) -> datetime | None:
    """Acknowledge an open incident, or have it told again in so many hours; returns when. The next round hears it."""
    row = conn.execute(
        "INSERT INTO alarm_answers(incident, by, until)"
        " SELECT id, %s, CASE WHEN %s THEN now() + make_interval(hours => %s) END"
        " FROM incidents WHERE id = %s AND ended IS NULL RETURNING until",
        (by, later, hours, number),
    ).fetchone()
    return row[0] if row else None


def leave(conn: Connection, number: int) -> bool:
    """No mail of this alarm to this recipient any more; False where there is none. What waits is not sent."""
    row = conn.execute(
        "UPDATE recipients SET stopped_at = coalesce(stopped_at, now()) WHERE id = %s RETURNING id", (number,)
    ).fetchone()
    if row is not None:
        conn.execute(
            "UPDATE mails SET state = 'unsubscribed', due_at = NULL WHERE recipient = %s AND state = 'queued'",
            (row[0],),
        )
    return row is not None


def confirm(conn: Connection, number: int) -> bool:
    """The address is theirs, and they want it; also brings back somebody who had left."""
    return bool(
        conn.execute(
            "UPDATE recipients SET verified_at = coalesce(verified_at, now()), stopped_at = NULL WHERE id = %s",
            (number,),
        ).rowcount
    )
