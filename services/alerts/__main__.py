"""Wires the alert service: `python -m services.alerts`.

metrics (Prometheus, or the services themselves) ─▶ something moved ─▶ round: look ─▶ judge ─▶ decide ─▶ queue
queue ─▶ write ─▶ mail server ─▶ record
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from services.alerts import smtp
from services.alerts.heartbeat import Heartbeat
from services.alerts.letter import Post
from services.alerts.outage import open_outage
from services.alerts.post import send_due
from services.alerts.rounds import Rounds
from services.alerts.scrape import Scrape
from services.alerts.targets import targets
from services.alerts.webhook import Webhook
from shared.alarms import queue
from shared.alarms.planned import set_zone
from shared.alarms.signed import Links
from shared.db.connect import GONE, Connection, connect
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.posted import Take
from shared.runtime.schema import fits
from shared.runtime.serve import serve
from shared.settings import Settings, SettingsError
from shared.version import VERSION

SERVICE = "alerts"
POST_SECONDS = 1.0
AGAIN_SECONDS = 5.0
Beat = Callable[[], None]


def run(settings: Settings) -> int:
    """Run until a signal; returns the exit code. Raises SettingsError."""
    database = settings.database()
    with suppress(*GONE):  # it must start without the database, too: to say that it is away
        fits(database)
    try:
        server = smtp.Server.parse(str(settings.smtp_url)) if settings.smtp_url else None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    metrics = Metrics(SERVICE, VERSION)
    life = Lifecycle(SERVICE, metrics, settings.port_of(SERVICE), settings.metrics_host)
    failpoint = Failpoints(settings.fault)
    prometheus = str(settings.prometheus_url) if settings.prometheus_url else None
    scrape = Scrape(partial(targets, settings.data_dir), prometheus)
    heart = Heartbeat(str(settings.heartbeat_url), metrics) if settings.heartbeat_url else None
    rounds = Rounds(
        scrape,
        metrics,
        failpoint,
        stopping=life.stopping,
        watchdog_minutes=settings.watchdog_minutes,
        probe_minutes=settings.probe_minutes,
        heart=heart,
    )
    where = Post(server.sender, str(settings.base_url).rstrip("/"), Links(settings.secret()).sign) if server else None
    token = settings.alertmanager_token
    webhook = Webhook(
        partial(connect, database, "connect-alerts-webhook", statement_timeout=5.0),
        metrics,
        rounds.ask,
        host=settings.metrics_host,
        token=token.get_secret_value() if token else None,
        failpoint=failpoint,
    )
    life.take("/alertmanager", Take(webhook.take))

    def watch(beat: Beat) -> None:
        def work(conn: Connection) -> None:
            set_zone(conn, settings.time_zone)
            rounds.run(conn, beat)

        _connected(life, database, "watch", beat, work)

    def post(beat: Beat) -> None:
        def mails(conn: Connection) -> None:
            while not life.stopping():
                beat()
                if server is not None and where is not None:
                    send_due(conn, server, where, metrics, failpoint, beat=beat)
                metrics.mails_waiting.set(queue.counts(conn)["queued"])
                life.pause(POST_SECONDS)

        _connected(life, database, "post", beat, mails)

    if server is None:
        structlog.get_logger().warning("mail.none", reason="CONNECT_SMTP_URL is not set: mails wait until it is")
    life.loop("watch", watch)
    life.loop("post", post, stall_seconds=120.0)
    if server is not None and where is not None and (outage := open_outage(
        settings.data_dir,
        settings.secret_key.get_secret_value() if settings.secret_key else None,
        connect=partial(connect, database, "connect-alerts-outage", statement_timeout=5.0),
        server=server,
        post=where,
        failpoint=failpoint,
        metrics=metrics,
        playing=lambda: rounds.playing,
        patience=settings.database_away_seconds,
        look=min(5.0, settings.database_away_seconds / 4),
    )):  # fmt: skip
        life.loop("outage", partial(outage.run, stopping=life.stopping, pause=life.pause), stall_seconds=180.0)
    if heart is not None:
        life.loop("heartbeat", partial(heart.run, stopping=life.stopping, pause=life.pause), stall_seconds=120.0)
    return life.run()


def _connected(life: Lifecycle, database: str, name: str, beat: Beat, work: Callable[[Connection], None]) -> None:
    """Work on a connection until stopping; come back with another one when it is gone."""
    while not life.stopping():
        beat()
        try:
            fits(database)
            with connect(database, f"connect-alerts-{name}") as conn:
                work(conn)
        except GONE as error:
            structlog.get_logger().warning("database.away", loop=name, error=error)
            life.pause(AGAIN_SECONDS)


def main() -> int:
    """Entry point of `connect serve alerts`."""
    return serve(SERVICE, run)


if __name__ == "__main__":
    sys.exit(main())
