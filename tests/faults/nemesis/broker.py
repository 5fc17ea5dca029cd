"""What may happen to the broker while events flow: each function breaks it, mends it, and measures.

One importer runs through all of it and is never started again by hand.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

import pika
import psycopg

from services.cli.local.rabbitmq import RabbitMQ
from shared.broker.apply import apply
from shared.db.connect import connect
from shared.errors.problem import Problem
from shared.records.hashes import body_hash
from shared.runtime.intake import Intake
from tests.faults.ground import through
from tests.faults.scene import STALLED, Scene
from tests.support.waiting import until

NOTICE_SECONDS = 30.0
"""A client must have noticed a frozen broker by then; it must be consuming again so soon after the thaw."""

TIMES = 2


def broker(scene: Scene) -> None:
    """The fault of the case."""
    FAULTS[scene.case.fault](scene)
    scene.driver.publish(scene.rest())


def restart(scene: Scene) -> None:
    """Closed down in order and started again."""
    _away(scene, scene.ground.rabbit.stop)


def kill(scene: Scene) -> None:
    """kill -9, and started again."""
    _away(scene, scene.ground.rabbit.kill)


def _away(scene: Scene, stop: Callable[[], None]) -> None:
    rabbit = scene.ground.rabbit
    scene.until_started(scene.start())
    times = TIMES * scene.rounds
    for _ in range(times):
        flow = scene.driver.flow(scene.take(60 / times))
        half = scene.driver.published + scene.size * 30 // times // 100
        until(lambda: scene.driver.published >= half or not flow.running, "events flow", 30)  # noqa: B023
        struck = time.monotonic()
        stop()
        scene.fault(f"broker/{scene.case.fault}")
        once = scene.take(4 / times)  # told to go once while nobody listens: they may be lost, and may not be doubled
        scene.driver.publish(once, once=True, deadline=1.0)
        rabbit.start()
        scene.recovered(f"broker/{scene.case.fault}, server back", time.monotonic() - struck)
        share = scene.take(20 / times)
        scene.driver.publish(share)
        scene.flows(f"broker/{scene.case.fault}", struck, share)
        flow.join()


def freeze(scene: Scene) -> None:
    """The only node stands still: nothing can flow, but every client must notice, and come back after the thaw."""
    name = scene.start()
    scene.until_started(name)
    scene.driver.publish(scene.take(40))
    before = scene.says(name, "intake.broker-gone")
    frozen = scene.ground.frozen(scene.ground.rabbit)
    froze = time.monotonic()
    try:
        scene.fault("broker/freeze")
        scene.driver.publish(scene.take(2), once=True, deadline=2.0)
        until(lambda: scene.says(name, "intake.broker-gone") > before, "the importer notices", NOTICE_SECONDS)
        scene.recovered("broker/freeze, noticed", time.monotonic() - froze)
    finally:
        frozen.thaw()
    thawed = time.monotonic()
    share = scene.take(30)
    scene.driver.publish(share)
    scene.flows("broker/freeze, after the thaw", thawed, share, seconds=NOTICE_SECONDS)


def cut(scene: Scene) -> None:
    """Connections through a gate stand still, the broker is well: consuming again over a new one, without a thaw."""
    rabbit = scene.case.broker == "rabbitmq"
    server = scene.ground.rabbit if rabbit else scene.ground.postgres
    gate = scene.ground.gate(server)
    try:
        scene.until_started(scene.start(amqp_url=through(scene.system.broker_url, gate.port)))
        scene.driver.publish(scene.take(40))
        cut_at = time.monotonic()
        gate.freeze()
        scene.fault("broker/cut")
        share = scene.take(40)
        scene.driver.publish(share)
        scene.flows("broker/cut", cut_at, share, seconds=NOTICE_SECONDS)
        scene.driver.publish(scene.rest())
        scene.quiesce()
        for name in list(scene.system.processes):
            scene.end(name)
    finally:
        gate.close()


def disk_alarm(scene: Scene) -> None:
    """No room on the disk: publishers are blocked; what is there is consumed; then there is room again."""
    control = scene.ground.rabbit.control
    scene.until_started(scene.start())
    times = TIMES * scene.rounds
    for _ in range(times):
        scene.driver.publish(scene.take(40 / times))
        control.evaluate("rabbit_disk_monitor:set_disk_free_limit(1000000000000000).")
        alarmed = time.monotonic()
        try:
            scene.fault("broker/disk-alarm")
            until(lambda: "disk" in control.evaluate("rabbit_alarm:get_alarms()."), "the alarm is raised", 30)
            scene.driver.publish(scene.take(4 / times), once=True, deadline=2.0)
        finally:
            control.evaluate("rabbit_disk_monitor:set_disk_free_limit(50000000).")
        share = scene.take(40 / times)
        scene.driver.publish(share)
        scene.flows("broker/disk-alarm", alarmed, share)


def consumer_timeout(scene: Scene) -> None:
    """An importer holds its deliveries longer than the broker allows: it loses its channel, and others get them."""
    control = scene.ground.rabbit.control
    _limits(scene.ground.rabbit, "5000", "1000")
    try:
        # Frozen for more than a minute, it ends itself when it wakes, for its supervisor to start it again.
        victim = scene.start("intake.stored:stop@1", (0, STALLED))
        share = scene.take(40)
        scene.driver.publish(share)
        froze = scene.until_stopped(victim)
        scene.until_started(scene.start())
        scene.driver.publish(scene.take(30))
        name = scene.system.broker_url.rpartition("/")[2]
        held = f'length(rabbit_amqqueue:consumers(element(2, rabbit_amqqueue:lookup(rabbit_misc:r(<<"{name}">>, queue, <<"order-imported">>))))).'  # noqa: E501
        until(lambda: control.evaluate(held).strip() == "{ok, 1}", "the broker ends the consumer", 60)
        scene.fault("broker/consumer-timeout")
        scene.recovered("broker/consumer-timeout, ended", time.monotonic() - froze)
        scene.process(victim).send_signal(signal.SIGCONT)
        woken = time.monotonic()
        later = scene.take(20)
        scene.driver.publish(later)
        scene.flows("broker/consumer-timeout", woken, later)
    finally:
        _limits(scene.ground.rabbit, "1800000", "60000")


def _limits(rabbit: RabbitMQ, timeout: str, tick: str) -> None:
    rabbit.control.evaluate(
        f"application:set_env(rabbit, consumer_timeout, {timeout}),"
        f" application:set_env(rabbit, channel_tick_interval, {tick})."
    )


def queue_deleted(scene: Scene) -> None:
    """Somebody deletes the queue; what is published meanwhile becomes a rejection, which is submitted again."""
    name = scene.start()
    scene.until_started(name)
    scene.driver.publish(scene.take(40))
    scene.quiesce()
    _delete_queue(scene)
    deleted = time.monotonic()
    scene.fault("broker/queue-deleted")
    once = scene.take(10)
    scene.driver.publish(once, once=True, deadline=2.0)
    until(lambda: scene.says(name, "intake.broker-gone"), "the importer notices", NOTICE_SECONDS)
    apply(scene.system.broker_url)
    share = scene.take(30)
    scene.driver.publish(share)
    scene.flows("broker/queue-deleted", deleted, share)
    bodies = {body_hash(event.body) for event in once}
    sent = [digest for digest, sent in scene.driver.ledger.items() if digest in bodies and sent.confirmed]

    def read() -> bool:
        refused = "SELECT count(DISTINCT body_hash) FROM rejections WHERE body_hash = ANY(%s) AND id > %s"
        return scene.system.query(refused, sent, scene.since.rejection) >= [(len(sent),)]

    if scene.case.broker == "rabbitmq":
        until(read, "what was published meanwhile is read", 60)
    _resubmit(scene)


def _delete_queue(scene: Scene) -> None:
    if scene.case.broker == "pgmq":
        with psycopg.connect(scene.system.database_url, autocommit=True) as conn:
            conn.execute("SELECT pgmq.drop_queue('order_imported')")
        return
    connection = pika.BlockingConnection(pika.URLParameters(scene.system.broker_url))
    connection.channel().queue_delete("order-imported")
    connection.close()


def _resubmit(scene: Scene) -> None:
    """What a person does in the Journal: everything that nobody read is submitted again."""
    unread = scene.system.query(
        "SELECT id FROM rejections WHERE state = 'open' AND id > %s AND problems @> %s::jsonb",
        scene.since.rejection, f'[{{"code": "{Problem("no-consumer").code}"}}]',
    )  # fmt: skip
    with connect(scene.system.database_url, "faults-resubmit") as conn:
        for (number,) in unread:
            queue = conn.execute("SELECT queue FROM rejections WHERE id = %s", (number,)).fetchone()
            if queue == ("connect.unrouted",):
                Intake(lambda _: None).resubmit(conn, number, None, "faults")


FAULTS: Mapping[str, Callable[[Scene], None]] = {
    "restart": restart, "kill": kill, "freeze": freeze, "cut": cut, "disk-alarm": disk_alarm,
    "consumer-timeout": consumer_timeout, "queue-deleted": queue_deleted,
}  # fmt: skip
