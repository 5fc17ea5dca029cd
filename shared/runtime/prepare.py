"""From an input as it came to what can be stored: as a record's newest copy, or as a rejection. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.errors.problem import Problem
from shared.events.envelope import Event
from shared.records.hashes import body_hash, event_hash, event_hash_of
from shared.records.modes import EVERYWHERE, Standing
from shared.records.receive import Incoming
from shared.records.receive_known import UNTARGETED
from shared.records.rejections import Refusal
from shared.runtime.decode import Refused, decode
from shared.runtime.flows import FLOWS, Target

UNKNOWN_INTERFACE = UNTARGETED


class Arrival(NamedTuple):
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


class Ready(NamedTuple):
    """An input that is fit to be stored: in a batch or, with refusal set, as a rejection. event: as it was read.

    Neither incoming nor refusal: it names no interface, and `addressed` finds those that it concerns.
    """

    arrival: Arrival
    incoming: Incoming | None
    refusal: Refusal | None
    age: float | None = None
    event: Event[Any] | None = None

    @property
    def listed_key(self) -> str | None:
        """The key whose interfaces are to be found, of an input that names none."""
        if self.incoming is not None or self.refusal is not None or self.event is None:
            return None
        return FLOWS[self.event.type](self.event).key


def prepare(arrival: Arrival, now: datetime, known: Mapping[str, Standing]) -> Ready:
    """Check one input against its contract and against what is there. known: every interface."""
    decoded = decode(arrival.body, arrival.event, now)
    if isinstance(decoded, Refused):
        return Ready(arrival, None, _refusal(arrival, decoded, known))
    problems = [*arrival.extra, *_circumstances(arrival, decoded, known)]
    if problems:
        refused = Refused(
            tuple(problems), decoded.source, decoded.id, decoded.type, getattr(decoded.data, "interface", None)
        )
        return Ready(arrival, None, _refusal(arrival, refused, known))
    age = (now - decoded.time).total_seconds()
    target = FLOWS[decoded.type](decoded)
    if target.interface is None:
        return Ready(arrival, None, None, age, decoded)
    name = event_hash(decoded.source, decoded.id)
    incoming = _incoming(arrival, decoded, target, name, target.interface, known[target.interface])
    return Ready(arrival, incoming, None, age, decoded)


def addressed(one: Ready, interfaces: Sequence[str], known: Mapping[str, Standing]) -> list[Ready]:
    """An input that names no interface, once for each that it concerns; for none it is kept without a target.

    Each has a name of its own, so that it is known again for that interface, whoever lists the key by then.
    """
    event = one.event
    assert event is not None
    target = FLOWS[event.type](event)
    if not interfaces:
        name = event_hash(event.source, event.id)
        return [one._replace(incoming=_incoming(one.arrival, event, target, name, UNTARGETED, EVERYWHERE))]
    return [
        one._replace(
            incoming=_incoming(
                one.arrival, event, target, event_hash_of(event.source, event.id, slug), slug, known[slug]
            )
        )
        for slug in sorted(set(interfaces) & set(known))
    ]


def _incoming(
    arrival: Arrival, decoded: Event[Any], target: Target, name: UUID, interface: str, standing: Standing
) -> Incoming:
    canonical = decoded.data.__pydantic_serializer__.to_json(decoded.data, exclude_none=True)
    return Incoming(
        hash=name,
        source=decoded.source,
        event_id=decoded.id,
        event=decoded.type.rpartition(".")[0],
        interface=interface,
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
        reason=Jsonb([Problem(target.code).as_json()]) if target.code else None,
        forced=arrival.forced and standing.by_hand(target.flow),
        test=standing.mode(target.flow) == "test",
    )


def _circumstances(arrival: Arrival, event: Event[Any], known: Mapping[str, Standing]) -> list[Problem]:
    """What the contract cannot know: who is there, and what the routing key says."""
    problems: list[Problem] = []
    interface = getattr(event.data, "interface", None)
    if event.type not in FLOWS:
        problems.append(Problem("no-consumer", "type", {"type": event.type}))
    if interface is not None and interface not in known:
        problems.append(Problem("interface-unknown", "data.interface", {"interface": interface}))
    key = arrival.routing_key
    if key and key != arrival.event and interface is not None and key != f"{event.type}.{interface}":
        problems.append(
            Problem("interface-contradiction", "data.interface", {"routing_key": key, "interface": interface})
        )
    return problems


def _refusal(arrival: Arrival, refused: Refused, known: Mapping[str, Standing]) -> Refusal:
    slug = (refused.type or "").rpartition(".")[0]
    there = refused.interface in known
    problems = (*(p for p in arrival.extra if p not in refused.problems), *refused.problems)
    return Refusal(
        queue=arrival.queue,
        origin=arrival.origin,
        event=arrival.event or (slug if f"{slug}.v1" in FLOWS else "unknown"),
        interface=refused.interface if there and refused.interface else UNKNOWN_INTERFACE,
        source=refused.source,
        event_id=refused.event_id,
        raw=arrival.body,
        content_type=arrival.content_type,
        routing_key=arrival.routing_key,
        problems=problems,
    )


def at_once(incoming: Incoming, stage: str) -> str | None:
    """The interface of a record that a worker of the stage may have as soon as it is stored."""
    waits = incoming.stage != stage or incoming.after or incoming.forced or incoming.test
    return None if waits else incoming.interface


def names_unknown_interface(one: Ready) -> bool:
    """Whether it was refused for an interface that may have been added a moment ago."""
    return one.refusal is not None and any(p.code == "interface-unknown" for p in one.refusal.problems)


def as_refusal(one: Ready, problem: Problem) -> Ready:
    """Turn an input that looked well into a rejection."""
    if one.incoming is None:
        assert one.refusal is not None
        return one._replace(refusal=replace(one.refusal, problems=(problem,), source=None, event_id=None))
    return one._replace(
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
