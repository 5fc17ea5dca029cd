"""Heads of answers: cookies over https, where a form may send somebody, names of files, the heads of raw bytes."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from services.journal.inside import inside
from shared.db.migrate import migrate
from shared.errors.problem import Problem
from shared.people.users import add_user
from shared.records.rejections import Refusal, refuse
from tests.support.site import PASSWORD, Site, site_over

pytestmark = pytest.mark.servers

ELSEWHERE = (
    "https://evil.example.org", "//evil.example.org", "///evil.example.org", "/\\evil.example.org", "\\\\evil.example",
    "/\\/evil.example.org", "http:evil.example.org", "javascript:alert(1)", "data:text/html,x", "evil.example.org",
    " //evil.example.org", "/\t/evil.example.org", "/\n/evil.example.org", "/\r\nSet-Cookie: a=b", "/\0", "", "?x=/a",
    "/ü", "/\u2028", "/\u202e",
)  # fmt: skip
"""What is no path of ours; each leads to the first page."""
OURS = ("/orders?filter=state:failed&sort=-id", "/interfaces/otto-de/orders", "/login?next=//x", "/orders#top")


@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_sent_elsewhere(target: str) -> None:
    assert inside(target) == "/"


@pytest.mark.parametrize("target", OURS)
def test_a_path_of_ours_is_kept(target: str) -> None:
    assert inside(target) == target


def test_every_form_that_sends_somebody_on_asks_so(site: Site) -> None:
    add_user(site.conn, "erika", PASSWORD, "viewer")
    for target in ELSEWHERE[:4]:
        client = site.browser(None)
        login = client.post("/login", data={"user": "erika", "password": PASSWORD, "next": target})
        again = client.get("/login", params={"next": target})
        theme = client.post("/theme", data={"theme": "dark", "next": target})
        assert [answer.headers["location"] for answer in (login, again, theme)] == ["/", "/", "/"], target


def test_over_https_cookies_are_bound_to_this_host(database_url: str) -> None:
    migrate(database_url)
    with site_over(database_url, secure=True) as site:
        add_user(site.conn, "erika", PASSWORD, "viewer")
        headers = {"Sec-Fetch-Site": "same-origin"}
        with httpx2.Client(base_url=site.url, headers=headers) as client:
            answer = client.post("/login", data={"user": "erika", "password": PASSWORD})
            name, _, rest = answer.headers["set-cookie"].partition("=")
            token, *marks = (part.strip() for part in rest.split(";"))
            assert name == "__Host-connect_session"
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(marks)
            assert not any(mark.lower().startswith("domain") for mark in marks), "a browser would refuse the name"
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            client.cookies.clear()
            for cookie, status in (("connect_session", 303), (name, 200)):
                asked = client.get("/orders", headers={"Cookie": f"{cookie}={token}"})
                assert asked.status_code == status, "a cookie that any page of the domain may set opens nothing"
            theme = client.post("/theme", data={"theme": "dark"}).headers["set-cookie"]
            left = client.post("/logout", headers={"Cookie": f"{name}={token}"}).headers["set-cookie"]
        assert "Secure" in theme
        assert left.startswith('__Host-connect_session="";')
        assert "Secure" in left


def test_raw_bytes_are_a_file_and_nothing_that_a_browser_would_run(site: Site) -> None:
    evil = b"<script>alert(1)</script>\r\nX-Evil: 1"
    refusal: dict[str, Any] = {"event_id": "\r\nX-Evil: 1", "source": '"; filename="evil.html'}
    number, _ = refuse(
        site.conn,
        Refusal(
            "order-imported", "queue", "order-imported", "?", refusal["event_id"], refusal["source"], evil,
            "text/html\r\nX-Evil: 1", "order-imported.v1.otto-de", (Problem("not-json"),),
        ),
    )  # fmt: skip
    answer = site.browser("operator").get(f"/rejections/{number}/raw")
    assert answer.content == evil
    heads = answer.headers
    assert heads["content-type"] == "application/octet-stream"
    assert heads["content-disposition"] == f'attachment; filename="rejection-{number}.json"'
    assert heads["x-content-type-options"] == "nosniff"
    assert heads["content-security-policy"].startswith("default-src 'none'")
    assert heads["cache-control"] == "no-store"
    assert "x-evil" not in heads


def test_a_name_of_a_file_is_ours_whatever_is_asked_for(site: Site) -> None:
    client = site.browser("operator")
    filters = ("x\r\nX-Evil: 1", '"; filename="evil.html', "ü\u202e")
    for form in ("csv", "xlsx"):
        for asked in filters:
            answer = client.get("/api/v1/orders", params={"filter": asked, "format": form})
            assert "x-evil" not in answer.headers
            said = answer.headers.get("content-disposition", "none")
            assert answer.status_code in (200, 400)
            assert "evil" not in said
