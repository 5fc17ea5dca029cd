"""Maintenance windows and free days in the database: listed, planned, ended, forgotten. Knows who asks, not why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.alarms.calendar import Calendar, Window
from shared.db.connect import Connection


class Maintenance(BaseModel):
    """A window as somebody plans it: once (starts, ends) or weekly (weekday, 0 is Monday, at, until).

    interfaces: empty for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    interfaces: tuple[Annotated[str, StringConstraints(max_length=63)], ...] = Field((), max_length=1000)
    starts: datetime | None = None
    ends: datetime | None = None
    weekday: Annotated[int, Field(ge=0, le=6)] | None = None
    at: time | None = None
    until: time | None = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        once = self.starts is not None and self.ends is not None
        weekly = self.weekday is not None and self.at is not None and self.until is not None
        if once == weekly or (once and (self.weekday, self.at, self.until) != (None, None, None)):
            raise ValueError("say either from when until when (starts, ends), or weekday, at and until of each week")
        if weekly and (self.starts, self.ends) != (None, None):
            raise ValueError("a weekly window has no dates: weekday, at and until are enough")
        if once and self.starts is not None and self.ends is not None and not _before(self.starts, self.ends):
            raise ValueError("it has to end after it starts")
        if weekly and self.at == self.until:
            raise ValueError("it has to end at another time than it starts")
        return self


def calendar(conn: Connection) -> Calendar:
    """What is planned, as the plan asks for it. Lately ended windows are in: the look back wants them."""
    zone = conn.execute("SELECT zone FROM alarm_watch").fetchone()
    rows = conn.execute(
        "SELECT interfaces, starts, ends, weekday, at, until FROM maintenance"
        " WHERE ends IS NULL OR ends > now() - interval '35 days' ORDER BY id"
    ).fetchall()
    days = conn.execute("SELECT day FROM free_days WHERE day > now()::date - 100").fetchall()
    return Calendar(
        frozenset(day for (day,) in days),
        tuple(Window(frozenset(row[0]), row[1], row[2], row[3], row[4] or time(0), row[5] or time(0)) for row in rows),
        ZoneInfo(zone[0] if zone else "UTC"),
    )


def plan(conn: Connection, window: Maintenance, by: str) -> int:
    """Keep a window and return its number."""
    row = conn.execute(
        "INSERT INTO maintenance(interfaces, starts, ends, weekday, at, until, note, created_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (list(window.interfaces), window.starts, window.ends, window.weekday, window.at, window.until, window.note, by),
    ).fetchone()
    assert row is not None
    _look_again(conn)
    return int(row[0])


def end(conn: Connection, number: int) -> bool:
    """End it: one that is on ends now, one that has not begun or is weekly is forgotten. False where there is none."""
    ended = conn.execute(
        "UPDATE maintenance SET ends = now() WHERE id = %s AND starts < now() AND ends > now()", (number,)
    ).rowcount
    if not ended:
        ended = conn.execute(
            "DELETE FROM maintenance WHERE id = %s AND (ends IS NULL OR ends > now())", (number,)
        ).rowcount
    _look_again(conn)
    return bool(ended)


def planned(conn: Connection) -> list[dict[str, Any]]:
    """Windows that are on, to come or weekly, and those that ended in the last days."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT *, ends <= now() AS over, starts <= now() AND ends > now() AS on_now FROM maintenance"
            " WHERE ends IS NULL OR ends > now() - interval '3 days' ORDER BY weekday NULLS FIRST, starts, at, id"
        ).fetchall()


def free_days(conn: Connection) -> list[tuple[date, str]]:
    """The business calendar, from this year on."""
    return [
        (day, name)
        for day, name in conn.execute(
            "SELECT day, name FROM free_days WHERE day >= date_trunc('year', now()) ORDER BY day"
        ).fetchall()
    ]


def add_free_days(conn: Connection, days: Mapping[date, str]) -> int:
    """Enter days; returns how many were not there yet."""
    added = conn.execute(
        "INSERT INTO free_days(day, name) SELECT * FROM unnest(%s::date[], %s::text[]) ON CONFLICT DO NOTHING",
        (list(days), list(days.values())),
    ).rowcount
    _look_again(conn)
    return added


def remove_free_days(conn: Connection, days: Sequence[date]) -> int:
    """Work is done on these days after all; returns how many were free."""
    removed = conn.execute("DELETE FROM free_days WHERE day = ANY(%s)", (list(days),)).rowcount
    _look_again(conn)
    return removed


def set_zone(conn: Connection, zone: str) -> None:
    """Whose clock the calendar follows: the installation's. Called by the alert service when it starts."""
    conn.execute("UPDATE alarm_watch SET zone = %s WHERE zone <> %s", (zone, zone))


def _look_again(conn: Connection) -> None:
    """What is held back or was to go out then is planned anew by the next round."""
    conn.execute("UPDATE subscriptions SET next_at = now() WHERE active AND next_at IS NOT NULL")


def _before(start: datetime, end: datetime) -> bool:
    return start.replace(tzinfo=None) < end.replace(tzinfo=None) if not (start.tzinfo and end.tzinfo) else start < end
