"""Wires the alert service: `python -m services.alerts`.

metrics (Prometheus, or the services themselves) ─▶ something moved ─▶ round: look ─▶ judge ─▶ decide ─▶ queue
queue ─▶ write ─▶ mail server ─▶ record
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import psycopg
import structlog

from services.alerts import smtp
from services.alerts.letter import Post
from services.alerts.post import send_due
from services.alerts.scrape import AWAY, Scrape
from services.alerts.targets import targets
from shared.alarms import queue
from shared.alarms.planned import set_zone
from shared.alarms.round import Round, play
from shared.db.connect import GONE, Connection, connect
from shared.db.migrate import pending
from shared.failpoint import Failpoints
from shared.log import set_up
from shared.metrics import Metrics
from shared.runtime.lifecycle import Lifecycle
from shared.settings import Settings, SettingsError, load
from shared.version import VERSION

SERVICE = "alerts"
LOOK_SECONDS = 2.0
ROUND_SECONDS = 6.0
"""A round at least this often, whatever the metrics say."""

POST_SECONDS = 1.0
AGAIN_SECONDS = 5.0
Beat = Callable[[], None]


def run(settings: Settings) -> int:
    """Run until a signal; returns the exit code. Raises SettingsError."""
    database = settings.database()
    if missing := pending(database):
        raise SettingsError(f"the database lacks {', '.join(missing)}: run `connect migrate`")
    try:
        server = smtp.Server.parse(str(settings.smtp_url)) if settings.smtp_url else None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    metrics = Metrics(SERVICE, VERSION)
    life = Lifecycle(SERVICE, metrics, settings.port_of(SERVICE), settings.metrics_host)
    failpoint = Failpoints(settings.fault)
    prometheus = str(settings.prometheus_url) if settings.prometheus_url else None
    scrape = Scrape(partial(targets, settings.data_dir), prometheus)
    log = structlog.get_logger()

    def watch(beat: Beat) -> None:
        def rounds(conn: Connection) -> None:
            waited = ROUND_SECONDS
            set_zone(conn, settings.time_zone)
            while not life.stopping():
                beat()
                if scrape.look() or waited >= ROUND_SECONDS:
                    _report(metrics, log, conn, play(conn, {AWAY: scrape.away()}, failpoint=failpoint))
                    waited = 0.0
                life.pause(LOOK_SECONDS)
                waited += LOOK_SECONDS

        _connected(life, database, "watch", beat, rounds)

    def post(beat: Beat) -> None:
        where = Post(server.sender if server else "", str(settings.base_url).rstrip("/"))

        def mails(conn: Connection) -> None:
            while not life.stopping():
                beat()
                if server is not None:
                    send_due(conn, server, where, metrics, failpoint, beat=beat)
                metrics.mails_waiting.set(queue.counts(conn)["queued"])
                life.pause(POST_SECONDS)

        _connected(life, database, "post", beat, mails)

    if server is None:
        log.warning("mail.none", reason="CONNECT_SMTP_URL is not set: mails wait until it is")
    life.loop("watch", watch)
    life.loop("post", post, stall_seconds=120.0)
    return life.run()


def _connected(life: Lifecycle, database: str, name: str, beat: Beat, work: Callable[[Connection], None]) -> None:
    """Work on a connection until stopping; come back with another one when it is gone."""
    while not life.stopping():
        beat()
        try:
            with connect(database, f"connect-alerts-{name}") as conn:
                work(conn)
        except GONE as error:
            structlog.get_logger().warning("database.away", loop=name, error=error)
            life.pause(AGAIN_SECONDS)


def _report(metrics: Metrics, log: structlog.BoundLogger, conn: Connection, done: Round | None) -> None:
    if done is None:
        return
    metrics.alarm_evaluated.set_to_current_time()
    if done.decided:
        log.info("alarm.round", counts=dict(done.decided), count=done.mails)
    if done.facts:
        metrics.incidents.clear()
        for interface, flow, severity, count in conn.execute(
            "SELECT interface, flow, severity, count(*) FROM incidents WHERE ended IS NULL GROUP BY 1, 2, 3"
        ):
            metrics.incidents.labels(interface, flow, severity).set(count)


def main() -> int:
    """Start the service."""
    try:
        settings = load()
        set_up(SERVICE, settings.log_format)
        return run(settings)
    except (SettingsError, psycopg.OperationalError) as error:
        sys.stderr.write(f"connect: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
