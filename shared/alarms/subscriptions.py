"""Subscriptions in the database: kept, listed, changed, and found when something happens that concerns them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.alarms.decided import by_hand
from shared.alarms.incidents import Cause, Happening, Kind
from shared.alarms.plan import Wish
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection
from shared.records.filter import parse
from shared.records.filter_sql import to_sql
from shared.records.interfaces import modes

_COLUMNS = (
    "id", "name", "interfaces", "flows", "on", "frequency", "at", "weekday", "hours", "filter", "language", "time_zone",
    "active", "created_by", "created_at", "updated_at",
)  # fmt: skip
_SELECT = "SELECT " + ", ".join(f's."{name}"' for name in _COLUMNS)


class NameTaken(ValueError):
    """There is an alarm of this name already."""


@dataclass(slots=True)
class Subscription:
    """What the service needs to decide. plan: its state as it is kept (`plans.py`); next_at: when it has something to
    do by itself."""

    id: int
    wish: Wish
    filter: str
    plan: dict[str, Any] = field(default_factory=dict)
    next_at: datetime | None = None


def add(conn: Connection, alarm: Alarm, by: str, zone: str, *, verified: bool) -> int:
    """Keep a new one and return its id; verified: its addresses count as confirmed. Raises NameTaken."""
    with conn.transaction():
        values = _values(alarm, zone) | {"created_by": by}
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        marks = sql.SQL(", ").join(map(sql.Placeholder, values))
        try:
            row = conn.execute(
                sql.SQL("INSERT INTO subscriptions ({}) VALUES ({}) RETURNING id").format(names, marks), values
            ).fetchone()
        except psycopg.errors.UniqueViolation:
            raise NameTaken(f"There is an alarm “{alarm.name}” already: choose another name.") from None
        assert row is not None
        _keep_recipients(conn, row[0], alarm.recipients, verified=verified)
    return int(row[0])


def change(conn: Connection, subscription: int, alarm: Alarm, zone: str, *, verified: bool) -> bool:
    """Keep it as it is now; False where there is none. Its plan goes on. Raises NameTaken."""
    with conn.transaction():
        values = _values(alarm, zone)
        pairs = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values
        )
        try:
            changed = conn.execute(
                sql.SQL("UPDATE subscriptions SET {}, updated_at = now() WHERE id = %(id)s").format(pairs),
                values | {"id": subscription},
            ).rowcount
        except psycopg.errors.UniqueViolation:
            raise NameTaken(f"There is an alarm “{alarm.name}” already: choose another name.") from None
        if changed:
            _keep_recipients(conn, subscription, alarm.recipients, verified=verified)
    return bool(changed)


def remove(conn: Connection, subscription: int) -> bool:
    """Delete it with its ledger; False where there is none."""
    return bool(conn.execute("DELETE FROM subscriptions WHERE id = %s", (subscription,)).rowcount)


def listed(conn: Connection, subscription: int | None = None) -> list[dict[str, Any]]:
    """All, or one: as asked for, with its recipients and the last mail."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            f"{_SELECT}, (SELECT max(m.sent_at) FROM mails m JOIN recipients r ON r.id = m.recipient"  # noqa: S608
            "   WHERE r.subscription = s.id) AS last_mail FROM subscriptions s"
            " WHERE %(id)s::bigint IS NULL OR s.id = %(id)s ORDER BY lower(s.name), s.id".encode(),
            {"id": subscription},
        ).fetchall()
        people = cursor.execute(
            "SELECT id, subscription, address, language, verified_at, stopped_at FROM recipients"
            " WHERE subscription = ANY(%s) ORDER BY address",
            ([one["id"] for one in found],),
        ).fetchall()
    return [one | {"recipients": [who for who in people if who["subscription"] == one["id"]]} for one in found]


def concerned(conn: Connection, causes: Sequence[Cause], now: datetime) -> list[Subscription]:
    """Those that ask for any of these causes, or whose plan has something to do now."""
    places = sorted({(cause.interface, cause.flow) for cause in causes})
    rows = conn.execute(
        f"{_SELECT}, s.plan FROM subscriptions s WHERE s.active AND (s.next_at <= %s"
        " OR EXISTS (SELECT FROM unnest(%s::text[], %s::text[]) AS c(interface, flow)"
        "   WHERE (s.interfaces = '{}' OR c.interface = ANY(s.interfaces))"
        "     AND (s.flows = '{}' OR c.flow = ANY(s.flows)))) ORDER BY s.id FOR UPDATE".encode(),
        (now, [interface for interface, _ in places], [flow for _, flow in places]),
    ).fetchall()
    return [_subscription(dict(zip((*_COLUMNS, "plan"), row, strict=True))) for row in rows]


class Matching:
    """Which happenings are a subscription's: of its interfaces, and let through by its filter. A filter is asked once
    for all that have the same one."""

    def __init__(self, conn: Connection, happened: Sequence[Happening]) -> None:
        self._conn = conn
        self._happened = happened
        self._places: dict[str, list[Happening]] = {}
        for one in happened:
            self._places.setdefault(one.cause.interface, []).append(one)
        self._known: dict[tuple[str, str], dict[Cause, bool]] = {}
        self._modes: Any = None

    def of(self, subscription: Subscription) -> Sequence[Happening]:
        """Those of which at least one record matches the subscription's filter now; an end always does."""
        chosen = subscription.wish.interfaces
        happened = self._happened
        if chosen:
            happened = [one for place in sorted(chosen) for one in self._places.get(place, ())]
        if not subscription.filter:
            return happened
        key = (subscription.filter, subscription.wish.zone)
        known = self._known.setdefault(key, {})
        new = {one.cause for one in happened if one.kind is not Kind.RESOLVED} - set(known)
        if new:
            known.update(self._ask(*key, sorted(new)))
        return [one for one in happened if one.kind is Kind.RESOLVED or known[one.cause]]

    def _ask(self, text: str, zone: str, causes: Sequence[Cause]) -> dict[Cause, bool]:
        self._modes = self._modes if self._modes is not None else modes(self._conn)
        condition, values = to_sql(parse(text, ZoneInfo(zone), self._modes))
        query = sql.SQL(
            "SELECT c.cause FROM unnest(%s::text[]) AS c(cause) WHERE EXISTS (SELECT FROM troubles k"  # noqa: S608
            f" JOIN records r ON r.id = k.record_id WHERE k.cause = c.cause AND {condition})"
        )
        found = {row[0] for row in self._conn.execute(query, [[cause.key for cause in causes], *values]).fetchall()}
        return {cause: cause.key in found for cause in causes}


def keep_plans(conn: Connection, chosen: Sequence[Subscription]) -> None:
    """Store the states of their plans, and when each has something to do by itself."""
    if not chosen:
        return
    rows = [
        {"id": one.id, "plan": one.plan, "next": one.next_at.isoformat() if one.next_at else None} for one in chosen
    ]
    conn.execute(
        "UPDATE subscriptions s SET plan = p.plan, next_at = p.next"
        " FROM jsonb_to_recordset(%s::jsonb) AS p(id int8, plan jsonb, next timestamptz) WHERE s.id = p.id",
        (Jsonb(rows),),
    )


def pause(conn: Connection, subscription: int, by: str) -> bool:
    """Mail nothing until it goes on; False where it is paused already, or not there."""
    paused = conn.execute(
        "UPDATE subscriptions SET active = false, updated_at = now() WHERE id = %s AND active", (subscription,)
    ).rowcount
    if paused:
        by_hand(conn, subscription, "paused", by)
    return bool(paused)


def resume(conn: Connection, subscription: int, by: str) -> bool:
    """Let it go on: it is told of what is open, like a new one. False where it is not paused, or not there."""
    resumed = conn.execute(
        "UPDATE subscriptions SET active = true, plan = '{}', next_at = now(), updated_at = now()"
        " WHERE id = %s AND NOT active",
        (subscription,),
    ).rowcount
    if resumed:
        by_hand(conn, subscription, "resumed", by)
    return bool(resumed)


def _subscription(row: dict[str, Any]) -> Subscription:
    return Subscription(row["id"], alarm_of(row).wish(row["time_zone"]), row["filter"], row["plan"])


def alarm_of(row: dict[str, Any]) -> Alarm:
    """A row as it was asked for, without its recipients."""
    return Alarm.model_validate(
        {name: row[name] for name in Alarm.model_fields if name in row and name != "recipients"}
    )


def _values(alarm: Alarm, zone: str) -> dict[str, Any]:
    values = alarm.model_dump(exclude={"recipients", "hours"})
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()} | {
        "hours": Jsonb(alarm.hours.model_dump(mode="json")),
        "time_zone": alarm.time_zone or zone,
        "on": [str(one) for one in alarm.on],
    }


def recipient(who: Mapping[str, Any]) -> str:
    """As it is asked for: the address, with its own language behind it where it has one."""
    return ":".join(part for part in (who["address"], who["language"]) if part)


def _keep_recipients(conn: Connection, subscription: int, asked: Iterable[str], *, verified: bool) -> None:
    languages = {address: language or None for address, _, language in (one.partition(":") for one in asked)}
    wanted = list(languages)
    conn.execute("DELETE FROM recipients WHERE subscription = %s AND address <> ALL(%s)", (subscription, wanted))
    for address in wanted:
        conn.execute(
            "INSERT INTO recipients(subscription, address, language, verified_at)"
            " VALUES (%s, %s, %s, CASE WHEN %s THEN now() END) ON CONFLICT (subscription, address)"
            " DO UPDATE SET verified_at = coalesce(recipients.verified_at, excluded.verified_at),"
            " language = excluded.language",
            (subscription, address, languages[address], verified),
        )
