"""Orders over the API: lists, one order, history, retry by id and filter, import; viewers see initials."""

from __future__ import annotations

import pytest

from tests.support.stored import store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
PROBLEM = [{"code": "payment-unmapped", "field": "order.payment.method", "values": {"payment": "PAYPAL"}}]


def _store(site: Site) -> list[int]:
    return [
        store_record(site.conn, "4711", state="failed", reason=PROBLEM, code="payment-unmapped"),
        store_record(site.conn, "4712", state="done", remote="200417"),
        store_record(site.conn, "4713", state="running"),
        store_record(site.conn, "4714", state="failed", reason=PROBLEM, code="payment-unmapped", interface="otto-at"),
    ]


def test_a_list_goes_page_by_page_and_counts_all(site: Site) -> None:
    _store(site)
    viewer, seen, cursor = site.api("viewer"), [], None
    while True:
        asked = {"limit": 1, "sort": "number"} | ({"cursor": cursor} if cursor else {})
        page = viewer.get("/api/v1/orders", params=asked).json()
        assert page["total"] == {"count": 4, "capped": False}
        seen += [item["number"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["4711", "4712", "4713", "4714"]
    found = viewer.get("/api/v1/orders", params={"filter": "state:failed interface:otto-de"}).json()["items"]
    assert [item["number"] for item in found] == ["4711"]
    assert {"id", "interface", "key", "stage", "state", "reason", "updated_at"} <= found[0].keys()


def test_a_viewer_sees_initials_and_an_operator_the_name(site: Site) -> None:
    first, *_ = _store(site)
    for path in ("/api/v1/orders", f"/api/v1/orders/{first}"):
        masked, shown = site.api("viewer").get(path).text, site.api("operator").get(path).text
        assert "Muster" not in masked
        assert "e@example.org" not in masked
        assert "Muster" in shown


def test_a_viewer_does_not_get_the_raw_body_of_a_rejection(site: Site) -> None:
    site.api("publisher").post("/api/v1/events", content=b'{"name": "Erika Muster"', headers={})
    site.api("publisher").post("/api/v1/events", json={"name": "Erika Muster"})
    assert count(site.conn, "rejections") >= 1
    viewer = site.api("viewer").get("/api/v1/rejections/1").json()
    assert viewer["raw"] is None
    assert viewer["raw_base64"] is None
    assert viewer["problems"]


def test_the_history_is_newest_first_and_unknown_orders_are_404(site: Site) -> None:
    raw = {"Content-Type": "application/json"}
    from tests.support.stored import order_event

    record = site.api("publisher").post("/api/v1/events", json=order_event("4711"), headers=raw).json()["results"][0]
    items = site.api("viewer").get(f"/api/v1/orders/{record['record']}/history").json()["items"]
    assert [item["stage"] for item in items] == ["erp", "connect"]
    assert (items[1]["source"], items[1]["target"]) == ("OTTO Market", "Connect")
    assert site.api("viewer").get("/api/v1/orders/99/history").status_code == 404


def test_a_retry_sets_due_and_says_what_it_left_alone(site: Site) -> None:
    failed, _, running, _ = _store(site)
    operator = site.api("operator")
    run = operator.post("/api/v1/orders/retry", json={"ids": [failed, running, 99]}).json()
    assert run["counts"] == {"matched": 3, "done": 1, "skipped": 2}
    assert run["done"] == [failed]
    assert set(run["skipped"]) == {str(running), "99"}
    assert operator.get(f"/api/v1/bulk/{run['id']}").json() == run
    assert operator.get(f"/api/v1/orders/{failed}").json()["state"] == "pending"
    assert site.conn.execute("SELECT actor, verb FROM audit WHERE verb !~ '^login'").fetchall() == [
        ("token:operator-", "orders.retry")
    ]


def test_a_retry_by_filter_spares_the_exceptions_and_a_dry_run_everything(site: Site) -> None:
    first, _, _, other = _store(site)
    operator, body = site.api("operator"), {"filter": "state:failed", "except": [other]}
    plan = operator.post("/api/v1/orders/retry", json=body | {"dry_run": True}).json()
    assert plan["counts"]["by_state"] == {"failed": 1}
    assert count(site.conn, "bulk_runs") == 0
    run = operator.post("/api/v1/orders/retry", json=body).json()
    assert (run["done"], run["filter"], run["except"]) == ([first], "state:failed", [other])
    assert operator.get(f"/api/v1/orders/{other}").json()["state"] == "failed"


def test_an_import_answers_with_a_receipt_that_names_every_number(site: Site) -> None:
    _store(site)
    answer = site.api("operator").post(
        "/api/v1/orders/import", json={"interface": "otto-de", "numbers": ["4711", "4799", "x" * 200]}
    )
    assert answer.status_code == 202
    assert [one["result"] for one in answer.json()["numbers"]] == ["exists", "queued", "malformed"]
    assert site.api("viewer").get(answer.headers["location"]).json() == answer.json()


def test_an_order_done_by_hand_is_linked_and_said_so(site: Site) -> None:
    failed, done, running, _ = _store(site)
    operator, path = site.api("operator"), "/api/v1/orders/{}/done-by-hand"
    answer = operator.post(path.format(failed), json={"erp_number": " 200418 "})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["code"]) == ("done", "done-by-hand")
    assert site.conn.execute("SELECT remote FROM records WHERE id = %s", (failed,)).fetchone() == ("200418",)
    assert site.conn.execute("SELECT verb FROM audit WHERE verb !~ '^login'").fetchall() == [("orders.done-by-hand",)]
    for other in (done, running):
        refused = operator.post(path.format(other), json={"erp_number": "1"})
        assert (refused.status_code, refused.json()["code"]) == (409, "state-does-not-allow-it")
    assert operator.post(path.format(99), json={"erp_number": "1"}).status_code == 404
    assert operator.post(path.format(failed), json={"erp_number": " "}).status_code == 422


def test_status_and_interfaces_tell_no_secrets(site: Site) -> None:
    _store(site)
    site.conn.execute(
        "INSERT INTO sides(interface, side, settings, sealed, calls_per_second)"
        " VALUES ('otto-de', 'erp', '{\"host\": \"hidden\"}', 'sealed', 1)"
    )
    status = site.api("viewer").get("/api/v1/status")
    assert "hidden" not in status.text
    assert "sealed" not in status.text
    assert "journal" in {service["name"] for service in status.json()["services"]}
    assert {(one["interface"], one["state"], one["count"]) for one in status.json()["backlog"]} == {
        ("otto-de", "failed", 1),
        ("otto-de", "running", 1),
        ("otto-at", "failed", 1),
    }
    assert site.api("viewer").get("/api/v1/interfaces/otto-de").json()["mode"] == "live"
