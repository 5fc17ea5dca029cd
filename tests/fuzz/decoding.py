"""Any bytes that arrive become a checked event that can be stored and read again, or a refusal that says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from random import Random

from shared.events.envelope import CONTRACTS, Event
from shared.records.modes import EVERYWHERE
from shared.runtime.decode import MOST_PROBLEMS, Refused, decode
from shared.runtime.prepare import Arrival, prepare
from tests.fuzz.corpus import events, poison
from tests.fuzz.mutate import Path, bent, broken, odd, places, written
from tests.fuzz.target import Target, explained, now_and_then, require, storable

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
QUEUES = (*(kind.removesuffix(".v1") for kind in CONTRACTS), None)
KNOWN = {"otto-de": EVERYWHERE}


@cache
def _places() -> dict[str, list[Path]]:
    return {slug: places(event) for slug, event in events().items()}


def draw(chance: Random) -> bytes:
    """The queue's number, and a body."""
    queue = chance.randrange(len(QUEUES))
    slug = QUEUES[queue] if chance.random() < 0.95 else None
    slug = slug or chance.choice(list(events()))
    kind = chance.random()
    if kind < 0.03:
        body = broken(chance.choice(poison()), chance)
    elif kind < 0.06:
        body = written(odd(chance), chance)
    else:
        body = written(bent(events()[slug], _places()[slug], chance), chance)
        if kind > 0.75:
            body = broken(body, chance)
    return b"%d\n%s" % (queue, body)


def check(given: bytes) -> str:
    """Decode it in the quick way and in the slow one; both say the same, and what they say can be kept."""
    number, _, body = given.partition(b"\n")
    queue = QUEUES[int(number) % len(QUEUES)]
    found = decode(body, queue, NOW)
    costly = now_and_then(given)
    anywhere = decode(body, None, NOW) if costly else found
    if costly:
        _prepared(body, queue)
    if isinstance(found, Refused):
        _refused(found)
        if not isinstance(anywhere, Refused):
            codes = [problem.code for problem in found.problems]
            require(codes == ["wrong-queue"], f"refused as {codes}, and taken elsewhere")
        return f"refused {found.problems[0].code}"
    require(found == anywhere, "the quick way and the slow one differ")
    text = found.model_dump_json()
    storable(json.loads(text), "event")
    again = decode(text.encode(), queue, NOW)
    require(not isinstance(again, Refused), f"what was taken is refused when it comes again: {again}")
    assert isinstance(again, Event)
    require(again == found and again.model_dump_json() == text, "it is another event when it comes again")
    return f"event {found.type}"


def _refused(found: Refused) -> None:
    explained(found.problems, "refused")
    require(len(found.problems) <= MOST_PROBLEMS, "more problems than anybody reads")
    for text in (found.source, found.event_id, found.type, found.interface):
        storable(text, "what could be read")
        require(text is None or 0 < len(text) <= 300, "what could be read is too long")


def _prepared(body: bytes, queue: str | None) -> None:
    """What intake makes of it can be stored, too: a row or a rejection, with the bytes as they came."""
    arrival = Arrival(body, queue or "http", "fuzz", queue)
    ready = prepare(arrival, NOW, KNOWN)
    if ready.refusal is not None:
        require(ready.refusal.raw == body, "a rejection has other bytes than came")
        explained(ready.refusal.problems, "rejection")
        storable(
            [ready.refusal.interface, ready.refusal.event, ready.refusal.source, ready.refusal.event_id], "rejection"
        )
    elif ready.incoming is not None:
        row = ready.incoming
        storable([row.source, row.event_id, row.interface, row.key, row.marketplace_id, row.traceparent], "row")
        require(row.body == body, "a row has other bytes than came")


TARGET = Target("decode", draw, check)
