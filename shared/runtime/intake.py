"""Takes events in: decode, store everything in one transaction, say what became of each.

The same for a queue, for HTTP, for a resubmitted rejection and for an order fetched by hand. A bad event never holds up
its neighbours: what the contract refuses becomes a rejection, and when the database refuses a batch it is halved until
the culprit stands alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.events.envelope import Event
from shared.records.change import Outcome
from shared.records.hashes import body_hash, event_hash
from shared.records.interfaces import modes
from shared.records.receive import Incoming, count_arrivals, receive
from shared.records.rejections import Refusal, mark_resubmitted, read_rejection, refuse
from shared.runtime.clock import DatabaseClock
from shared.runtime.decode import Refused, decode
from shared.runtime.flows import FLOWS

UNKNOWN_INTERFACE = "?"
MODES_SECONDS = 1.0  # as long as a poll of the work loop, which looks at the mode again anyway


@dataclass(frozen=True, slots=True)
class Arrival:
    """Input as it came. queue: where from (`http` for the API); origin: for people; event: the slug the queue is for.

    alone: store it in a transaction of its own; forced: a person wants it to run even where the interface does not.
    extra: problems that the way it came brings along (nobody reads that routing key).
    """

    body: bytes
    queue: str
    origin: str
    event: str | None = None
    routing_key: str | None = None
    content_type: str | None = None
    alone: bool = False
    forced: bool = False
    extra: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one input. due: a worker of the stage has something to do now; age: of the event, in seconds."""

    outcome: Outcome
    event: str
    interface: str
    source: str | None = None
    event_id: str | None = None
    record_id: int | None = None
    rejection_id: int | None = None
    problems: tuple[Problem, ...] = ()
    age: float | None = field(default=None, compare=False)
    flow: str | None = None
    stage: str | None = None
    due: bool = False


@dataclass(frozen=True, slots=True)
class _Ready:
    """An input that is fit to be stored: in a batch or, with refusal set, as a rejection."""

    arrival: Arrival
    incoming: Incoming | None
    refusal: Refusal | None
    age: float | None = None


class Intake:
    """Takes in for one connection. Not thread-safe: one per thread."""

    def __init__(self, failpoint: Callable[[str], None]) -> None:
        self._clock = DatabaseClock()
        self._modes: dict[str, str] = {}
        self._modes_at = float("-inf")
        self._failpoint = failpoint

    def take_in(self, conn: Connection, arrivals: Sequence[Arrival]) -> list[Taken]:
        """Store all of it; one result per arrival, in order.

        Raises psycopg.OperationalError when the database cannot be used; then nothing is stored and nothing is lost as
        long as the caller keeps the input.
        """
        now = self._clock.now(conn)
        self._know_interfaces(conn, fresh=time.monotonic() - self._modes_at > MODES_SECONDS)
        ready = [self._prepare(arrival, now) for arrival in arrivals]
        if any(_names_unknown_interface(one) for one in ready):
            self._know_interfaces(conn, fresh=True)  # it may have been added a moment ago
            ready = [self._prepare(arrival, now) for arrival in arrivals]
        self._failpoint("intake.decoded")
        results: dict[int, Taken] = {}
        for group in _groups(ready):
            results.update(self._store(conn, group))
        return [results[n] for n in range(len(ready))]

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
            self._modes, self._modes_at = modes(conn), time.monotonic()

    # -- prepare -----------------------------------------------------------------------------------------------------

    def _prepare(self, arrival: Arrival, now: datetime) -> _Ready:
        decoded = decode(arrival.body, arrival.event, now)
        if isinstance(decoded, Refused):
            return _Ready(arrival, None, self._refusal(arrival, decoded))
        problems = [*arrival.extra, *self._circumstances(arrival, decoded)]
        if problems:
            refused = Refused(
                tuple(problems), decoded.source, decoded.id, decoded.type, getattr(decoded.data, "interface", None)
            )
            return _Ready(arrival, None, self._refusal(arrival, refused))
        target = FLOWS[decoded.type](decoded)
        canonical = decoded.data.__pydantic_serializer__.to_json(decoded.data, exclude_none=True)
        mode = self._modes[target.interface]
        incoming = Incoming(
            hash=event_hash(decoded.source, decoded.id),
            source=decoded.source,
            event_id=decoded.id,
            event=decoded.type.rpartition(".")[0],
            interface=target.interface,
            flow=target.flow,
            stage=target.stage,
            key=target.key,
            changed_at=target.changed_at,
            version=target.version,
            data_hash=body_hash(canonical),
            body=arrival.body,
            traceparent=decoded.traceparent,
            marketplace_id=target.marketplace_id,
            ordered_at=target.ordered_at,
            ship_by=target.ship_by,
            after=target.after,
            code=target.code,
            forced=arrival.forced and mode != "live",
            test=mode == "test",
        )
        return _Ready(arrival, incoming, None, (now - decoded.time).total_seconds())

    def _circumstances(self, arrival: Arrival, event: Event[Any]) -> list[Problem]:
        """What the contract cannot know: who is there, and what the routing key says."""
        problems: list[Problem] = []
        interface = getattr(event.data, "interface", None)
        if event.type not in FLOWS:
            problems.append(Problem("no-consumer", "type", {"type": event.type}))
        if interface is not None and interface not in self._modes:
            problems.append(Problem("interface-unknown", "data.interface", {"interface": interface}))
        key = arrival.routing_key
        if key and key != arrival.event and interface is not None and key != f"{event.type}.{interface}":
            problems.append(
                Problem("interface-contradiction", "data.interface", {"routing_key": key, "interface": interface})
            )
        return problems

    def _refusal(self, arrival: Arrival, refused: Refused) -> Refusal:
        slug = (refused.type or "").rpartition(".")[0]
        known = refused.interface in self._modes
        problems = (*(p for p in arrival.extra if p not in refused.problems), *refused.problems)
        return Refusal(
            queue=arrival.queue,
            origin=arrival.origin,
            event=arrival.event or (slug if f"{slug}.v1" in FLOWS else "unknown"),
            interface=refused.interface if known and refused.interface else UNKNOWN_INTERFACE,
            source=refused.source,
            event_id=refused.event_id,
            raw=arrival.body,
            content_type=arrival.content_type,
            routing_key=arrival.routing_key,
            problems=problems,
        )

    # -- store -------------------------------------------------------------------------------------------------------

    def _store(self, conn: Connection, group: list[tuple[int, _Ready]]) -> dict[int, Taken]:
        """One transaction for the group; halved on a data error until the culprit stands alone and is refused."""
        for _ in range(3):
            try:
                # Pipelined, BEGIN travels with the first statement: two round trips for a batch of new events.
                with conn.pipeline(), conn.transaction():
                    results = _write(conn, group)
                    self._failpoint("intake.stored")
                return results
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
                if len(group) == 1:
                    number, one = group[0]
                    problem = Problem("database-refused", values={"message": type(error).__name__})
                    group = [(number, _as_refusal(one, problem))]
                    continue
                middle = len(group) // 2
                return {**self._store(conn, group[:middle]), **self._store(conn, group[middle:])}
        raise psycopg.OperationalError("the batch could not be stored in three tries")


def _names_unknown_interface(one: _Ready) -> bool:
    return one.refusal is not None and any(p.code == "interface-unknown" for p in one.refusal.problems)


def _groups(ready: Sequence[_Ready]) -> list[list[tuple[int, _Ready]]]:
    """Rounds in which each event and each record occurs once, sorted by key so that no two intakes lock in a ring.

    A key's events keep their order over the rounds. What must go alone goes last.
    """
    rounds: list[list[tuple[int, _Ready]]] = []
    alone: list[list[tuple[int, _Ready]]] = []
    used: list[set[object]] = []
    for number, one in enumerate(ready):
        if one.arrival.alone:
            alone.append([(number, one)])
            continue
        names: set[object] = set()
        if one.incoming is not None:
            names = {one.incoming.hash, (one.incoming.interface, one.incoming.flow, one.incoming.key)}
        elif one.refusal is not None:
            names = {body_hash(one.refusal.raw)}
        first = next((n for n in range(len(used), 0, -1) if names & used[n - 1]), 0)
        if first == len(rounds):
            rounds.append([])
            used.append(set())
        rounds[first].append((number, one))
        used[first] |= names
    for group in rounds:
        group.sort(key=lambda item: _place(item[1]))
    return [*rounds, *alone]


def _place(one: _Ready) -> tuple[str, str]:
    """Where it stands in its round; refusals, too, keep to one order."""
    if one.incoming is not None:
        return one.incoming.interface, one.incoming.key
    return "", str(body_hash(one.arrival.body))


def _write(conn: Connection, group: list[tuple[int, _Ready]]) -> dict[int, Taken]:
    results: dict[int, Taken] = {}
    good = [(number, one.incoming, one) for number, one in group if one.incoming is not None]
    received = receive(conn, [incoming for _, incoming, _ in good])
    for (number, incoming, one), result in zip(good, received, strict=True):
        if result.reused:
            refusal = _as_refusal(one, Problem("id-reused", "id", {"id": incoming.event_id, "source": incoming.source}))
            assert refusal.refusal is not None
            results[number] = _refuse(conn, refusal.refusal)
            continue
        results[number] = Taken(
            result.outcome,
            incoming.event,
            incoming.interface,
            incoming.source,
            incoming.event_id,
            record_id=result.record_id,
            age=one.age,
            flow=incoming.flow,
            stage=incoming.stage,
            due=result.outcome is Outcome.APPLIED and incoming.after == 0,
        )
    bad = [(number, one.refusal) for number, one in group if one.refusal is not None]
    if bad:
        count_arrivals(conn, [(refusal.event, refusal.interface) for _, refusal in bad])
    for number, refused in bad:
        results[number] = _refuse(conn, refused)
    return results


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


def _as_refusal(one: _Ready, problem: Problem) -> _Ready:
    """Turn an input that looked well into a rejection."""
    if one.incoming is None:
        assert one.refusal is not None
        return replace(one, refusal=replace(one.refusal, problems=(problem,), source=None, event_id=None))
    return replace(
        one,
        incoming=None,
        refusal=Refusal(
            queue=one.arrival.queue,
            origin=one.arrival.origin,
            event=one.incoming.event,
            interface=one.incoming.interface,
            source=one.incoming.source,
            event_id=one.incoming.event_id,
            raw=one.arrival.body,
            content_type=one.arrival.content_type,
            routing_key=one.arrival.routing_key,
            problems=(problem,),
        ),
    )
