"""Carries a deed out, a slice at a time; each slice is one transaction with its receipt, so a kill costs one slice.

    queues ─▶ orders ─▶ rejections ─▶ texts … ─▶ calls ─▶ done               (find, export)
                                                    └──▶ erase-orders ─▶ erase-inbox ─▶ erase-rest ─▶ done, forgotten

Any process may take the next step: the row is held while one does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.people.audit import audit
from shared.privacy.calls import erase_calls, find_calls
from shared.privacy.deed import ERASING, forget_deeds_about
from shared.privacy.orders import (
    erase_event_ids,
    erase_orders,
    find_orders,
    judge_orders,
    lock_orders,
    order_and_export,
)
from shared.privacy.rejections import erase_rejections, find_rejections
from shared.privacy.subject import Subject, read_subject
from shared.privacy.texts import OF_TABLE, TEXTS, erase_texts, names, rows, said

SLICE = 1_000
REFUSED_AT_ONCE = 100  # each may have a megabyte
ORDERS_AT_ONCE = 50
REST_AT_ONCE = 200
Waiting = Callable[[], Sequence[str] | None]
"""The broker's queues of events in which messages wait, see `queued`; None where that cannot be known."""


@dataclass(slots=True)
class _Turn:
    """One step under way. phase, position: where it goes on afterwards; counts: what this step adds."""

    conn: Connection
    deed: UUID
    kind: str
    who: Subject
    actor: str
    phase: str
    position: list[Any]
    counts: dict[str, int] = field(default_factory=dict)
    left_alone: list[dict[str, str]] = field(default_factory=list)
    over: bool = False
    waits: bool = False

    def add(self, place: str, many: int) -> None:
        if many:
            self.counts[place] = self.counts.get(place, 0) + many

    def go_to(self, phase: str) -> None:
        self.phase, self.position = phase, []

    def keep(self, place: str, refs: Sequence[Any]) -> None:
        """Remember where the person was found; once each."""
        if refs:
            found = self.conn.execute(
                "INSERT INTO privacy_found(deed, place, ref) SELECT %s, %s, unnest(%s::jsonb[])"
                " ON CONFLICT DO NOTHING RETURNING 1",
                (self.deed, place, [Jsonb(ref) for ref in refs]),
            ).fetchall()
            self.add(place, len(found))

    def put(self, place: str, refs: Sequence[Any]) -> None:
        """Note findings without counting them."""
        self.conn.execute(
            "INSERT INTO privacy_found(deed, place, ref) SELECT %s, %s, unnest(%s::jsonb[]) ON CONFLICT DO NOTHING",
            (self.deed, place, [Jsonb(ref) for ref in refs]),
        )

    def take(self, place: str | None, limit: int) -> list[tuple[str, Any]]:
        """The next findings of a place, or of all but orders; they are gone from the list afterwards."""
        return self.conn.execute(
            "DELETE FROM privacy_found WHERE (deed, place, ref) IN (SELECT deed, place, ref FROM privacy_found"
            " WHERE deed = %(deed)s AND CASE WHEN %(place)s::text IS NULL THEN place <> 'orders'"
            "   ELSE place = %(place)s END ORDER BY place, ref LIMIT %(limit)s) RETURNING place, ref",
            {"deed": self.deed, "place": place, "limit": limit},
        ).fetchall()


def step(conn: Connection, deed: UUID, waiting: Waiting, failpoint: Callable[[str], None]) -> bool | None:
    """Take one. False: it cannot go on just now (messages wait in the broker, somebody else is at it, or at an order):
    come back in a moment. None: it is over."""
    with conn.transaction():
        row = conn.execute(
            "SELECT kind, subject, created_by, phase, position, counts, left_alone, state FROM privacy_deeds"
            " WHERE id = %s FOR UPDATE SKIP LOCKED",
            (deed,),
        ).fetchone()
        if row is None:
            known = conn.execute("SELECT state FROM privacy_deeds WHERE id = %s", (deed,)).fetchone()
            return False if known and known[0] == "running" else None
        if row[7] != "running":
            return None
        turn = _Turn(conn, deed, row[0], read_subject(row[1]), row[2], row[3], row[4], row[5], row[6])
        if turn.phase == "queues" and not _seen_empty(turn, waiting()):
            _store(turn)
            return False
        _PHASES[turn.phase.partition(" ")[0]](turn)
        failpoint("privacy.sliced")
        _store(turn)
        failpoint("privacy.counted")
    failpoint("privacy.committed")
    return None if turn.over else not turn.waits


def share(conn: Connection, deed: UUID) -> int:
    """How far it is, in percent; looking through all orders is most of it."""
    row = conn.execute(
        "SELECT phase, position -> 0, (SELECT max(id) FROM records), state FROM privacy_deeds WHERE id = %s", (deed,)
    ).fetchone()
    if row is None or row[3] == "done":
        return 100
    if row[0] == "orders" and isinstance(row[1], int) and row[2]:
        return min(70, int(70 * row[1] / row[2]))
    return _SHARES.get(str(row[0]).partition(" ")[0], 75)


def _seen_empty(turn: _Turn, full: Sequence[str] | None) -> bool:
    """Whether each queue was seen empty since the deed was asked for: what lay there then is in the database now. They
    need not be empty all at once, for where much comes in they hardly ever are."""
    if full is None:
        return False
    turn.position = [name for name in full if not turn.position or name in turn.position]
    return not turn.position


def _queues(turn: _Turn) -> None:
    turn.go_to("orders")


def _orders(turn: _Turn) -> None:
    found, turn_to = find_orders(turn.conn, turn.who, turn.position, SLICE)
    if found:
        turn.keep("orders", [record[0] for record in order_and_export(turn.conn, list(found))])
        turn.who = turn.who.with_traces(text for texts in found.values() for text in texts)
    if turn_to is None:
        turn.go_to("rejections")
    else:
        turn.position = turn_to


def _rejections(turn: _Turn) -> None:
    numbers = [
        row[0]
        for row in turn.conn.execute(
            "SELECT DISTINCT key FROM records WHERE id IN (SELECT ref::bigint FROM privacy_found"
            " WHERE deed = %s AND place = 'orders')",
            (turn.deed,),
        ).fetchall()
    ]
    numbers += [turn.who.number] if turn.who.number else []
    found, turn_to = find_rejections(turn.conn, turn.who, numbers, (turn.position or [0])[0], REFUSED_AT_ONCE)
    turn.keep("rejections", found)
    if turn_to is None:
        turn.go_to(f"texts {TEXTS[0].table}")
    else:
        turn.position = [turn_to]


def _texts(turn: _Turn) -> None:
    of = OF_TABLE[turn.phase.partition(" ")[2]]
    page = rows(turn.conn, of, turn.position, SLICE)
    named = names(turn.who.texts)
    turn.keep(of.table, [key for key, values in page if named(said(values))])
    if len(page) == SLICE:
        turn.position = page[-1][0]
        return
    following = TEXTS.index(of) + 1
    turn.go_to(f"texts {TEXTS[following].table}" if following < len(TEXTS) else "calls")


def _calls(turn: _Turn) -> None:
    found, turn_to = find_calls(turn.conn, turn.who.texts, turn.position, SLICE)
    turn.keep("exchanges", found)
    if turn_to is not None:
        turn.position = turn_to
    elif turn.kind == "erase":
        turn.go_to(ERASING)
        turn.counts = {}  # from here on it is told what was overwritten
    else:
        turn.over = True


def _erase_orders(turn: _Turn) -> None:
    taken = [int(ref) for _, ref in turn.take("orders", ORDERS_AT_ONCE)]
    if not taken:
        turn.go_to("erase-inbox")
        return
    # Both sides of an order are judged, and go, together.
    both = [one[0] for one in order_and_export(turn.conn, taken)]
    free, stays, busy = lock_orders(turn.conn, both)
    turn.left_alone += [one for one in stays if one not in turn.left_alone]
    for table, many in erase_orders(turn.conn, free).items() if free else ():
        turn.add(table, many)
    turn.conn.execute(
        "DELETE FROM privacy_found WHERE deed = %s AND place = 'orders' AND ref = ANY(%s)",
        (turn.deed, [Jsonb(one) for one in both if one not in busy]),
    )
    turn.put("orders", busy)
    turn.waits = bool(busy)
    turn.put("inbox", free)  # which is read once for all of them


def _erase_inbox(turn: _Turn) -> None:
    """What is of no order stays where an order does: it may be needed for that one, or is held with it."""
    ids = [int(ref) for _, ref in turn.take("inbox", 1_000_000)]
    if ids:
        turn.add("events", erase_event_ids(turn.conn, ids))
    if not turn.left_alone:
        turn.go_to("erase-rest")
        return
    row = turn.conn.execute("SELECT count(*) FROM privacy_found WHERE deed = %s", (turn.deed,)).fetchone()
    if row and row[0]:
        turn.left_alone.append({"interface": "", "number": str(row[0]), "why": "rest", "flow": "", "state": ""})
    turn.over = True


def _erase_rest(turn: _Turn) -> None:
    taken = turn.take(None, REST_AT_ONCE)
    texts = turn.who.texts
    refused = [int(ref) for place, ref in taken if place == "rejections"]
    if refused:
        turn.add("rejections", erase_rejections(turn.conn, refused, turn.actor))
    for place, ref in taken:
        if place == "exchanges":
            turn.add(place, int(erase_calls(turn.conn, ref, texts)))
        elif place != "rejections":
            turn.add(place, int(erase_texts(turn.conn, place, ref, texts)))
    if len(taken) < REST_AT_ONCE:
        turn.over = True


_PHASES: dict[str, Callable[[_Turn], None]] = {
    "queues": _queues,
    "orders": _orders,
    "rejections": _rejections,
    "texts": _texts,
    "calls": _calls,
    "erase-orders": _erase_orders,
    "erase-inbox": _erase_inbox,
    "erase-rest": _erase_rest,
}
_SHARES = {"queues": 0, "orders": 0, "rejections": 72, "calls": 80, "erase-orders": 85, "erase-inbox": 92}


def _store(turn: _Turn) -> None:
    """The receipt, in the transaction of what it tells of. With the end of an erasure goes whom it was about."""
    forgotten = turn.over and turn.kind == "erase"
    turn.conn.execute(
        "UPDATE privacy_deeds SET phase = %(phase)s, position = %(position)s, counts = %(counts)s,"
        " left_alone = %(left)s, subject = %(subject)s, state = CASE WHEN %(over)s THEN 'done' ELSE state END,"
        " finished_at = CASE WHEN %(over)s THEN now() END WHERE id = %(deed)s",
        {
            "deed": turn.deed,
            "phase": "over" if turn.over else turn.phase,
            "position": Jsonb([] if turn.over else turn.position),
            "counts": Jsonb(turn.counts),
            "left": Jsonb(turn.left_alone),
            "subject": None if forgotten else Jsonb(turn.who.as_json()),
            "over": turn.over,
        },
    )
    if forgotten:
        forget_deeds_about(turn.conn, turn.who, turn.deed)
        target = {"deed": str(turn.deed), "count": turn.counts.get("records", 0), "left_alone": len(turn.left_alone)}
        audit(turn.conn, turn.actor, "privacy.erased", target)


def standing(conn: Connection, deed: UUID) -> dict[str, Any]:
    """What an erasure of the found would do now: `{"would_go": n, "would_stay": [as left_alone]}`. Changes nothing."""
    with conn.transaction():
        found = [
            int(row[0])
            for row in conn.execute(
                "SELECT ref FROM privacy_found WHERE deed = %s AND place = 'orders' ORDER BY ref", (deed,)
            ).fetchall()
        ]
        free, stays = judge_orders(conn, found)
    return {"would_go": len(free), "would_stay": stays}
