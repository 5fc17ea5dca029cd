"""`POST /events`: whatever comes gets a clear answer, nothing is lost, neighbours are not touched; no broker needed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from services.journal.limits import BATCH_TYPE
from tests.support.stored import order_event
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers

SINGLE = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": BATCH_TYPE}


def _event(number: str, **over: Any) -> dict[str, Any]:
    event = order_event(number)
    data = over.pop("data", None)
    return event | over | ({"data": data} if data is not None else {})


def _raw(number: str, **over: Any) -> bytes:
    return json.dumps(_event(number, **over)).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"id": nope}', "not-json"),
    "cut off": (_raw("1")[:-1] + b"!}", "not-json"),
    "wrong type": (_raw("1", data={"interface": "otto-de", "order": 7}), "field-invalid"),
    "unknown version": (_raw("1", type="order-imported.v9"), "version-unknown"),
    "unknown kind": (_raw("1", type="weather.v1"), "type-unknown"),
    "NUL": (_raw("1").replace(b"Erika", b"Eri\\u0000ka"), "nul-character"),
    "half a surrogate pair": (_raw("1").replace(b"Erika", b"Eri\\ud83dka"), ""),
    "NaN": (_raw("1").replace(b'"quantity": 2', b'"quantity": NaN'), "not-json"),
    "ten to the 400": (_raw("1").replace(b'"quantity": 2', b'"quantity": 1' + b"0" * 400), "field-invalid"),
    "deep nesting": (_raw("1").replace(b'"quantity": 2', b'"quantity": ' + b"[" * 5000 + b"]" * 5000), "too-deep"),
    "not UTF-8": (_raw("1").replace(b"Erika", b"Erika\xff"), "not-utf8"),
    "unknown interface": (
        _raw("1", data={**_event("1")["data"], "interface": "nowhere"}),
        "interface-unknown",
    ),
    "a time in 2099": (_raw("1", time="2099-01-01T00:00:00Z"), "time-in-future"),
    "no object": (b'"text"', "field-invalid"),
    "an empty body": (b"", "not-json"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_event_is_rejected_with_its_problem_and_its_neighbours_get_in(site: Site, name: str) -> None:
    raw, code = BAD[name]
    body = b"[" + b",".join([_raw("4711"), raw or b" ", _raw("4712")]) + b"]"
    answer = site.api("publisher").post("/api/v1/events", content=body, headers=BATCH)
    assert answer.status_code == 202, answer.text
    first, bad, last = answer.json()["results"]
    assert (first["outcome"], bad["outcome"], last["outcome"]) == ("accepted", "rejected", "accepted")
    assert bad["problems"]
    assert all(problem["message"] and problem["code"] for problem in bad["problems"])
    if code:
        assert code in {problem["code"] for problem in bad["problems"]}
    kept = site.api("operator").get(f"/api/v1/rejections/{bad['rejection']}").json()
    assert base64.b64decode(kept["raw_base64"]) == raw
    assert count(site.conn, "records WHERE flow = 'order-import'") == 2


@pytest.mark.parametrize("name", ["no JSON", "not UTF-8", "NaN", "deep nesting", "an empty body"])
def test_a_body_that_cannot_be_read_at_all_is_400_and_kept_also_the_second_time(site: Site, name: str) -> None:
    raw, code = BAD[name]
    publisher = site.api("publisher")
    first = publisher.post("/api/v1/events", content=raw, headers=SINGLE)
    again = publisher.post("/api/v1/events", content=raw, headers=SINGLE)
    for answer in (first, again):
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert first.json()["rejection"] == again.json()["rejection"]
    assert count(site.conn, "rejections") == 1


@pytest.mark.parametrize("body", [b"[{}", b"{}", b"[{}] x", b'[{"a": "]', b"[{}}"])
def test_a_batch_that_is_no_array_is_400_and_kept(site: Site, body: bytes) -> None:
    answer = site.api("publisher").post("/api/v1/events", content=body, headers=BATCH)
    assert answer.status_code in (400, 202)
    results = answer.json().get("results", [answer.json()])
    assert all(result["rejection"] for result in results)
    assert count(site.conn, "records") == 0
    assert count(site.conn, "rejections") >= 1


def test_an_event_is_accepted_once_then_a_duplicate_then_with_other_data_rejected(site: Site) -> None:
    publisher = site.api("publisher", ["otto-de"])
    outcomes = [
        publisher.post("/api/v1/events", content=raw, headers=SINGLE).json()["results"][0]
        for raw in (_raw("4711"), _raw("4711"), _raw("4711", data=order_event("4711", total="1.00")["data"]))
    ]
    assert [one["outcome"] for one in outcomes] == ["accepted", "duplicate", "rejected"]
    assert outcomes[2]["problems"][0]["code"] == "id-reused"
    assert (outcomes[0]["id"], outcomes[0]["source"]) == ("e-4711", "/tests")
    fate = site.api("viewer").get("/api/v1/events", params={"source": "/tests", "id": "e-4711"}).json()
    assert fate["outcome"] == "applied"
    assert fate["record"]["id"] == outcomes[0]["record"]


def test_the_same_order_twice_in_one_batch_is_one_record(site: Site) -> None:
    body = b"[" + _raw("4711") + b"," + _raw("4711", id="other") + b"," + _raw("4711") + b"]"
    answer = site.api("publisher").post("/api/v1/events", content=body, headers=BATCH)
    assert [one["outcome"] for one in answer.json()["results"]] == ["accepted", "duplicate", "duplicate"]
    assert count(site.conn, "records WHERE flow = 'order-import'") == 1


def test_an_older_event_is_accepted_and_says_that_it_changes_nothing(site: Site) -> None:
    publisher = site.api("publisher")
    publisher.post("/api/v1/events", content=_raw("4711"), headers=SINGLE)
    old = order_event("4711", total="1.00") | {"id": "older", "time": "2026-11-20T10:00:00Z"}
    result = publisher.post("/api/v1/events", json=old).json()["results"][0]
    assert (result["outcome"], result["remark"]) == ("accepted", "superseded")


def test_a_publisher_gets_403_for_another_interface_and_nothing_is_taken_in(site: Site) -> None:
    publisher = site.api("publisher", ["otto-de"])
    other = _raw("4712", data={**_event("4712")["data"], "interface": "otto-at"})
    for body, headers in ((other, SINGLE), (b"[" + _raw("4711") + b"," + other + b"]", BATCH)):
        answer = publisher.post("/api/v1/events", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-your-interface")
    assert (count(site.conn, "records"), count(site.conn, "arrivals")) == (0, 0)
    # The last of two equal names counts, for the check as for the intake.
    twice = other.replace(b'"interface": "otto-at"', b'"interface": "otto-de", "interface": "otto-at"')
    assert publisher.post("/api/v1/events", content=twice, headers=SINGLE).status_code == 403
    assert site.api("publisher").post("/api/v1/events", content=other, headers=SINGLE).status_code == 202


def test_the_books_balance_after_all_of_it(site: Site) -> None:
    publisher = site.api("publisher")
    for raw, _ in BAD.values():
        publisher.post("/api/v1/events", content=raw, headers=SINGLE)
    publisher.post("/api/v1/events", content=b"[" + _raw("4711") + b"," + _raw("4711") + b"]", headers=BATCH)
    books = site.api("viewer").get("/api/v1/accounting").json()
    assert books["balanced"], books
    assert sum(book["inputs"] for book in books["books"]) == len(BAD) + 2


def test_a_rejection_is_submitted_again_edited_and_only_once(site: Site) -> None:
    refused = site.api("publisher").post("/api/v1/events", content=b'{"id": nope}', headers=SINGLE).json()["rejection"]
    operator = site.api("operator")
    answer = operator.post(f"/api/v1/rejections/{refused}/resubmit", json={"body": _raw("4711").decode()})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted")
    assert operator.get(f"/api/v1/orders/{answer.json()['record']}").json()["number"] == "4711"
    assert operator.post(f"/api/v1/rejections/{refused}/resubmit").status_code == 409
    assert operator.post("/api/v1/rejections/4711/resubmit").status_code == 404
    shown = operator.get(f"/api/v1/rejections/{refused}").json()
    assert (shown["state"], shown["resolved_by"]) == ("resubmitted", "token:operator-")
    surrogate = operator.post("/api/v1/rejections/1/resubmit", content=b'{"body": "\\ud800"}')
    assert surrogate.status_code in (400, 422)
    assert surrogate.headers["content-type"] == "application/problem+json"


def test_what_came_in_is_counted(site: Site) -> None:
    site.api("publisher").post("/api/v1/events", content=_raw("4711"), headers=SINGLE)
    site.api("publisher").post("/api/v1/events", content=b"{", headers=SINGLE)
    value = site.journal.metrics.registry.get_sample_value
    assert value("connect_events_consumed_total", {"event": "order-imported", "outcome": "applied"}) == 1
    assert value("connect_rejections_total", {"queue": "http"}) == 1
