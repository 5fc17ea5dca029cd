"""Importers with one bug each: the checker must see every one of them. For tests only.

`python -m tests.faults.planted BUG` patches one thing and runs the importer's own main.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from services.importer import __main__ as importer
from services.importer import erp, poll
from shared.broker.consume_amqp import AmqpConsumer
from shared.broker.consume_pgmq import PgmqConsumer
from shared.broker.delivery import BrokerGone, Delivery
from shared.connectors.contract import RemoteError
from shared.connectors.xentral.client import XentralOrders
from shared.records import change, receive_known, settle
from shared.runtime import intake, prepare, stage
from shared.runtime.decode import Refused, decode

CONSUMERS: tuple[Any, ...] = (AmqpConsumer, PgmqConsumer)


def ack_before_commit() -> None:
    """What was received is acked at once: a crash before the commit loses it."""
    for consumer in CONSUMERS:

        def collect(self: Any, wait: float, limit: int = 250, true: Any = consumer.collect) -> list[Delivery]:
            deliveries: list[Delivery] = true(self, wait, limit)
            self.true_ack(deliveries)
            return deliveries

        consumer.true_ack, consumer.collect, consumer.ack = consumer.ack, collect, lambda *_: None


def watermark_before_confirm() -> None:
    """The poller moves its watermark before its events are confirmed: a crash in between loses the page."""
    true_page = poll.Poll._page

    def page(self: Any, conn: Any, slug: str, found: Any, publisher: Any) -> bool:
        if found:
            conn.execute(
                "INSERT INTO cursors(interface, watermark) VALUES (%s, %s) ON CONFLICT (interface) DO UPDATE"
                " SET watermark = greatest(cursors.watermark, excluded.watermark)",
                (slug, max(one.changed_at for one in found)),
            )
        self._failpoint("poll.moved")
        return true_page(self, conn, slug, found, publisher)

    plant(poll.Poll, "_page", page)


def no_inbox() -> None:
    """Nobody remembers which events were here before."""
    plant(prepare, "event_hash", lambda *_: uuid4())


def post_again_on_timeout() -> None:
    """No answer? Then once more, without looking."""
    true_create = XentralOrders.create_order

    def create(self: Any, draft: Any) -> Any:
        try:
            return true_create(self, draft)
        except RemoteError:
            return true_create(self, draft)

    plant(XentralOrders, "create_order", create)


def requeue_loop() -> None:
    """What cannot be read goes back to its queue, again and again."""
    for consumer in CONSUMERS:

        def collect(self: Any, wait: float, limit: int = 250, true: Any = consumer.collect) -> list[Delivery]:
            deliveries: list[Delivery] = true(self, wait, limit)
            good = [delivery for delivery in deliveries if not _unreadable(delivery.body)]
            if deliveries and not good:
                raise BrokerGone("back to the queue")
            return good

        consumer.collect = collect


def swallow_on_decode() -> None:
    """What cannot be read is dropped, and acked with the rest."""
    true_take_in = intake.Intake.take_in

    def take_in(self: Any, conn: Any, arrivals: Sequence[Any]) -> Any:
        taken = true_take_in(self, conn, [one for one in arrivals if not _unreadable(one.body)])
        return taken + [taken[-1]] * (len(arrivals) - len(taken)) if taken else []

    plant(intake.Intake, "take_in", take_in)


def last_come_wins() -> None:
    """Changes are ordered by when they come, not by when they were made."""
    true_decide = change.decide

    def decide_by_arrival(staged: Any, state: Any, new: Any) -> Any:
        return true_decide(staged, state, change.Standing(staged.changed_at, staged.version + 1, new.data_hash))

    plant(receive_known, "decide", decide_by_arrival)


def settle_without_fence() -> None:
    """Whoever settles, settles: also a worker that lost the record long ago."""
    fenced = "r.id = s.id AND r.claim_no = s.claim_no AND r.state || '' = 'running'"
    for one, whole in settle._SETTLE.items():
        assert fenced in whole
        unfenced = whole.replace(fenced, "r.id = s.id")
        settle._SETTLE[one] = unfenced.replace(
            "called, detail FROM f)", "called, detail FROM f ON CONFLICT DO NOTHING)"
        )


def no_look_at_the_lease() -> None:
    """A worker sends whatever it once held."""
    plant(stage.Held, "check", lambda _: None)


def no_look_up() -> None:
    """What was claimed before is created again, without asking the ERP."""
    plant(erp.OrderCreation, "_absent", lambda _self, staged, _say: (list(staged), []))


BUGS: Mapping[str, Callable[[], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        ack_before_commit, watermark_before_confirm, no_inbox, post_again_on_timeout, requeue_loop, swallow_on_decode,
        last_come_wins, settle_without_fence, no_look_at_the_lease, no_look_up,
    )
}  # fmt: skip


def plant(owner: Any, name: str, bug: Any) -> None:
    """In place of what is there: a bug that nobody calls would never be seen."""
    assert hasattr(owner, name), f"{owner} has no {name} any more: plant the bug where it went"
    setattr(owner, name, bug)


def _unreadable(body: bytes) -> bool:
    return isinstance(decode(body, "order-imported", datetime.now(UTC)), Refused)


if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(importer.main())
