"""Alertmanager's webhook, over a real port into a real database, and what the next round makes of it."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.heartbeat import SILENT, Heartbeat, watchdog
from services.alerts.rounds import Rounds
from services.alerts.scrape import Scrape
from services.alerts.webhook import Webhook, is_loopback
from shared.alarms import received, signs, subscriptions
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from shared.metrics import Metrics
from shared.people.tokens import create_token
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.posted import Take
from tests.support.stored import store_interface

pytestmark = [pytest.mark.servers]
TOKEN = "a-token-of-the-settings"


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    migrate(database_url)
    with connect(database_url, "tests") as opened:
        store_interface(opened, "otto-de")
        yield opened


class Stand:
    """The port of an alert service that plays no rounds by itself."""

    def __init__(self, database_url: str, *, host: str = "127.0.0.1") -> None:
        self.metrics = Metrics("alerts", "0")
        self.asked: list[bool] = []
        opened = partial(connect, database_url, "tests-webhook")
        self.webhook = Webhook(opened, self.metrics, lambda: self.asked.append(True), host=host, token=TOKEN)
        self.life = Lifecycle("alerts", self.metrics, 0)
        self.life.take("/alertmanager", Take(self.webhook.take))
        self.rounds = Rounds(Scrape(dict, None), self.metrics, lambda _: None, stopping=lambda: False)

    def post(self, body: bytes, path: str = "/alertmanager", **headers: str) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.life.port}{path}", body, headers={"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture
def stand(database_url: str, conn: Connection) -> Iterator[Stand]:
    del conn
    found = Stand(database_url)
    with found.life.serving():
        yield found


def alert(name: str = "ConnectQueueNoConsumers", status: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": {
            "summary": "Nobody reads\r\nBcc: x@y.z the queue",
            "runbook": "docs/runbooks/QueueWithoutConsumer.md",
        },
        "startsAt": "2026-11-23T10:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-23T10:05:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": f"{abs(hash((name, *sorted(labels.items())))):016x}"[:16],
    }


def told(*alerts: dict[str, Any]) -> bytes:
    frame = {"version": "4", "receiver": "connect", "status": "firing", "groupKey": "{}", "truncatedAlerts": 0}
    rest = {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://a"}
    return json.dumps(frame | rest | {"alerts": alerts}).encode()


def incidents(conn: Connection) -> list[Any]:
    return conn.execute("SELECT interface, code, severity, ended IS NULL FROM incidents ORDER BY code, id").fetchall()


def soon_over(conn: Connection) -> None:
    conn.execute("UPDATE alarm_watch SET standing = replace(standing::text, %s, %s)::jsonb", ("PT2M", "PT0S"))


def test_an_alert_is_one_incident_from_firing_to_resolved(conn: Connection, stand: Stand) -> None:
    alarm = Alarm(name="Night", on=("error", "warning"), recipients=("a@example.org",))
    subscriptions.add(conn, alarm, "anna", "UTC", verified=True)
    start = datetime.now(UTC)
    mild = alert("Slow", severity="warning", interface="otto-de")
    for _ in range(3):  # told again, it changes nothing
        assert stand.post(told(alert(interface="made-up"), mild)) == (
            200,
            {"firing": 2, "resolved": 0, "watchdog": False},
        )
        stand.rounds.once(conn, start)
    assert incidents(conn) == [("", "alert-fired", "error", True), ("otto-de", "alert-warned", "warning", True)]
    row = conn.execute("SELECT records, problem->'values' FROM incidents WHERE code = 'alert-fired'").fetchone()
    assert row == (
        0,
        {
            "alert": "ConnectQueueNoConsumers",
            "summary": "Nobody reads Bcc: x@y.z the queue → docs/runbooks/QueueWithoutConsumer.md",
        },
    )
    assert conn.execute("SELECT count(*) FROM mails").fetchone() == (2,)
    assert len(stand.asked) == 3
    stand.post(told(alert(interface="made-up", status="resolved")))
    stand.post(told(alert(interface="made-up")))  # overtaken on its way by its own end
    conn.execute("UPDATE received_alerts SET seen_at = now() - interval '13 hours' WHERE severity = 'warning'")
    stand.rounds.once(conn, start)
    soon_over(conn)
    stand.rounds.once(conn, start)
    assert [row[3] for row in incidents(conn)] == [False, False], "one was ended, the other is told of no more"
    conn.execute("UPDATE received_alerts SET resolved_at = resolved_at - interval '2 minutes'")
    stand.post(told(alert(interface="made-up")))
    stand.rounds.once(conn, start)
    assert [row[3] for row in incidents(conn)] == [False, True, False], "back, although it began when it did before"


def test_what_is_no_notification_gets_a_clear_answer(stand: Stand, conn: Connection) -> None:
    for body, status, word in (
        (b"{", 400, "JSON"),
        (b'{"version": "3", "alerts": []}', 422, "version"),
        (told({"labels": {}}), 422, "alerts.0.status"),
        (told(alert("")), 422, "alertname"),
        (told(*[alert()] * 1001), 422, "alerts"),
        (b" " * (1024 * 1024 + 1), 413, "larger"),
        (b"[" * 200_000, 400, "JSON"),
    ):
        answer = stand.post(body)
        assert answer[0] == status, answer
        assert word in json.dumps(answer[1])
    assert stand.post(told(), path="/elsewhere")[0] == 404
    with socket.create_connection(("127.0.0.1", stand.life.port), timeout=10) as raw:
        raw.sendall(b"POST /alertmanager HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 411 " in raw.recv(1000)
    assert conn.execute("SELECT count(*) FROM received_alerts").fetchone() == (0,)


def test_off_the_loopback_address_a_token_is_asked_for(database_url: str, conn: Connection) -> None:
    stand = Stand(database_url, host="0.0.0.0")  # said only: it listens on the loopback address
    may = create_token(conn, "alertmanager", "publisher")
    cannot = [create_token(conn, "viewer", "viewer"), create_token(conn, "one", "publisher", ["otto-de"])]
    assert stand.webhook.take(told(alert()), None)[0] == 401
    for wrong in (*cannot, "guess", "é"):
        assert stand.webhook.take(told(alert()), f"Bearer {wrong}")[0] == 403
    for right in (may, TOKEN):
        assert stand.webhook.take(told(alert()), f"Bearer {right}")[0] == 200
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "alerts")] == [True] * 3 + [
        False
    ] * 2


def test_the_database_away_is_503_and_alertmanager_comes_back() -> None:
    stand = Stand("postgresql://nobody@127.0.0.1:1/nothing")
    assert stand.webhook.take(told(alert()), None)[0] == 503


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=4), st.text(max_size=40), st.text(max_size=9)
)
def test_no_label_or_text_breaks_out_of_its_line(labels: dict[str, str], summary: str, name: str) -> None:
    kept: list[received.Alert] = []

    def noted(self: object, found: Any) -> dict[str, Any]:
        kept.extend(one.alert() for one in found.alerts)
        return {}

    webhook = Webhook(lambda: pytest.fail("asked"), Metrics("alerts", "0"), lambda: None, host="::1", token=None)
    webhook._keep = noted.__get__(webhook)  # type: ignore[method-assign]
    one = alert("X") | {
        "labels": labels | {"alertname": name},
        "annotations": {"summary": summary},
        "fingerprint": "\n",
    }
    assert webhook.take(told(one), None)[0] in (200, 422)
    for text in [part for each in kept for part in (each.name, each.summary, each.interface, each.key)]:
        assert text.isprintable()
        text.encode()  # no lone surrogate: the database could not keep it


def test_a_watchdog_that_stays_away_is_an_incident(conn: Connection, stand: Stand) -> None:
    metrics, start = Metrics("alerts", "0"), datetime.now(UTC) - timedelta(hours=1)
    assert watchdog(conn, metrics, start, None) == {SILENT: {}}, "never seen, not asked for"
    assert watchdog(conn, metrics, start, 10)[SILENT], "never seen, but asked for"
    assert stand.post(told(alert("Watchdog"))) == (200, {"firing": 0, "resolved": 0, "watchdog": True})
    assert watchdog(conn, metrics, start, 10) == {SILENT: {}}
    conn.execute("UPDATE signs_of_life SET seen_at = now() - interval '20 minutes'")
    assert watchdog(conn, metrics, start, None)[SILENT]
    assert watchdog(conn, metrics, datetime.now(UTC), None) == {SILENT: {}}, "this process could not have heard it"
    assert watchdog(conn, metrics, start, 0) == {SILENT: {}}
    stand.rounds.once(conn, start)
    assert incidents(conn) == [("", SILENT, "error", True)]
    assert signs.last(conn, signs.WATCHDOG) is not None
    assert conn.execute("SELECT count(*) FROM received_alerts").fetchone() == (0,)


def test_the_heartbeat_is_heard_and_missed(stand: Stand) -> None:
    metrics = Metrics("alerts", "0")
    base = f"http://127.0.0.1:{stand.life.port}"
    well = Heartbeat(f"{base}/livez", metrics)
    assert well.call()
    assert well.levels() == {"heartbeat-unheard": {}}
    ill = Heartbeat(f"{base}/nowhere", metrics)
    assert [ill.call() for _ in range(4)] == [False] * 4
    assert not ill.levels()["heartbeat-unheard"]
    ill.call()
    assert ill.levels()["heartbeat-unheard"]
    said = {sample.labels["outcome"]: sample.value for family in metrics.registry.collect()
            if family.name == "connect_heartbeats" for sample in family.samples}  # fmt: skip
    assert said == {"heard": 1, "failed": 5}
