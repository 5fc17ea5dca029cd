"""Starts the Journal: `python -m services.journal`. Port of pages and API: CONNECT_PORT; of /metrics: 9405."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from zoneinfo import ZoneInfo

import psycopg
import structlog
import uvicorn

from services.journal.app import create_app
from services.journal.indexing import keep_indexed
from services.journal.keeping import Keeping
from services.journal.probed import see_probes
from services.journal.provider import Client, Provider
from services.journal.rates import Rates
from services.journal.rolling import Rolling
from services.journal.runner import Runner
from services.journal.sealing import keep_sealed
from services.journal.sweep import SWEEP_SECONDS, sweep
from services.journal.wiring import Journal
from shared.alarms.signed import Links
from shared.broker.watched import WatchedBroker
from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.networks import Networks
from shared.privacy.queued import look
from shared.privacy.retention import Keep
from shared.records.bulk_steps import CHOOSING_SECONDS
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.schema import Schema
from shared.runtime.serve import serve
from shared.seal import Seal
from shared.settings import Settings

SERVICE = "journal"
CONNECTIONS = 12
DRAIN_SECONDS = 20
BEAT_SECONDS = 5


def release() -> str:
    """The version that is installed."""
    try:
        return version("connect-journal")
    except PackageNotFoundError:
        return "0"


def run(given: Settings) -> int:
    """Run until a signal; returns the exit code. Raises SettingsError."""
    seal, identity = Seal(given.secret()), given.identity()
    metrics, connectors = Metrics(SERVICE, release()), discover()
    amqp_url = str(given.amqp_url) if given.amqp_url else None
    frame = Lifecycle(SERVICE, metrics, given.port_of(SERVICE), host=given.metrics_host)
    pool = open_pool(given.database(), "connect-journal", CONNECTIONS, statement_timeout=15, plan_each=True)
    journal = Journal(
        pool,
        ZoneInfo(given.time_zone),
        metrics,
        {key: connector.title for key, connector in connectors.items()},
        Failpoints(given.fault),
        secure=given.base_url.scheme == "https",
        connectors=connectors,
        seal=seal,
        networks=given.networks(),
        links=Links(given.secret()),
        trusted=Networks.parse(given.trusted_proxies),
        rates=Rates(given.requests_per_minute),
        provider=None if identity is None else Provider(Client(**identity)),
        base_url=str(given.base_url).rstrip("/"),
        broker=WatchedBroker(amqp_url),
    )
    server = uvicorn.Server(_config(create_app(journal, release()), given))

    def database() -> str | None:
        with pool.connection(timeout=2) as conn:
            conn.execute("SELECT 1")
        return None

    def serve(beat: Callable[[], None]) -> None:
        async def notify() -> None:
            beat()

        server.config.callback_notify = notify
        ended = threading.Event()

        def stop() -> None:
            while not frame.stopping() and not ended.is_set():
                frame.pause(1)
            server.should_exit = True

        threading.Thread(target=stop, name="stop", daemon=True).start()
        try:
            server.run()
        finally:
            ended.set()
        if not server.started:
            raise RuntimeError(f"port {given.port} cannot be used")

    def tidy(beat: Callable[[], None]) -> None:
        due = 0.0
        while not frame.stopping():
            beat()
            if due <= 0:
                try:
                    with journal.database() as conn:
                        sweep(conn)
                except psycopg.Error as error:
                    structlog.get_logger().warning("sweep failed", error=error)
                due = SWEEP_SECONDS
            frame.pause(BEAT_SECONDS)
            due -= BEAT_SECONDS

    frame.check("database", database)
    frame.check("pages", lambda: None if server.started else "not started")
    frame.loop("pages", serve)
    frame.loop("sweep", tidy)
    runner = Runner(lambda: connect(given.database(), "connect-runs"), journal.zone, journal.failpoint)
    frame.loop("runs", lambda beat: runner.run(beat, frame.stopping, frame.pause), stall_seconds=CHOOSING_SECONDS + 60)
    rolling = Rolling(metrics.derived, lambda: connect(given.database(), "connect-rollup"), journal.failpoint)
    frame.loop("rollup", lambda beat: rolling.run(beat, frame.stopping, frame.pause))
    frame.loop("index", lambda beat: keep_indexed(journal, beat, frame.stopping, frame.pause))
    frame.loop("probes", lambda beat: see_probes(journal.database, metrics, beat, frame.stopping, frame.pause))
    kept = Keep(given.keep_orders_days, given.keep_rejections_days, given.keep_audit_days)
    keeping = Keeping(lambda: connect(given.database(), "connect-privacy"), kept, look(amqp_url), journal.failpoint)
    frame.loop("privacy", lambda beat: keeping.run(beat, frame.stopping, frame.pause))
    frame.loop("seal", lambda beat: keep_sealed(journal, beat, frame.stopping, frame.pause))
    frame.begin_once(Schema(given.database()).there)
    try:
        return frame.run()
    finally:
        pool.close()


def main() -> int:
    """Entry point of `connect serve journal`."""
    return serve(SERVICE, run)


def _config(app: object, given: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=given.host,
        port=given.port,
        log_config=None,
        access_log=False,  # its lines carry the query; ours do not
        server_header=False,
        date_header=True,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_notify=BEAT_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
        proxy_headers=False,
    )


if __name__ == "__main__":
    sys.exit(main())
