"""The ledger is written: every decision of a round with the incidents it is about. Called by `round`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.alarms.incidents import Opening, Severity
from shared.alarms.plan import Decision, Silence
from shared.alarms.told import Mailing
from shared.db.connect import Connection


@dataclass(slots=True)
class Decided:
    """A decision about one subscription. incidents: their rows; since: when the first of them began; number: its own
    row, once it is recorded."""

    subscription: int
    at: datetime
    what: Mailing | Silence
    severity: Severity
    incidents: list[int]
    since: datetime
    until: datetime | None
    by: str | None
    number: int = 0

    @classmethod
    def of(cls, subscription: int, made: Decision, ids: Mapping[Opening, int]) -> Decided:
        """ids: the rows of its incidents."""
        incidents = [ids[each] for each in made.about if each in ids]
        since = min(since for _, since in made.about)
        return cls(subscription, made.at, made.what, made.severity, incidents, since, made.until, made.by)


def record(conn: Connection, decided: Sequence[Decided]) -> None:
    """Write them, and fill in their numbers."""
    if not decided:
        return
    numbers = conn.execute(
        "SELECT nextval(pg_get_serial_sequence('alarm_decisions', 'id')) FROM generate_series(1, %s)", (len(decided),)
    ).fetchall()
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY alarm_decisions(id, subscription, at, what, severity, incidents, until, by) FROM STDIN"
        ) as copy,
    ):
        for one, (number,) in zip(decided, numbers, strict=True):
            one.number = number
            incidents = f"{{{','.join(map(str, one.incidents))}}}"  # a list would be written five times as slowly
            copy.write_row(
                (number, one.subscription, one.at, str(one.what), str(one.severity), incidents, one.until, one.by)
            )


def by_hand(conn: Connection, subscription: int, what: str, by: str) -> None:
    """Somebody paused an alarm or let it go on: the ledger says so."""
    conn.execute(
        "INSERT INTO alarm_decisions(subscription, at, what, severity, incidents, by)"
        " VALUES (%s, clock_timestamp(), %s, 'warning', '{}', %s)",
        (subscription, what, by),
    )
