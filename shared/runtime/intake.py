"""Takes events in: decode, store everything in one transaction, say what became of each.

The same for a queue, for HTTP, for a resubmitted rejection and for an order fetched by hand. A bad event never holds up
its neighbours: what the contract refuses becomes a rejection, and when the database refuses a batch it is halved until
the culprit stands alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import psycopg

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.change import Outcome
from shared.records.claim import Claim
from shared.records.listed import listing_interfaces
from shared.records.modes import Standing, standings
from shared.records.receive import Hold, Incoming, Received, count_arrivals, receive_new
from shared.records.receive_known import NotThere, receive_known
from shared.records.rejections import Refusal, mark_resubmitted, read_rejection, refuse
from shared.runtime.clock import DatabaseClock
from shared.runtime.flows import FLOWS, MAKES_NEW, MERGES
from shared.runtime.handover import Handover
from shared.runtime.prepare import (
    Arrival,
    Ready,
    addressed,
    as_refusal,
    at_once,
    names_unknown_interface,
    prepare,
)
from shared.runtime.rounds import Round, first_of_each_key, rounds_of

MODES_SECONDS = 1.0  # as long as a poll of the work loop, which looks at the mode again anyway


class Taken(NamedTuple):
    """What became of one input. due: a worker of the stage should claim it now; age: of the event, in seconds; test: it
    is counted in no metric of records.

    more: the same input at the other interfaces that it concerned.
    """

    outcome: Outcome
    event: str
    interface: str
    source: str | None = None
    event_id: str | None = None
    record_id: int | None = None
    rejection_id: int | None = None
    problems: tuple[Problem, ...] = ()
    age: float | None = None
    flow: str | None = None
    stage: str | None = None
    due: bool = False
    test: bool = False
    more: tuple[Taken, ...] = ()

    @property
    def all(self) -> tuple[Taken, ...]:
        """One per interface that it concerned."""
        return (self._replace(more=()), *self.more)


class Intake:
    """Takes in for one connection. Not thread-safe: one per thread."""

    def __init__(self, failpoint: Callable[[str], None], handover: Handover | None = None) -> None:
        """handover: to the work loop of this process, if it has one; else all is left to be claimed."""
        self._handover = handover or Handover("", lambda: None, intends=False)
        self._clock = DatabaseClock()
        self._known: dict[str, Standing] = {}
        self._known_at = float("-inf")
        self._failpoint = failpoint

    def take_in(self, conn: Connection, arrivals: Sequence[Arrival]) -> list[Taken]:
        """Store all of it; one result per arrival, in order.

        Raises psycopg.OperationalError when the database cannot be used; then nothing is stored and nothing is lost as
        long as the caller keeps the input.
        """
        now = self._clock.now(conn)
        self._know_interfaces(conn, fresh=time.monotonic() - self._known_at > MODES_SECONDS)
        ready = [prepare(arrival, now, self._known) for arrival in arrivals]
        if any(names_unknown_interface(one) for one in ready):
            self._know_interfaces(conn, fresh=True)  # it may have been added a moment ago
            ready = [prepare(arrival, now, self._known) for arrival in arrivals]
        inputs = self._addressed(conn, ready)
        self._failpoint("intake.decoded")
        results: dict[int, Taken] = {}
        for group in rounds_of([one for _, one in inputs]):
            results.update(self._store(conn, group))
        taken: dict[int, list[Taken]] = {}
        for number, (place, _) in enumerate(inputs):
            taken.setdefault(place, []).append(results[number])
        return [_together(taken[place]) for place in range(len(ready))]

    def _addressed(self, conn: Connection, ready: Sequence[Ready]) -> list[tuple[int, Ready]]:
        """Inputs with their places; what names no interface once for each that lists its key."""
        keys = {one.listed_key for one in ready} - {None}
        if not keys:
            return list(enumerate(ready))
        listed = listing_interfaces(conn, sorted(key for key in keys if key is not None))
        return [
            (place, each)
            for place, one in enumerate(ready)
            for each in (
                [one] if one.listed_key is None else addressed(one, listed.get(one.listed_key, ()), self._known)
            )
        ]

    def resubmit(self, conn: Connection, rejection_id: int, body: bytes | None, actor: str) -> Taken | None:
        """Take in a rejected body again, edited or not. None when there is no such open rejection.

        What is refused again becomes (or stays) a rejection of its own; either way this one says what came of it.
        """
        found = read_rejection(conn, rejection_id)
        if found is None or found.state != "open":
            return None
        event = found.event if found.event in {name.rpartition(".")[0] for name in FLOWS} else None
        arrival = Arrival(
            found.raw if body is None else body, "resubmit", f"rejection {rejection_id}, by {actor}", event
        )
        with conn.transaction():
            taken = self.take_in(conn, [arrival])[0]
            if taken.rejection_id != rejection_id:
                result = {
                    "outcome": str(taken.outcome),
                    "record_id": taken.record_id,
                    "rejection_id": taken.rejection_id,
                }
                mark_resubmitted(conn, rejection_id, actor, result)
        return taken

    def _know_interfaces(self, conn: Connection, *, fresh: bool) -> None:
        if fresh:
            self._known, self._known_at = standings(conn), time.monotonic()

    # -- store -------------------------------------------------------------------------------------------------------

    def _store(self, conn: Connection, group: Round) -> dict[int, Taken]:
        """First what is new, in a statement of its own; then, if there is any, the rest in a transaction.

        A crash in between is harmless: what was stored is a duplicate when it is delivered again.
        """
        fresh = first_of_each_key(group, MAKES_NEW)
        taken = self._tried(conn, fresh, self._store_new) if fresh else {}
        rest = [item for item in group if item[0] not in taken]
        if rest:
            self._failpoint("intake.new-stored")
            taken |= self._tried(conn, rest, self._store_rest)
        return taken

    def _tried(self, conn: Connection, group: Round, store: Store) -> dict[int, Taken]:
        """Store the group; halved on a data error until the culprit stands alone and is refused."""
        for _ in range(3):
            try:
                return store(conn, group)
            except NotThere as missing:
                made = self._tried(conn, _of(group, missing), self._store_new)
                left = [item for item in group if item[0] not in made]
                self._failpoint("intake.new-stored")
                return made | (self._tried(conn, left, store) if left else {})
            except (
                psycopg.errors.UniqueViolation,
                psycopg.errors.DeadlockDetected,
                psycopg.errors.SerializationFailure,
            ):
                continue  # another intake was there at the same moment; now its rows can be seen
            except psycopg.errors.CheckViolation as error:
                # No event is to blame when a month of transitions is missing: upkeep makes it, the broker keeps them.
                raise psycopg.OperationalError(f"the schema refuses a batch: {error.diag.message_primary}") from error
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, UnicodeError) as error:
                if len(group) > 1:
                    middle = len(group) // 2
                    return {**self._tried(conn, group[:middle], store), **self._tried(conn, group[middle:], store)}
                ((number, one),) = group
                problem = Problem("database-refused", values={"message": type(error).__name__})
                group, store = [(number, as_refusal(one, problem))], self._store_rest
        raise psycopg.OperationalError("the batch could not be stored in three tries")

    def _store_new(self, conn: Connection, group: Round) -> dict[int, Taken]:
        """What the work loop has room for is claimed as it is stored, and handed over."""
        good = [(number, one.incoming, one) for number, one in group if one.incoming is not None]
        promise = self._handover.promise([at_once(incoming, self._handover.stage) for _, incoming, _ in good])
        claims: list[Claim] = []
        try:
            # A statement is a transaction of its own; in somebody else's (a resubmission) it must not spoil that one.
            with conn.transaction() if conn.info.transaction_status else nullcontext():
                new = receive_new(conn, [one for _, one, _ in good], Hold(promise.seconds, self._handover.intends))
            for _, incoming, one in good:
                claim = new[incoming.hash].claim if incoming.hash in new else None
                if claim is not None:
                    claims.append(claim._replace(event=one.event))
        finally:
            self._handover.keep(promise, claims)
        if claims:
            self._failpoint("intake.handed-over")
        return {
            number: _taken(one, incoming, new[incoming.hash]) for number, incoming, one in good if incoming.hash in new
        }

    def _store_rest(self, conn: Connection, group: Round) -> dict[int, Taken]:
        """Events and records that exist, and refusals."""
        # Pipelined, BEGIN travels with the first statement.
        with conn.pipeline(), conn.transaction():
            results = _rest(conn, group)
            self._failpoint("intake.stored")
        return results


Store = Callable[[Connection, Round], dict[int, Taken]]


def _of(group: Round, missing: NotThere) -> Round:
    """The first input of each record that is not there."""
    return first_of_each_key([item for item in group if item[1].incoming and item[1].incoming.hash in missing.hashes])


def _rest(conn: Connection, group: Round) -> dict[int, Taken]:
    results: dict[int, Taken] = {}
    good = [(number, one.incoming, one) for number, one in group if one.incoming is not None]
    received = receive_known(conn, [incoming for _, incoming, _ in good], MERGES)
    for number, incoming, one in good:
        result = received[incoming.hash]
        if result.reused:
            refusal = as_refusal(one, Problem("id-reused", "id", {"id": incoming.event_id, "source": incoming.source}))
            assert refusal.refusal is not None
            results[number] = _refuse(conn, refusal.refusal)
        else:
            results[number] = _taken(one, incoming, result)
    bad = [(number, one.refusal) for number, one in group if one.refusal is not None]
    if bad:
        count_arrivals(conn, [(refusal.event, refusal.interface) for _, refusal in bad])
    for number, refused in bad:
        results[number] = _refuse(conn, refused)
    return results


def _together(taken: Sequence[Taken]) -> Taken:
    """One answer for an input: applied if it was applied anywhere, else what became of it at the first interface."""
    first = next((one for one in taken if one.outcome is Outcome.APPLIED), taken[0])
    return first._replace(more=tuple(one for one in taken if one is not first))


def _taken(one: Ready, incoming: Incoming, result: Received) -> Taken:
    return Taken(
        result.outcome,
        incoming.event,
        incoming.interface,
        incoming.source,
        incoming.event_id,
        record_id=result.record_id,
        age=one.age,
        flow=incoming.flow,
        stage=incoming.stage,
        due=result.outcome is Outcome.APPLIED and incoming.after == 0 and result.claim is None,
        test=incoming.test,
    )


def _refuse(conn: Connection, refusal: Refusal) -> Taken:
    rejection, new = refuse(conn, refusal)
    return Taken(
        Outcome.REJECTED if new else Outcome.DUPLICATE,
        refusal.event,
        refusal.interface,
        refusal.source,
        refusal.event_id,
        rejection_id=rejection,
        problems=refusal.problems,
    )
