"""A storm: a new cause in each of forty interfaces. Real rounds, a real mail server, and the mails as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from services.alerts import smtp
from services.alerts.letter import Post
from services.alerts.post import send_due
from shared.alarms import subscriptions
from shared.alarms.ledger import ledger
from shared.alarms.round import play
from shared.alarms.storm import PAUSE
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from shared.metrics import Metrics
from tests.support.mail_server import MailServer, html, mail_server, plain
from tests.support.stored import store_interface, store_record

pytestmark = [pytest.mark.servers]
SLUGS = [f"shop-{n:02}" for n in range(40)]
GERMAN, ENGLISH = "jana@example.org", "joe@example.org"


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    migrate(database_url)
    with connect(database_url, "tests") as opened:
        for slug in SLUGS:
            store_interface(opened, slug)
        yield opened


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def fail(conn: Connection, slugs: list[str], payment: str) -> None:
    """An order in each of these interfaces that fails for one cause."""
    reason = [{"code": "payment-unmapped", "field": "", "values": {"payment": payment}}]
    for slug in slugs:
        store_record(conn, f"{slug}-{payment}", interface=slug, state="failed", code="payment-unmapped", reason=reason)


def told(conn: Connection, server: MailServer) -> int:
    """Play a round and send what is queued; how many mails came."""
    before = len(server.mails)
    play(conn)
    post = Post("connect@example.org", "https://connect.example.org", lambda *_: "t0ken")
    send_due(conn, smtp.Server.parse(server.url), post, Metrics("alerts", "0"), lambda _: None)
    return len(server.mails) - before


def time_passes(conn: Connection, by: timedelta) -> None:
    """All that the plans remember was so much earlier."""

    def earlier(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: earlier(each) for name, each in value.items()}
        if isinstance(value, list):
            return [earlier(each) for each in value]
        try:
            return (datetime.fromisoformat(value) - by).isoformat() if isinstance(value, str) else value
        except ValueError:
            return value

    for number, plan in conn.execute("SELECT id, plan FROM subscriptions").fetchall():
        conn.execute(
            "UPDATE subscriptions SET plan = %s, next_at = next_at - %s WHERE id = %s",
            (Jsonb(earlier(plan)), by, number),
        )


def test_forty_causes_are_one_mail_to_each_and_those_that_follow_one_more(conn: Connection, server: MailServer) -> None:
    alarm = Alarm(name="Night", recipients=(GERMAN, f"{ENGLISH}:en"), language="de", frequency="immediately")
    number = subscriptions.add(conn, alarm, "anna", "Europe/Berlin", verified=True)
    assert told(conn, server) == 0
    fail(conn, SLUGS, "PAYPAL")
    assert told(conn, server) == 2
    fail(conn, SLUGS[:20], "KLARNA")
    assert told(conn, server) == 0
    fail(conn, SLUGS[20:], "KLARNA")
    conn.execute("UPDATE records SET state = 'done', code = NULL, reason = NULL WHERE key = 'shop-39-PAYPAL'")
    assert told(conn, server) == 0, "twenty more, and they wait, too"
    conn.execute("UPDATE alarm_watch SET standing = replace(standing::text, 'PT2M', 'PT0S')::jsonb")
    assert told(conn, server) == 0, "so does the all-clear"
    found = ledger(conn, number)
    assert [(row["what"], len(row["incidents"])) for row in found["items"]] == [
        ("collected", 1), ("collected", 20), ("collected", 20), ("digest", 40),
    ]  # fmt: skip
    assert found["next"] is not None
    assert (found["next"]["what"], found["next"]["incidents"]) == ("digest", 41)
    time_passes(conn, PAUSE)
    assert told(conn, server) == 2
    for address, first, second, resolved in (
        (GERMAN, "[FEHLER] shop-00, shop-01, shop-02 …: 40 Vorfälle", "41 Vorfälle, davon 1 behoben", "Behoben nach"),
        (ENGLISH, "[ERROR] shop-00, shop-01, shop-02 …: 40 incidents", "41 incidents, 1 of them resolved", "Resolved"),
    ):
        storm, after = server.to(address)
        assert storm["Subject"] == first
        assert str(after["Subject"]).endswith(f": {second}")
        for body in (plain(storm), html(storm)):
            links = [body.count(f"/interfaces/{slug}/orders?filter=group%3Apayment-unmapped") for slug in SLUGS]
            assert links == [1] * 40, "each has its link, and is told once"
            assert body.count("/known") == 40
        assert plain(after).count("payment-unmapped)") == 41
        assert plain(after).count(resolved) == 1
    sent = [row["incidents"] for row in ledger(conn, number)["items"] if row["what"] == "digest"]
    times = Counter(one["id"] for incidents in sent for one in incidents)
    assert sorted(times.values()) == [1] * 79 + [2], "each once, and the one that is over once more"
