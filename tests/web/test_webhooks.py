"""`POST /webhooks/{slug}`: what is signed is noted fast, what is not is refused, visibly and once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from services.journal.limits import OTHER_BYTES
from shared.connectors.registry import discover
from shared.connectors.xentral.webhook import signature
from shared.records.interfaces import NewSide, save_side
from shared.seal import Seal
from tests.support.creating import SEAL
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
KEY = "a-signature-key-of-the-tests"
PATH = "/api/v1/webhooks/otto-de"
ARTICLE = {"type": "com.xentral.storageItem.movement.v1", "body": {"productId": 7, "storageLocationId": 1}}


@pytest.fixture
def hooked(site: Site) -> Iterator[Site]:
    """The ERP side of otto-de has a signature key."""
    set_key(site, KEY)
    object.__setattr__(site.journal, "seal", SEAL)
    object.__setattr__(site.journal, "connectors", discover())
    yield site
    books = site.api("viewer").get("/api/v1/accounting").json()
    assert books["balanced"], books


def set_key(site: Site, key: str | None) -> None:
    secrets = {"token": "demo", **({"webhook_key": key} if key else {})}
    save_side(site.conn, SEAL, "otto-de", "erp", NewSide({"base_url": "http://127.0.0.1:9"}, secrets, 1.0))


def call(site: Site, body: bytes, *, path: str = PATH, key: str = KEY, at: float = 0.0, **more: str) -> httpx2.Response:
    stamp = str(int(time.time() + at))
    headers = {"xentral-signature": signature(key, body, stamp), "xentral-request-timestamp": stamp, **more}
    return site.api(None).post(path, content=body, headers={"Content-Type": "application/json", **headers})


def raw(event: Any = ARTICLE) -> bytes:
    return json.dumps(event).encode()


def hints(site: Site) -> list[tuple[Any, ...]]:
    return site.conn.execute("SELECT kind, id, no FROM hints ORDER BY kind, id").fetchall()


def test_a_signed_webhook_becomes_a_hint_that_counts_how_often_it_came(hooked: Site) -> None:
    for _ in range(3):
        answer = call(hooked, raw())
        assert (answer.status_code, answer.content) == (204, b"")
    assert hints(hooked) == [("article", "7", 3)]
    assert count(hooked.conn, "rejections") == 0
    value = hooked.journal.metrics.registry.get_sample_value
    assert value("connect_webhooks_total", {"interface": "otto-de", "outcome": "accepted"}) == 3
    assert value("connect_last_webhook_timestamp_seconds", {"interface": "otto-de"}) == pytest.approx(
        time.time(), abs=60
    )


def test_an_order_is_looked_at_once_the_search_shows_it_and_an_article_soon(hooked: Site) -> None:
    call(hooked, raw())
    call(hooked, raw({"type": "com.xentral.salesOrder.released.v1", "body": {"salesOrderId": 3}}))
    due = dict(hooked.conn.execute("SELECT kind, extract(epoch FROM due_at - seen_at)::float8 FROM hints").fetchall())
    assert due == {"article": 1.0, "order": discover()["xentral"].lookup_lag}


def test_an_event_that_says_nothing_to_us_is_answered_like_the_others(hooked: Site) -> None:
    assert call(hooked, raw({"type": "com.xentral.ticket.received.v1", "body": {"id": 1}})).status_code == 204
    assert hints(hooked) == []
    assert hooked.journal.metrics.registry.get_sample_value(
        "connect_webhooks_total", {"interface": "otto-de", "outcome": "ignored"}
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "another key altogether"}, "webhook-signature-wrong"),
        ({"at": -3600.0}, "webhook-too-old"),
        ({"at": 3600.0}, "webhook-too-old"),
        ({"xentral-signature": ""}, "webhook-signature-wrong"),
        ({"xentral-request-timestamp": "now"}, "webhook-signature-wrong"),
    ],
)
def test_what_is_not_believed_is_refused_with_its_reason_and_shown_once(
    hooked: Site, change: dict[str, Any], code: str
) -> None:
    for number in range(5):
        answer = call(hooked, raw({**ARTICLE, "no": number}), **change)
        assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["steps"]
    assert hints(hooked) == []
    (shown,) = hooked.api("viewer").get("/api/v1/rejections").json()["items"]
    assert (shown["queue"], shown["origin"], shown["interface"]) == ("webhook", "webhook of otto-de", "otto-de")
    assert shown["problems"][0]["code"] == code
    value = hooked.journal.metrics.registry.get_sample_value
    assert value("connect_rejections_total", {"queue": "webhook"}) == 5
    assert value("connect_webhooks_total", {"interface": "otto-de", "outcome": code}) == 5


def test_each_reason_is_shown_and_again_after_somebody_dealt_with_it(hooked: Site) -> None:
    call(hooked, raw(), key="wrong key")
    call(hooked, raw(), at=-9999.0)
    assert count(hooked.conn, "rejections") == 2
    hooked.conn.execute("UPDATE rejections SET state = 'resubmitted'")
    call(hooked, raw(), key="wrong key")
    assert count(hooked.conn, "rejections") == 3


def test_without_a_key_nobody_is_believed(hooked: Site) -> None:
    set_key(hooked, None)
    answer = call(hooked, raw())
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook-key-missing")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff\x00", b'{"type": "x"}'])
def test_a_signed_body_that_is_no_event_is_400_and_kept(hooked: Site, body: bytes) -> None:
    answer = call(hooked, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook-unreadable")
    assert count(hooked.conn, "rejections") == 1
    assert hints(hooked) == []


@pytest.mark.parametrize("slug", ["nowhere", "UPPER", "a b", "otto-de%00", "x" * 300])
def test_an_interface_that_is_not_there_is_404(hooked: Site, slug: str) -> None:
    answer = call(hooked, raw(), path=f"/api/v1/webhooks/{slug}")
    assert answer.status_code == 404
    assert count(hooked.conn, "rejections") == 0


def test_an_interface_whose_erp_has_no_webhooks_says_so(hooked: Site) -> None:
    answer = call(hooked, raw(), path="/api/v1/webhooks/otto-at")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-webhooks")
    hooked.conn.execute("UPDATE interfaces SET erp = 'otto' WHERE slug = 'otto-de'")
    assert call(hooked, raw()).json()["code"] == "no-webhooks"


def test_a_body_that_is_too_large_is_413_before_it_is_read(hooked: Site) -> None:
    answer = call(hooked, b"x" * (OTHER_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert count(hooked.conn, "rejections") == 0


def test_no_session_and_no_origin_are_asked_for(hooked: Site) -> None:
    assert call(hooked, raw(), Origin="https://erp.example.org", Cookie="a=b").status_code == 204
    answer = call(hooked, raw(), **{"Sec-Fetch-Site": "cross-site", "Authorization": "Basic eDp5"})
    assert answer.status_code == 204
    assert hooked.api(None).get(PATH).status_code == 405


def test_credentials_that_cannot_be_opened_are_said(hooked: Site) -> None:
    object.__setattr__(hooked.journal, "seal", Seal("another-secret-key-of-the-tests"))
    answer = call(hooked, raw())
    assert (answer.status_code, answer.json()["code"]) == (503, "not-set-up")
    assert answer.headers["retry-after"]
