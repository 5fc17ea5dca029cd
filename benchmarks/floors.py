"""`floors`: what this machine can do with a bare loop in one process, so that a figure has something below it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import amqp

from benchmarks import cpu
from benchmarks.driver import Plan, Run
from benchmarks.orders import orders
from benchmarks.servers import Place, Servers
from shared.broker.address import parse
from shared.db.connect import connect
from shared.events.envelope import CONTRACTS

BATCH = 250
QUEUE = "bench.floor"
Bodies = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Floor:
    """first gets ready and is not measured; both get the place and the events."""

    name: str
    what: str
    loop: Callable[[Place, Bodies], None]
    first: Callable[[Place, Bodies], None] = lambda _place, _bodies: None
    peer: bool = False


def floor(servers: Servers, one: Floor, plan: Plan) -> Run:
    """How often a second the loop went round."""
    bodies = [body for _, body in orders(plan.orders)]
    with servers.place("rabbitmq") as place:
        one.first(place, bodies)
        groups = servers.pids("rabbitmq")
        before = cpu.sample(groups)
        one.loop(place, bodies)
        after = cpu.sample(groups)
    used, own = cpu.between(before, after), after.own - before.own
    each = {name: 1000 * s / plan.orders for name, s in {"processes": own, **used.groups}.items()}
    figures = {name: round(figure, 3) for name, figure in {**each, "total": sum(each.values())}.items()}
    return Run(plan.orders / used.seconds, used.foreign_cores, figures, [], {"orders": float(plan.orders)})


def _channel(place: Place) -> tuple[amqp.Connection, Any]:
    where = parse(place.broker)
    link = amqp.Connection(
        f"{where.host}:{where.port}", userid=where.user, password=where.password, virtual_host=where.path
    )
    link.connect()
    channel = link.channel()
    channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    return link, channel


def _publish(place: Place, bodies: Bodies) -> None:
    """Persistent, every confirm waited for, but not one by one."""
    link, channel = _channel(place)
    confirmed = 0

    def count(tag: int, multiple: bool) -> None:
        nonlocal confirmed
        confirmed = max(confirmed, tag) if multiple else confirmed + 1

    channel.confirm_select()
    channel.events["basic_ack"].add(count)
    for body in bodies:
        channel.basic_publish(amqp.Message(body, delivery_mode=2), "", QUEUE)
    end = time.monotonic() + 30
    while confirmed < len(bodies) and time.monotonic() < end:
        try:
            link.drain_events(timeout=0.2)
        except TimeoutError:
            break
    link.close()


def _consume(place: Place, bodies: Bodies) -> None:
    """Batches are acked at once."""
    link, channel = _channel(place)
    taken = 0

    def take(message: amqp.Message) -> None:
        nonlocal taken
        taken += 1
        if taken % BATCH == 0 or taken == len(bodies):
            channel.basic_ack(message.delivery_tag, multiple=True)

    channel.basic_qos(0, 2 * BATCH, False)
    channel.basic_consume(QUEUE, callback=take)
    while taken < len(bodies):
        link.drain_events(timeout=30)
    link.close()


def _validate(_place: Place, bodies: Bodies) -> None:
    check = CONTRACTS["order-imported.v1"].model_validate_json
    for body in bodies:
        check(body)


def _rows(place: Place, bodies: Bodies) -> None:
    """One table, one statement and one flush per batch."""
    with connect(place.database, "bench-floor") as conn, conn.cursor(binary=True) as cursor:
        for start in range(0, len(bodies), BATCH):
            batch = bodies[start : start + BATCH]
            cursor.execute(
                "INSERT INTO payloads(record_id, no, body, traceparent)"
                " SELECT r, 1, b, t FROM unnest(%b::int8[], %b::bytea[], %b::text[]) AS x(r, b, t)",
                [list(range(start, start + len(batch))), list(batch), [str(uuid4()) for _ in batch]],
            )


FLOORS = (
    Floor("publish", "publish persistently to a quorum queue, confirms pipelined", _publish),
    Floor("consume", f"consume from a quorum queue, {BATCH} acked at a time", _consume, first=_publish),
    Floor("validate", "pydantic: bytes to event", _validate),
    Floor("rows", f"one row of 1.5 kB each, {BATCH} a transaction", _rows),
)
