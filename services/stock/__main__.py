"""Wires the stock service: `python -m services.stock`. What runs is in the modules that are put together here.

stock-changed ─▶ collect ─▶ records ─▶ work (stage stock) ─▶ marketplace ─▶ confirm
ERP ─▶ hints and a slow round ─▶ stock-changed
ERP ─▶ listing, once a night        drift: compare with the marketplace        sync: articles asked for by SKU
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from services.stock import confirm as confirming
from services.stock import errands as running
from services.stock.look import Look
from services.stock.preview import quantities_to_send
from services.stock.stage import StockStage
from services.stock.wake import WakesHere
from shared.broker.apply import check
from shared.broker.open import open_consumer, open_publisher
from shared.connectors.contract import StockSink, StockSource
from shared.connectors.open import open_stock_sink, open_stock_source
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.records.articles import insist
from shared.records.interfaces import Interface, read
from shared.runtime.bell import Bell
from shared.runtime.collect import Collect, Ports
from shared.runtime.hinted import Hinted
from shared.runtime.hinted_stock import STOCK_KINDS, HintedStock
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.probe import Probe
from shared.runtime.receipts import Receipts
from shared.runtime.remotes import Close, Remotes
from shared.runtime.schema import Schema
from shared.runtime.serve import serve
from shared.runtime.stock_round import StockRound
from shared.runtime.timing import Timing
from shared.runtime.wakeups import listen
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from shared.settings import Settings
from shared.version import VERSION

SERVICE = "stock"
EVENT = "stock-changed"
QUEUES = (EVENT, f"{EVENT}.dead", "connect.unrouted")
Beat = Callable[[], None]


def run(settings: Settings) -> int:
    """Run until a signal; returns the exit code. Raises SettingsError."""
    database, broker = settings.database(), settings.broker()
    seal = Seal(settings.secret())
    metrics = Metrics(SERVICE, VERSION)
    life = Lifecycle(SERVICE, metrics, settings.port_of(SERVICE), settings.metrics_host)
    failpoint = Failpoints(settings.fault)
    pool = open_pool(database, "connect-stock-calls", 8)
    timing = Timing(settings.lease_seconds, settings.call_seconds, settings.patience)
    remotes = Remotes(discover(), pool, metrics, timing.call, settings.networks(), seal)
    bell = Bell()
    publisher = open_publisher(broker, name="connect-stock-wake")

    def link(name: str) -> Callable[[], Connection]:
        return partial(connect, database, f"connect-stock-{name}", plan_once=name in ("intake", "work"))

    def interface(conn: Connection, slug: str) -> Interface | None:
        return read(conn, seal, slug)

    def sink(of: Interface) -> tuple[StockSink, Close]:
        return remotes.open(of, "marketplace", open_stock_sink)

    def source(of: Interface) -> tuple[StockSource, Close]:
        return remotes.open(of, "erp", open_stock_source)

    def lag(of: Interface) -> float:
        return remotes.connector(of, "marketplace").lookup_lag

    stage = StockStage(remotes, pool.connection, failpoint, bell.ring)

    def intake(beat: Beat) -> None:
        consume = partial(open_consumer, broker, QUEUES, name="connect-stock-intake")
        wakes = WakesHere(publisher, stage.name, bell)
        ports = Ports(link("intake"), consume, wakes, metrics, failpoint, beat, life.stopping, life.pause)
        Collect(EVENT, ports).run()

    def work(beat: Beat) -> None:
        wiring = Wiring(link("work"), interface, failpoint, beat, life.fatal, life.stopping, timing)
        Work(stage, bell, metrics, wiring).run()

    def wakeups(beat: Beat) -> None:
        consume = partial(open_consumer, broker, (f"connect.wake.{stage.name}",), name="connect-stock-work")
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

    def sync(beat: Beat) -> None:
        Receipts(
            "sync",
            Look(source),
            connect=link("sync"),
            read=interface,
            bell=bell,
            failpoint=failpoint,
            insist=insist,
            preview=quantities_to_send(source, sink, lambda of: remotes.title(of, "marketplace")),
        ).run(beat, life.stopping, life.pause)

    def confirm(beat: Beat) -> None:
        places = confirming.Places(link("confirm"), interface, sink, lag, bell.ring, failpoint, life.fatal)
        confirming.Confirm(places).run(beat, life.stopping, life.pause)

    def errands(beat: Beat) -> None:
        places = running.Places(link("errands"), interface, sink, source, settings.time_zone, failpoint, life.fatal)
        running.Errands(places).run(beat, life.stopping, life.pause)

    def look(of: Interface) -> tuple[HintedStock, Close]:
        opened, close = source(of)
        return HintedStock(opened), close

    def hints(beat: Beat) -> None:
        Hinted(
            STOCK_KINDS,
            look,
            connect=link("hints"),
            read=interface,
            open_publisher=partial(open_publisher, broker, name="connect-stock-hints"),
            failpoint=failpoint,
            fatal=life.fatal,
        ).run(beat, life.stopping, life.pause)

    def rounds(beat: Beat) -> None:
        StockRound(
            connect=link("round"),
            read=interface,
            open_source=source,
            open_publisher=partial(open_publisher, broker, name="connect-stock-round"),
            failpoint=failpoint,
            fatal=life.fatal,
        ).run(beat, life.stopping, life.pause)

    def database_answers() -> str | None:
        with pool.connection(timeout=2) as conn:
            conn.execute("SELECT 1")
        return None

    def broker_answers() -> str | None:
        return "; ".join(check(broker)) or None

    for loop in (intake, work, wakeups, probe, sync, confirm, errands, hints, rounds):
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
    """Entry point of `connect serve stock`."""
    return serve(SERVICE, run)


if __name__ == "__main__":
    sys.exit(main())
