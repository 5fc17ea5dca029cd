"""No buyer, no token and no password in a log of any service, in either form, in metrics, mails or answers to errors.

Exceptions are made to quote the buyer, as PostgreSQL does, and the same search finds the buyer where it may be.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from services.cli.local.ports import any_free
from shared.alarms.subscriptions import add
from shared.alarms.wanted import Alarm
from shared.db.connect import connect
from shared.people.tokens import create_token
from shared.people.users import add_user
from tests.support.canaries import CANARY, EMAIL, NAME, change_with_canaries, forms, in_dump, order_with_canaries
from tests.support.mail_server import html, mail_server, plain
from tests.support.sandbox import sandbox
from tests.support.system import SECRET, WEBHOOK_KEY, System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

FORMS = {"importer": "console", "exporter": "json", "stock": "console", "alerts": "json", "journal": "console"}
QUOTES = """
CREATE FUNCTION quotes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'value too long: %', '{text}' USING DETAIL = '{text}'; END $$;
CREATE TRIGGER quotes BEFORE INSERT ON views FOR EACH ROW EXECUTE FUNCTION quotes();
CREATE TRIGGER quotes BEFORE UPDATE ON records FOR EACH ROW WHEN (NEW.key = 'pr-9' AND NEW.state <> 'pending')
  EXECUTE FUNCTION quotes();
"""


@pytest.fixture
def system(tmp_path: Path, database_url: str, amqp_url: str) -> Iterator[System]:
    # Stand-ins of its own: what an earlier test left at one would be fetched, refused and counted here.
    with sandbox(tmp_path / "sandbox") as stand, running(System(tmp_path, database_url, amqp_url, stand)) as made:
        stand.settings("xentral", search_lag=0.0)
        made.prepare()
        yield made


def test_nothing_personal_and_nothing_secret_is_said(system: System) -> None:
    password, wrong, bad = (f"pw-{secrets.token_hex(12)}" for _ in range(3))
    ports = {service: str(any_free()) for service in FORMS}
    page = any_free()
    with mail_server() as mails, connect(system.database_url, "tests") as conn:
        token = create_token(conn, "tests", "admin")
        add_user(conn, "erika", password, "admin")
        add(conn, Alarm(name="Night", recipients=("night@example.org",)), "tests", "Europe/Berlin", verified=True)
        conn.execute(QUOTES.format(text=NAME))
        for service, form in FORMS.items():
            more = {"smtp_url": mails.url} if service == "alerts" else {}
            more |= {"port": str(page)} if service == "journal" else {}
            system.start(service, service, log_format=form, metrics_port=ports[service], **more)
        with httpx2.Client(base_url=f"http://127.0.0.1:{page}", trust_env=False, timeout=30) as client:
            until(lambda: _there(client), "the Journal answers", 60)
            answers = _ask(client, token, password, wrong, bad)
        system.stand.fault("xentral", "500", "*", 2)
        refused = order_with_canaries("pr-3")
        refused["data"]["order"]["currency"] = CANARY
        system.publish([order_with_canaries("pr-1"), order_event("other"), refused])
        until(
            lambda: dict(system.query("SELECT key, state FROM records")).get("pr-1") == "done", "it is in the ERP", 120
        )
        system.publish([change_with_canaries("pr-1")], "order-changed")
        until(
            lambda: ("failed",) in system.query("SELECT state FROM records WHERE flow = 'order-export'"), "refused", 90
        )
        until(lambda: mails.to("night@example.org"), "an alarm is mailed", 120)
        metrics = [httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text for port in ports.values()]
        # Last, since nothing is claimed any more beside an order whose row cannot be changed.
        system.publish([order_with_canaries("pr-9")])
        until(lambda: "RaiseException" in system.log_text("importer"), "the exception is in the log", 60)
        told = [text for mail in mails.mails for text in (plain(mail), html(mail), str(mail["Subject"]))]
    for service in FORMS:
        # The importer may have ended by itself: whoever supervises it starts it again.
        if system.processes[service].poll() is None:
            system.end(service)
        system.processes.pop(service, None)
    logs = {service: system.log_text(service) for service in FORMS}

    assert in_dump(system.database_url), "the search finds the buyer where the buyer may be"
    assert "RaiseException" in logs["journal"], "and the exceptions were there to be said"
    said = {**logs, "metrics": "\n".join(metrics), "mails": "\n".join(told), "answers": "\n".join(answers)}
    own = {
        token,
        password,
        wrong,
        bad,
        SECRET,
        WEBHOOK_KEY,
        EMAIL,
        system.database_url.split("@")[0].rpartition(":")[2],
    }
    for where, text in said.items():
        assert len(text) > 100, f"{where} says something"
        found = [word for word in (*forms(), *own) if word.lower() in text.lower()]
        assert not found, f"{where} has {found}"


def _there(client: httpx2.Client) -> bool:
    try:
        return client.get("/login").status_code == 200
    except httpx2.TransportError:
        return False


def _ask(client: httpx2.Client, token: str, password: str, wrong: str, bad: str) -> list[str]:
    """Whatever goes wrong with something secret or personal in hand; the answers, heads and all."""
    head = {"Authorization": f"Bearer {token}"}
    same = {"Sec-Fetch-Site": "same-origin"}
    view = {"name": "hers", "resource": "orders", "filter": f"{EMAIL} state:failed"}
    asked = [
        client.post("/login", data={"user": NAME, "password": wrong}, headers=same),
        client.post("/login", data={"user": "erika", "password": wrong}, headers=same),
        client.post("/login", data={"user": "erika", "password": password}, headers=same),
        client.get("/api/v1/me", headers={"Authorization": f"Bearer {bad}"}),
        client.get("/api/v1/orders", params={"cursor": CANARY, "limit": 0}, headers=head),
        client.post("/api/v1/users", json={"name": NAME, "password": password, "role": "none"}, headers=head),
        client.post("/api/v1/views", json=view, headers=head),
        client.get(f"/orders/{CANARY}", headers=head),
        client.get(f"/alarms/leave/{bad}"),
    ]
    assert [one.status_code for one in asked[:4]] == [401, 401, 303, 401]
    assert asked[6].status_code == 500
    # An answer may repeat the address that was asked for, and nothing else of what was sent.
    return [f"{one.headers}{one.text}".replace(one.request.url.path, "") for one in asked if not one.request.url.query]
