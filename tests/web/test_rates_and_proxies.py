"""Behind a proxy each address is braked by itself, logins are in the audit, and nobody takes everybody's turn."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.requests import Request

from services.journal.came_from import came_from, network_of
from services.journal.rates import MOST_CALLERS, Rates
from shared.db.migrate import migrate
from shared.networks import Networks
from shared.people.throttle import PER_ADDRESS
from shared.people.tokens import create_token, ending_tokens, list_tokens
from shared.people.users import add_user
from tests.support.site import PASSWORD, Site, site_over

pytestmark = pytest.mark.servers

PROXIES = Networks.parse("127.0.0.1/32, 10.1.0.0/16, fd00::/64")


def _asked(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 1)})


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),  # not one of ours: its word is nothing
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),  # what stands before it anybody may write
        ("127.0.0.1", ("6.6.6.6", "198.51.100.1, 10.1.2.3"), "198.51.100.1"),
        ("127.0.0.1", ("10.1.9.9, 10.1.2.3",), "10.1.9.9"),
        ("127.0.0.1", ("198.51.100.1, <script>",), "127.0.0.1"),
        ("127.0.0.1", ("",), "127.0.0.1"),
        ("::ffff:127.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("2001:db8::5%eth0",), "2001:db8::5"),
    ],
)
def test_whose_word_about_an_address_is_believed(peer: str, forwarded: tuple[str, ...], found: str) -> None:
    assert came_from(_asked(peer, *forwarded), PROXIES) == found
    assert came_from(_asked("203.0.113.9", *forwarded), None) == "203.0.113.9"


def test_only_the_network_of_an_address_is_kept() -> None:
    assert network_of("198.51.100.77") == "198.51.100.0/24"
    assert network_of("2001:db8:1:2::5") == "2001:db8:1::/48"
    assert network_of("?") == "?"


def test_a_stranger_behind_the_proxy_brakes_nobody_else_and_logins_are_told(database_url: str) -> None:
    migrate(database_url)
    with site_over(database_url, trusted=PROXIES) as site:
        add_user(site.conn, "Erika", PASSWORD, "viewer")
        answers = [_log_in(site, f"name-{number}", "x" * 300, "203.0.113.66") for number in range(PER_ADDRESS + 1)]
        assert [answers.count(status) for status in (401, 429)] == [PER_ADDRESS, 1]
        assert _log_in(site, "erika", "wrong-secret-word", "198.51.100.7") == 401
        assert _log_in(site, "erika", PASSWORD, "198.51.100.7") == 303, "another address is not braked"
        lines = site.conn.execute("SELECT actor, verb, target FROM audit ORDER BY id").fetchall()
        assert lines[-2:] == [
            ("Erika", "login.refused", {"through": "password", "network": "198.51.100.0/24"}),
            ("Erika", "login.done", {"through": "password", "network": "198.51.100.0/24"}),
        ]
        assert len(lines) == PER_ADDRESS + 2, "a try that was braked writes nothing: nobody fills the audit"
        assert {(actor, verb) for actor, verb, _ in lines[:-2]} == {("?", "login.refused")}
        assert not re.search(r"name-\d|x{9}|wrong-secret|66", str(lines[:-2]))


def _log_in(site: Site, user: str, password: str, address: str) -> int:
    headers = {"X-Forwarded-For": f"6.6.6.6, {address}"}
    return int(
        site.browser(None).post("/login", data={"user": user, "password": password}, headers=headers).status_code
    )


def test_whoever_asks_too_often_waits_and_nobody_else_does(database_url: str) -> None:
    migrate(database_url)
    now = [0.0]
    with site_over(database_url, rates=Rates(5, lambda: now[0])) as site:
        viewer, other = site.api("viewer"), site.api("operator")
        assert [viewer.get("/api/v1/me").status_code for _ in range(7)] == [200] * 5 + [429] * 2
        refused = viewer.get("/api/v1/me")
        assert refused.headers["retry-after"] == "12"
        assert refused.json()["code"] == "too-many-requests"
        assert other.get("/api/v1/me").status_code == 200
        for _ in range(8):
            assert viewer.get("/static/x/journal.css").status_code in (200, 404), "what is public is not counted"
        stranger = site.browser(None)
        page = [stranger.get("/login", headers={"Accept-Language": "de"}) for _ in range(6)][-1]
        assert page.status_code == 429
        assert "sehr viele Anfragen" in page.text
        publisher = site.api("publisher")
        assert {publisher.post("/api/v1/events", json={}).status_code for _ in range(8)} == {202}, (
            "events have their own"
        )
        now[0] += 12
        assert [viewer.get("/api/v1/me").status_code for _ in range(2)] == [200, 429]


def test_buckets_take_no_more_memory_than_that() -> None:
    now = [0.0]
    rates = Rates(60, lambda: now[0])
    for number in range(MOST_CALLERS + 50):
        rates.wait_of(f"address {number}")
    assert len(rates._buckets) <= MOST_CALLERS
    assert Rates(0).wait_of("x") == 0


def test_a_token_ends_and_is_pointed_at_before(site: Site) -> None:
    made = site.api("admin").post("/api/v1/tokens", json={"name": "report", "role": "viewer"}).json()
    assert made["expires_in_days"] == 365
    assert _opens(site, made["token"]) == 200
    short = create_token(site.conn, "short", "viewer", days=3)
    assert _opens(site, short) == 200
    assert [name for name, left in ending_tokens(site.conn) if 0 <= left <= 3] == ["short"]
    site.conn.execute("UPDATE tokens SET expires_at = now() - interval '1 minute' WHERE name = 'short'")
    assert _opens(site, short) == 401
    ((name, left),) = ending_tokens(site.conn)
    assert (name, left) == ("short", -1)
    listed: dict[str, Any] = {one["name"]: one for one in list_tokens(site.conn)}
    assert (listed["short"]["expired"], listed["report"]["expired"]) == (True, False)
    assert listed["admin-"]["expires_at"] is None, "those of before have no end"
    page = site.browser("admin", language="de").get("/users").text
    assert "abgelaufen" in page
    assert "Ohne Ende" in page
    forever = site.browser("admin").post("/tokens", data={"name": "ever", "role": "viewer", "days": "0"})
    assert forever.status_code == 201
    never = site.conn.execute("SELECT expires_at FROM tokens WHERE name = 'ever'").fetchone()
    assert never == (None,)


def _opens(site: Site, token: str) -> int:
    answer = site.api(None).get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    return int(answer.status_code)
