"""The ledger is written: every decision of a round with the incidents it is about. Called by `round`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.alarms.incidents import Opening
from shared.alarms.plan import Decision
from shared.db.connect import Connection


@dataclass(slots=True)
class Decided:
    """A decision about one subscription. number: its row, once it is recorded; incidents: their rows."""

    subscription: int
    decision: Decision
    number: int = 0
    incidents: tuple[int, ...] = ()


def record(conn: Connection, decided: Sequence[Decided], ids: Mapping[Opening, int]) -> None:
    """Write them, and fill in their numbers. ids: the rows of their incidents."""
    if not decided:
        return
    numbers = conn.execute(
        "SELECT nextval(pg_get_serial_sequence('alarm_decisions', 'id')) FROM generate_series(1, %s)", (len(decided),)
    ).fetchall()
    for one, (number,) in zip(decided, numbers, strict=True):
        one.number = number
        one.incidents = tuple(ids[each] for each in one.decision.about if each in ids)
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY alarm_decisions(id, subscription, at, what, severity, incidents, until, by) FROM STDIN"
        ) as copy,
    ):
        for one in decided:
            said = one.decision
            copy.write_row(
                (
                    one.number, one.subscription, said.at, str(said.what), str(said.severity), list(one.incidents),
                    said.until, said.by,
                )
            )  # fmt: skip


def by_hand(conn: Connection, subscription: int, what: str, by: str) -> None:
    """Somebody paused an alarm or let it go on: the ledger says so."""
    conn.execute(
        "INSERT INTO alarm_decisions(subscription, at, what, severity, incidents, by)"
        " VALUES (%s, clock_timestamp(), %s, 'warning', '{}', %s)",
        (subscription, what, by),
    )
