"""Every error of the API is problem+json with a code, a sentence and no personal data; limits hold while reading."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from services.journal.app import create_app
from services.journal.limits import BATCH_EVENTS, BATCH_TYPE, EVENT_BYTES
from tests.web.conftest import Site, count, served

pytestmark = pytest.mark.servers


def _problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= told.keys()
    assert (told["status"], told["code"]) == (status, code)
    assert told["detail"]
    return told


def test_errors_have_one_shape(site: Site) -> None:
    admin = site.api("admin")
    _problem(admin.get("/api/v1/nowhere"), 404, "not-found")
    _problem(admin.get("/api/v1/orders/4711"), 404, "not-found")
    _problem(admin.get(f"/api/v1/orders/{2**70}"), 404, "not-found")
    _problem(admin.delete("/api/v1/orders"), 405, "method-not-allowed")
    _problem(admin.get("/api/v1/orders/x"), 422, "invalid-request")
    _problem(admin.get("/api/v1/orders", params={"limit": "1001"}), 422, "invalid-request")
    _problem(admin.get("/api/v1/orders", params={"format": "pdf"}), 422, "invalid-request")
    _problem(admin.get("/api/v1/orders", params={"sort": "colour"}), 400, "list-not-understood")
    _problem(admin.get("/api/v1/orders", params={"cursor": "AAAA"}), 400, "list-not-understood")
    _problem(admin.post("/api/v1/orders/import", json={"interface": "x", "numbers": ["1"]}), 404, "interface-unknown")
    _problem(admin.get("/api/v1/accounting", params={"interface": "x"}), 404, "interface-unknown")
    _problem(admin.get("/api/v1/events", params={"source": "/a", "id": "b"}), 404, "event-unknown")


def test_a_filter_that_is_not_understood_names_the_term(site: Site) -> None:
    for text in ("sttate:failed", "state:faild", "interface:nowhere", "ordered>=soon"):
        told = _problem(
            site.api("viewer").get("/api/v1/orders", params={"filter": f"4711 {text}"}), 400, "filter-not-understood"
        )
        assert told["term"] == text
        assert text.split(":")[0] in told["detail"]


def test_a_validation_error_names_the_field_and_does_not_repeat_the_input(site: Site) -> None:
    body = {"name": "kim", "password": ["my secret"], "role": "viewer", "colour": "my secret"}
    answer = site.api("admin").post("/api/v1/users", json=body)
    told = _problem(answer, 422, "invalid-request")
    assert {problem["field"] for problem in told["problems"]} == {"body.password", "body.colour"}
    assert "my secret" not in answer.text


def test_a_misspelt_dry_run_does_not_run(site: Site) -> None:
    for body in ({"ids": [1], "dryrun": True}, {"ids": [1], "filter": ""}, {}, {"ids": [1], "except": [1]}):
        _problem(site.api("operator").post("/api/v1/orders/retry", json=body), 422, "invalid-request")


def test_what_breaks_inside_is_a_500_without_anything_of_the_inside(site: Site) -> None:
    site.conn.execute("ALTER TABLE bulk_runs RENAME TO gone")
    told = _problem(site.api("admin").get("/api/v1/bulk/00000000-0000-0000-0000-000000000000"), 500, "internal-error")
    assert "bulk_runs" not in json.dumps(told)
    assert told["fingerprint"]


def test_when_all_connections_are_taken_the_answer_is_503_with_retry_after(site: Site) -> None:
    held = [site.journal.pool.getconn() for _ in range(4)]
    try:
        answer = site.api("admin").get("/api/v1/orders")
    finally:
        for conn in held:
            site.journal.pool.putconn(conn)
    _problem(answer, 503, "overloaded")
    assert int(answer.headers["retry-after"]) > 0
    assert site.api("admin").get("/api/v1/orders").status_code == 200


def test_more_requests_at_once_than_allowed_get_503_at_once(site: Site) -> None:
    with served(create_app(site.journal, at_once=0)) as url:
        answer = site.api("admin").get(f"{url}/api/v1/orders")
    _problem(answer, 503, "overloaded")
    assert "retry-after" in answer.headers


def test_a_body_over_the_limit_is_413_by_its_announced_length(site: Site) -> None:
    answer = site.api("admin").post(
        "/api/v1/events", content=b" " * (EVENT_BYTES + 1), headers={"Content-Type": "application/json"}
    )
    _problem(answer, 413, "too-large")
    answer = site.api("admin").post("/api/v1/users", content=b" " * 300_000)
    _problem(answer, 413, "too-large")
    assert count(site.conn, "rejections") == 0


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/users"])
def test_a_body_without_a_length_is_cut_off_while_it_is_read(site: Site, path: str) -> None:
    where = urlsplit(site.url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {site.token('admin')}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as link:
        link.sendall(head.encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = b""
        for _ in range(17):  # a little over a megabyte, and no end in sight
            try:
                link.sendall(chunk)
            except OSError:
                break
        while b"\r\n\r\n" not in answer:
            got = link.recv(65536)
            if not got:
                break
            answer += got
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer


def test_a_batch_has_at_most_a_thousand_events_of_a_mebibyte_each(site: Site) -> None:
    admin, headers = site.api("admin"), {"Content-Type": BATCH_TYPE}
    many = b"[" + b",".join([b"{}"] * (BATCH_EVENTS + 1)) + b"]"
    _problem(admin.post("/api/v1/events", content=many, headers=headers), 413, "too-many")
    large = b'[{},{"id":"' + b"x" * EVENT_BYTES + b'"}]'
    told = _problem(admin.post("/api/v1/events", content=large, headers=headers), 413, "too-large")
    assert told["indexes"] == [1]
    assert (count(site.conn, "rejections"), count(site.conn, "arrivals")) == (0, 0)
    assert admin.post("/api/v1/events", content=b"[]", headers=headers).json() == {"results": []}


def test_an_unknown_media_type_says_which_are_known(site: Site) -> None:
    told = _problem(site.api("admin").post("/api/v1/events", data={"a": "b"}), 415, "media-type")
    assert "application/cloudevents+json" in told["detail"]


def test_the_description_names_the_calls_and_the_rule_for_publishers(site: Site) -> None:
    schema = site.api(None).get("/api/v1/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    assert "gets 403" in schema["paths"]["/api/v1/events"]["post"]["description"]
    assert all(path.startswith("/api/v1/") for path in schema["paths"])
