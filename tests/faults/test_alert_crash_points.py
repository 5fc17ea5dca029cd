"""Kill the alert service at every failpoint, and let the mail server be awkward: each recipient gets each mail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import RemoteDisconnected
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.alarms import subscriptions
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from shared.failpoint import NAMES
from tests.faults.check_back import mailed
from tests.support.mail_server import MailServer, mail_server, plain
from tests.support.sandbox import PROJECT
from tests.support.stored import store_interface, store_record
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(120)]
POINTS = ("alarm.judged", "alarm.decided", "mail.taken", "mail.handed-over", "mail.recorded")
OUTAGE = ("outage.noted", "outage.mailed", "outage.recorded", "outage.booked")
PEOPLE = ("a@example.org", "b@example.org")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    migrate(database_url)
    with connect(database_url, "tests") as opened:
        store_interface(opened, "otto-de")
        alarm = Alarm(name="Night", interfaces=("otto-de",), recipients=PEOPLE, language="de")
        subscriptions.add(opened, alarm, "anna", "Europe/Berlin", verified=True)
        yield opened


class Alerts:
    """The service, started again and again."""

    def __init__(
        self, folder: Path, database_url: str, server: MailServer, module: Sequence[str] = ("services.alerts",)
    ) -> None:
        self._module = module
        self._log = folder / "alerts.log"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECT_")} | {
            "CONNECT_DATABASE_URL": database_url, "CONNECT_SMTP_URL": server.url, "CONNECT_METRICS_PORT": "0",
            "CONNECT_DATA_DIR": str(folder), "CONNECT_LOG_FORMAT": "json", "CONNECT_SECRET_KEY": "k" * 32,
            "CONNECT_DATABASE_AWAY_SECONDS": "1",
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.planted = 0

    def start(self, fault: str = "") -> None:
        self.planted += bool(fault)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self._module], cwd=PROJECT, stdout=log, stderr=log,
                env=self._environment | {"CONNECT_FAULT": fault},
            )  # fmt: skip

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def alerts(tmp_path: Path, database_url: str, conn: Connection, server: MailServer) -> Iterator[Alerts]:
    del conn
    service = Alerts(tmp_path, database_url, server)
    yield service
    if service.process is not None:
        service.process.kill()
        service.process.wait()


def fail(conn: Connection, number: str, payment: str = "PAYPAL") -> None:
    reason = [{"code": "payment-unmapped", "field": "", "values": {"payment": payment}}]
    store_record(conn, number, state="failed", code="payment-unmapped", reason=reason)


def all_sent(conn: Connection) -> bool:
    return conn.execute("SELECT count(*) FILTER (WHERE state = 'sent'), count(*) FROM mails").fetchone() == (2, 2)


def test_every_failpoint_of_the_alert_service_is_killed_at_here() -> None:
    assert {name for name in NAMES if name.startswith(("alarm.", "mail.", "outage.", "alertmanager."))} == {
        *POINTS, *OUTAGE, "alertmanager.kept"
    }  # fmt: skip


@pytest.mark.parametrize("causes", [1, 5], ids=["one", "storm"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_neither_loses_nor_doubles_a_mail(
    point: str, causes: int, conn: Connection, alerts: Alerts, server: MailServer
) -> None:
    """Five causes at once are one mail, which has each of them once."""
    alerts.start(f"{point}:kill@{2 if point.startswith('alarm') else 1}")
    with conn.transaction():
        for n in range(causes):
            fail(conn, f"{4711 + n}", f"PAY_{chr(65 + n)}")
    assert alerts.process is not None
    until(lambda: alerts.process and alerts.process.poll() is not None, f"killed at {point}", 60)
    assert alerts.process.returncode == -signal.SIGKILL
    conn.execute("UPDATE mails SET due_at = now() WHERE state = 'queued'")  # the lease of the dead one is over
    alerts.start()
    until(lambda: all_sent(conn), "both are sent", 60)
    repeated = 1 if point == "mail.handed-over" else 0
    assert list(mailed({address: server.ids(address) for address in PEOPLE}, 1, repeated)) == []
    for address in PEOPLE:
        assert server.ids(address).total() == (1 + repeated if address == PEOPLE[0] else 1)
    for address in PEOPLE:
        assert plain(server.to(address)[0]).count("(payment-unmapped)") == causes
    assert not any(secret in alerts.log() for secret in ("example.org", "Erika"))


def test_refused_greylisted_and_dropped_mails(conn: Connection, alerts: Alerts, server: MailServer) -> None:
    server.refuse, server.grey, server.drop = {PEOPLE[1]}, 1, 1
    fail(conn, "4711")
    alerts.start()

    def fates() -> dict[str, tuple[str, int, str]]:
        conn.execute("UPDATE mails SET due_at = now() WHERE state = 'queued' AND due_at > now() + interval '1 second'"
                     " AND reply IS NOT NULL")  # fmt: skip
        rows = conn.execute(
            "SELECT r.address, m.state, m.tries, m.reply FROM mails m JOIN recipients r ON r.id = m.recipient"
        ).fetchall()
        return {row[0]: row[1:] for row in rows}

    until(lambda: {state for state, _, _ in fates().values()} == {"sent", "refused"}, "each has its fate", 60)
    assert fates()[PEOPLE[1]][2] == "550 5.1.1 no such mailbox"
    assert fates()[PEOPLE[0]][1] == 3, "greylisted, taken and dropped, accepted"
    assert server.ids(PEOPLE[0]).most_common() == [(server.to(PEOPLE[0])[0]["Message-ID"], 2)], "one Message-ID"


def test_a_mail_server_that_is_away_gets_them_later(
    conn: Connection, tmp_path: Path, database_url: str, server: MailServer
) -> None:
    away = MailServer(port=1)
    service = Alerts(tmp_path, database_url, away)
    fail(conn, "4711")
    service.start()
    try:
        waiting = "SELECT count(*) FROM mails WHERE state = 'queued' AND tries > 0 AND reply LIKE '127.0.0.1:1 %'"
        until(lambda: conn.execute(waiting).fetchone() == (2,), "both were tried", 60)
    finally:
        assert service.process is not None
        service.process.terminate()
        assert service.process.wait(30) == 0
    back = Alerts(tmp_path, database_url, server)
    conn.execute("UPDATE mails SET due_at = now()")
    back.start()
    try:
        until(lambda: all_sent(conn), "both are sent", 60)
    finally:
        assert back.process is not None
        back.process.kill()
        back.process.wait()
    assert all(server.ids(address).total() == 1 for address in PEOPLE)


def test_a_mail_server_that_hangs_holds_up_no_round(conn: Connection, alerts: Alerts, server: MailServer) -> None:
    server.hang = 3600
    fail(conn, "4711")
    alerts.start()
    until(lambda: conn.execute("SELECT 1 FROM mails WHERE tries > 0").fetchone(), "one is in hand", 60)
    reason = [{"code": "shipping-unmapped", "field": "", "values": {"shipping": "DHL"}}]
    store_record(conn, "4712", state="failed", code="shipping-unmapped", reason=reason)
    until(lambda: conn.execute("SELECT 1 FROM incidents WHERE code = 'shipping-unmapped'").fetchone(), "it goes on", 15)
    assert conn.execute("SELECT count(*) FROM mails WHERE state = 'sent'").fetchone() == (0,)


def test_of_two_services_one_plays_and_the_other_takes_over(
    tmp_path: Path, conn: Connection, database_url: str, alerts: Alerts, server: MailServer
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = Alerts(other, database_url, server)
    alerts.start()
    second.start()
    try:
        until(lambda: "service.started" in alerts.log() and "service.started" in second.log(), "both run", 60)
        fail(conn, "4711")
        until(lambda: all_sent(conn), "both are sent", 60)
        players = [one for one in (alerts, second) if "alarm.round" in one.log()]
        assert len(players) == 1
        assert players[0].process is not None
        players[0].process.kill()
        players[0].process.wait()
        conn.execute("UPDATE mails SET due_at = now() WHERE state = 'queued'")
        store_record(conn, "4712", state="failed", code="order-invalid", reason=[])
        until(lambda: conn.execute("SELECT count(*) FROM mails WHERE state = 'sent'").fetchone() == (4,), "told", 60)
        assert [count for address in PEOPLE for count in server.ids(address).values()] == [1] * 4, "none is doubled"
    finally:
        for service in (alerts, second):
            assert service.process is not None
            service.process.kill()
            service.process.wait()


def test_an_alert_is_kept_although_the_service_dies_before_it_answers(conn: Connection, alerts: Alerts) -> None:
    alerts.start("alertmanager.kept:kill")
    lines = until(lambda: [one for one in alerts.log().splitlines() if "service.started" in one], "it runs", 60)
    alert = {"status": "firing", "labels": {"alertname": "Broker"}, "startsAt": "2026-11-23T10:00:00Z"}
    body = json.dumps({"version": "4", "alerts": [alert]}).encode()
    with pytest.raises((ConnectionError, urllib.error.URLError, RemoteDisconnected)):
        urllib.request.urlopen(f"http://127.0.0.1:{json.loads(lines[0])['port']}/alertmanager", body, timeout=30)
    assert alerts.process is not None
    assert alerts.process.wait(30) == -signal.SIGKILL
    alerts.start()
    until(lambda: conn.execute("SELECT 1 FROM incidents WHERE code = 'alert-fired'").fetchone(), "an incident", 60)


class Door:
    """Lets nobody into the database, and in again."""

    def __init__(self, database_url: str) -> None:
        self._name = conninfo_to_dict(database_url)["dbname"]
        self._conn = connect(make_conninfo(database_url, dbname="postgres"), "tests-door")

    def close(self) -> None:
        self._allow(False)
        self._conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self._name,))

    def open(self) -> None:
        self._allow(True)

    def _allow(self, yes: bool) -> None:
        self._conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
            sql.Identifier(str(self._name)), sql.Literal(yes)))  # fmt: skip


def test_the_database_away_is_mailed_once_and_written_down_when_it_is_back(
    tmp_path: Path, database_url: str, conn: Connection, alerts: Alerts, server: MailServer
) -> None:
    door = Door(database_url)
    alerts.start(f"{OUTAGE[0]}:kill")
    people = tmp_path / "alarm-people"
    until(people.exists, "it is kept who would be told", 60)
    door.close()
    for point in (*OUTAGE[1:], ""):
        assert alerts.process is not None
        until(lambda: alerts.process and alerts.process.poll() is not None, f"killed before {point}", 60)
        assert alerts.process.returncode == -signal.SIGKILL
        if point == "outage.booked":
            alerts.start(f"{point}:kill")
            until(lambda: server.to(PEOPLE[1]), "the second one is told, too", 60)
            door.open()
        else:
            alerts.start(f"{point}:kill" if point else "")
    kept = tmp_path / "alarm-outage"
    until(lambda: not kept.exists(), "it is forgotten", 60)
    with connect(database_url, "tests") as again:
        until(
            lambda: again.execute("SELECT count(*) FROM mails WHERE state = 'sent'").fetchone() == (4,), "all sent", 60
        )
        told = again.execute("SELECT i.code, i.ended > i.since, d.what FROM incidents i JOIN alarm_decisions d"
                             " ON i.id = ANY(d.incidents) ORDER BY d.id").fetchall()  # fmt: skip
    assert told == [("connect-database-away", True, "opened"), ("connect-database-away", True, "resolved")]
    for address in PEOPLE:
        mails = {str(mail["Message-ID"]): mail for mail in server.to(address)}
        away, back = mails.values()
        assert (len(mails), server.ids(address).total()) == (2, 3 if address == PEOPLE[0] else 2), "a kill repeats one"
        assert (away["Subject"], back["Subject"]) == (
            "[FEHLER] Betrieb, connect-database-away",
            "[BEHOBEN] Betrieb, connect-database-away",
        )
        assert back["References"] == away["Message-ID"]
        assert "Datenbank von Connect antwortet nicht" in plain(away)
        assert "/alarms/answer/" not in plain(away), "there is no incident yet that could be answered"
    assert (people.stat().st_mode & 0o777) == 0o600
    assert b"example" not in people.read_bytes()
    assert "example.org" not in alerts.log()
