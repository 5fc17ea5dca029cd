"""Wires the exporter: `python -m services.exporter`. What runs is in the modules that are put together here.

order-changed ─▶ collect ─▶ records ─▶ work (stage marketplace) ─▶ marketplace
ERP ─▶ webhook ─▶ hints ─▶ order-changed; behind it the poll of the ERP
                 receipts: orders to export that a person asked for by number, read from the ERP now
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from services.exporter.asked import changes_by_number
from services.exporter.preview import changes_to_tell
from services.exporter.stage import MarketplaceStage
from shared.broker.apply import check
from shared.broker.open import open_consumer, open_publisher
from shared.connectors.contract import StatusSource
from shared.connectors.open import open_status_source
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.records.interfaces import Interface, read
from shared.runtime.bell import Bell
from shared.runtime.collect import Collect, Ports
from shared.runtime.erp_poll import ErpPoll
from shared.runtime.handover import Handover
from shared.runtime.hinted import Hinted
from shared.runtime.hinted_orders import ORDER_KINDS, HintedOrders
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

SERVICE = "exporter"
EVENT = "order-changed"
QUEUES = (EVENT, f"{EVENT}.dead", "connect.unrouted")
Beat = Callable[[], None]


def run(settings: Settings) -> int:
    """Run until a signal; returns the exit code. Raises SettingsError."""
    database, broker = settings.database(), settings.broker()
    seal = Seal(settings.secret())
    metrics = Metrics(SERVICE, VERSION)
    life = Lifecycle(SERVICE, metrics, settings.port_of(SERVICE), settings.metrics_host)
    failpoint = Failpoints(settings.fault)
    pool = open_pool(database, "connect-exporter-calls", 8)
    timing = Timing(settings.lease_seconds, settings.call_seconds, settings.patience)
    remotes = Remotes(discover(), pool, metrics, timing.call, settings.networks(), seal)
    bell = Bell()
    publisher = open_publisher(broker, name="connect-exporter-wake")

    def link(name: str) -> Callable[[], Connection]:
        return partial(connect, database, f"connect-exporter-{name}", plan_once=name in ("intake", "work"))

    def interface(conn: Connection, slug: str) -> Interface | None:
        return read(conn, seal, slug)

    def status_source(of: Interface) -> tuple[StatusSource, Callable[[], None]]:
        return remotes.open(of, "erp", open_status_source)

    stage = MarketplaceStage(remotes, pool, failpoint)
    handover = Handover(stage.name, bell.ring, intends=stage.intends)

    def intake(beat: Beat) -> None:
        consume = partial(open_consumer, broker, QUEUES, name="connect-exporter-intake")
        ports = Ports(link("intake"), consume, publisher, metrics, failpoint, beat, life.stopping, life.pause)
        Collect(EVENT, ports, handover).run()

    def work(beat: Beat) -> None:
        wiring = Wiring(link("work"), interface, failpoint, beat, life.fatal, life.stopping, timing)
        Work(stage, bell, metrics, wiring, handover).run()

    def wakeups(beat: Beat) -> None:
        consume = partial(open_consumer, broker, (f"connect.wake.{stage.name}",), name="connect-exporter-work")
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

    def receipts(beat: Beat) -> None:
        Receipts(
            "export",
            changes_by_number(status_source),
            connect=link("receipts"),
            read=interface,
            bell=bell,
            failpoint=failpoint,
            insist=lambda _conn, _record_id: None,  # to run again is all: the handler looks what is there already
            preview=changes_to_tell(status_source, remotes, pool),
        ).run(beat, life.stopping, life.pause)

    def look_of(of: Interface) -> tuple[HintedOrders, Callable[[], None]]:
        source, close = status_source(of)
        return HintedOrders(source), close

    def hints(beat: Beat) -> None:
        Hinted(
            ORDER_KINDS,
            look_of,
            connect=link("hints"),
            read=interface,
            open_publisher=partial(open_publisher, broker, name="connect-exporter-hints"),
            failpoint=failpoint,
            fatal=life.fatal,
        ).run(beat, life.stopping, life.pause)

    def erp_poll(beat: Beat) -> None:
        ErpPoll(
            connect=link("poll"),
            read=interface,
            open_source=remotes.changes,
            open_publisher=partial(open_publisher, broker, name="connect-exporter-poll"),
            polled=lambda slug, _: metrics.polls.labels("order-export", slug).inc(),
            failpoint=failpoint,
            fatal=life.fatal,
        ).run(beat, life.stopping, life.pause)

    def database_answers() -> str | None:
        with pool.connection(timeout=2) as conn:
            conn.execute("SELECT 1")
        return None

    def broker_answers() -> str | None:
        return "; ".join(check(broker)) or None

    for loop in (intake, work, wakeups, probe, receipts, hints, erp_poll):
        life.loop(loop.__name__, loop)
    life.check("database", database_answers)
    life.check("broker", broker_answers)
    life.begin_once(Schema(database).there)
    try:
        return life.run()
    finally:
        publisher.close()
        pool.close(timeout=2)


def main() -> int:
    """Entry point of `connect serve exporter`."""
    return serve(SERVICE, run)


if __name__ == "__main__":
    sys.exit(main())
