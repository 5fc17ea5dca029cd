"""Wires the importer: `python -m services.importer`. What runs is in the modules that are put together here.

order-imported ─▶ collect ─▶ records ─▶ work (stage erp) ─▶ ERP
marketplace ─▶ poll ─▶ order-imported        fetch: orders asked for by number        rehearsal: before going live
probe order ─▶ connect.probe ─▶ dry run ─▶ its row
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from services.importer.fetch import orders_by_number, restage
from services.importer.poll import Poll
from services.importer.preview import orders_to_create
from services.importer.probe_order import ProbeOrders
from services.importer.rehearse import Rehearsals
from services.importer.stage import ErpStage
from services.importer.upkeep import Upkeep
from shared.broker.apply import check
from shared.broker.open import open_consumer, open_publisher
from shared.broker.topology import PROBE
from shared.connectors.contract import SourceOrder
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.records.claim import Claim
from shared.records.interfaces import Interface, read
from shared.runtime.bell import Bell
from shared.runtime.collect import Collect, Ports
from shared.runtime.handover import Handover
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.probe import Probe
from shared.runtime.receipts import Receipts
from shared.runtime.remotes import Remotes
from shared.runtime.schema import Schema
from shared.runtime.serve import serve
from shared.runtime.timing import Timing
from shared.runtime.wakeups import listen
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from shared.settings import Settings
from shared.version import VERSION

SERVICE = "importer"
EVENT = "order-imported"
QUEUES = (EVENT, f"{EVENT}.dead", "connect.unrouted")
Beat = Callable[[], None]


def run(settings: Settings) -> int:
    """Run until a signal; returns the exit code. Raises SettingsError."""
    database, broker = settings.database(), settings.broker()
    seal = Seal(settings.secret())
    metrics = Metrics(SERVICE, VERSION)
    life = Lifecycle(SERVICE, metrics, settings.port_of(SERVICE), settings.metrics_host)
    failpoint = Failpoints(settings.fault)
    pool = open_pool(database, "connect-importer-calls", 8)
    timing = Timing(settings.lease_seconds, settings.call_seconds, settings.patience)
    remotes = Remotes(discover(), pool, metrics, timing.call, settings.networks(), seal)
    bell = Bell()
    publisher = open_publisher(broker, name="connect-importer-wake")
    probe_publisher = open_publisher(broker, name="connect-importer-probe")

    def link(name: str) -> Callable[[], Connection]:
        return partial(connect, database, f"connect-importer-{name}", plan_once=name in ("intake", "work"))

    def interface(conn: Connection, slug: str) -> Interface | None:
        return read(conn, seal, slug)

    def staged_anew(held: Claim, found: SourceOrder) -> bool:
        with pool.connection() as conn:
            return restage(conn, held, found, failpoint)

    stage = ErpStage(remotes, failpoint, staged_anew)
    handover = Handover(stage.name, bell.ring, intends=stage.intends)

    def intake(beat: Beat) -> None:
        consume = partial(open_consumer, broker, QUEUES, name="connect-importer-intake")
        ports = Ports(link("intake"), consume, publisher, metrics, failpoint, beat, life.stopping, life.pause)
        Collect(EVENT, ports, handover).run()

    def work(beat: Beat) -> None:
        wiring = Wiring(link("work"), interface, failpoint, beat, life.fatal, life.stopping, timing)
        Work(stage, bell, metrics, wiring, handover).run()

    def wakeups(beat: Beat) -> None:
        consume = partial(open_consumer, broker, (f"connect.wake.{stage.name}",), name="connect-importer-work")
        listen(consume, bell, beat=beat, stopping=life.stopping, pause=life.pause)

    def probe(beat: Beat) -> None:
        Probe(
            stage,
            connect=link("probe"),
            read=interface,
            beat=beat,
            stopping=life.stopping,
            pause=life.pause,
            timing=timing,
        ).run()

    def poll(beat: Beat) -> None:
        Poll(
            connect=link("poll"),
            read=interface,
            open_source=remotes.marketplace,
            open_publisher=partial(open_publisher, broker, name="connect-importer-poll"),
            polled=lambda slug, _: metrics.polls.labels("order-import", slug).inc(),
            failpoint=failpoint,
            fatal=life.fatal,
        ).run(beat, life.stopping, life.pause)

    def fetch(beat: Beat) -> None:
        look = orders_by_number(remotes.marketplace)
        preview = orders_to_create(remotes)
        loop = Receipts(
            "import", look, connect=link("fetch"), read=interface, bell=bell, failpoint=failpoint, preview=preview
        )
        loop.run(beat, life.stopping, life.pause)

    def rehearsal(beat: Beat) -> None:
        loop = Rehearsals(remotes, connect=link("rehearsal"), read=interface, fatal=life.fatal)
        loop.run(beat, life.stopping, life.pause)

    def probe_orders(beat: Beat) -> None:
        ProbeOrders(
            remotes,
            timedelta(minutes=settings.probe_minutes),
            connect=link("probe-orders"),
            read=interface,
            consume=partial(open_consumer, broker, (PROBE,), name="connect-importer-probe"),
            publisher=probe_publisher,
        ).run(beat, life.stopping, life.pause)

    def upkeep(beat: Beat) -> None:
        Upkeep(link("upkeep")).run(beat, life.stopping, life.pause)

    def database_answers() -> str | None:
        with pool.connection(timeout=2) as conn:
            conn.execute("SELECT 1")
        return None

    def broker_answers() -> str | None:
        return "; ".join(check(broker)) or None

    for loop in (intake, work, wakeups, probe, poll, fetch, rehearsal, upkeep):
        life.loop(loop.__name__, loop)
    if settings.probe_minutes:
        life.loop("probe_orders", probe_orders, stall_seconds=180.0)
    life.check("database", database_answers)
    life.check("broker", broker_answers)
    life.begin_once(Schema(database).there)
    life.begin_once(Upkeep(link("upkeep")).first)  # before anything is stored: the months must be there
    try:
        return life.run()
    finally:
        publisher.close()
        probe_publisher.close()
        pool.close(timeout=2)


def main() -> int:
    """Entry point of `connect serve importer`."""
    return serve(SERVICE, run)


if __name__ == "__main__":
    sys.exit(main())
