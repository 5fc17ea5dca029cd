"""The intake loop: collect, decode, store, ack, report.

Ack only after the commit. While Postgres is away the consumer is cancelled, so that the broker keeps the messages
without a loop of redeliveries; while the broker is away we come back every two seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from shared.broker.delivery import BrokerGone, Consumer, Delivery, Publisher
from shared.db.connect import GONE, Connection
from shared.errors.problem import Problem
from shared.metrics import Metrics
from shared.records.change import Outcome
from shared.records.parts import stages_shown
from shared.records.states import State
from shared.runtime.handover import Handover
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival

RETURN_SECONDS = 2.0
UNROUTED = "connect.unrouted"
DEAD = ".dead"


@dataclass(frozen=True, slots=True)
class Ports:
    """What the loop talks to, opened by whoever wires it."""

    connect: Callable[[], Connection]
    open_consumer: Callable[[], Consumer]
    publisher: Publisher
    metrics: Metrics
    failpoint: Callable[[str], None]
    beat: Callable[[], None]
    stopping: Callable[[], bool]
    pause: Callable[[float], None]


def arrival(delivery: Delivery, event: str) -> Arrival:
    """A delivery as input. What lies in a dead or unrouted queue goes alone and keeps its origin."""
    dead, unrouted = delivery.queue.endswith(DEAD), delivery.queue == UNROUTED
    limit = "delivery_limit" in delivery.origin
    extra: tuple[Problem, ...] = ()
    if unrouted:
        extra = (Problem("no-consumer", "", {"type": delivery.routing_key}),)
    return Arrival(
        body=delivery.body,
        queue=delivery.queue,
        origin=delivery.origin,
        event=None if unrouted else event,
        routing_key=None if dead or unrouted else delivery.routing_key,
        content_type=delivery.content_type,
        alone=dead or unrouted or limit,
        extra=extra,
    )


class Collect:
    """The loop for one event's queue and what lies behind it."""

    def __init__(self, event: str, ports: Ports, handover: Handover | None = None) -> None:
        """handover: to the work loop of this process, if it has one."""
        self._event = event
        self._handover = handover
        self._p = ports
        self._log = structlog.get_logger().bind(queue=event)

    def run(self) -> None:
        """Until stopping."""
        while not self._p.stopping():
            self._p.beat()
            try:
                with self._p.connect() as conn:
                    self._consume(conn)
            except GONE as error:
                self._log.warning("intake.database-gone", error=error)
                self._p.pause(0.5)
            except BrokerGone as error:
                self._log.warning("intake.broker-gone", error=error)
                self._p.pause(RETURN_SECONDS)

    def _consume(self, conn: Connection) -> None:
        intake = Intake(self._p.failpoint, self._handover)
        consumer = self._p.open_consumer()
        self._log.info("intake.consuming")
        try:
            while not self._p.stopping():
                self._p.beat()
                deliveries = consumer.collect(1.0)
                if not deliveries:
                    continue
                self._p.failpoint("intake.received")
                taken = intake.take_in(conn, [arrival(delivery, self._event) for delivery in deliveries])
                self._p.failpoint("intake.committed")
                consumer.ack(deliveries)
                self._p.failpoint("intake.acked")
                self._wake(taken)
                self._report(deliveries, taken)
        finally:
            consumer.close()

    def _wake(self, taken: Sequence[Taken]) -> None:
        wanted = {(o.stage, o.interface) for one in taken for o in one.all if o.due and o.stage is not None}
        for stage in sorted({stage for stage, _ in wanted}):
            self._p.publisher.wake(stage, sorted(interface for s, interface in wanted if s == stage))

    def _report(self, deliveries: Sequence[Delivery], taken: Sequence[Taken]) -> None:
        m = self._p.metrics
        every = [one for together in taken for one in together.all]
        for (event, outcome), count in Counter((one.event, str(one.outcome)) for one in every).items():
            m.consumed.labels(event, outcome).inc(count)
        taken_in = [one for one in every if one.outcome is Outcome.APPLIED]
        applied = Counter((one.flow, one.interface, one.stage) for one in taken_in if not one.test)
        for (flow, interface, stage), count in applied.items():
            for shown in stages_shown(stage or ""):
                m.transitions.labels(flow, interface, shown, str(State.PENDING)).inc(count)
        age = m.event_age.labels(self._event)
        for one in taken:
            if one.age is not None:
                age.observe(max(0.0, one.age))
        if taken_in and len(taken_in) == len(taken):
            return
        for delivery, one in zip(deliveries, taken, strict=True):
            if one.outcome is Outcome.REJECTED:
                m.rejections.labels(delivery.queue).inc()
                self._log.warning(
                    "event.rejected", origin=delivery.origin, rejection=one.rejection_id, interface=one.interface,
                    codes=[problem.code for problem in one.problems],
                )  # fmt: skip
