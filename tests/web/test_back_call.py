"""Exports and articles over the API: their columns, filters, requests with a receipt, errands; and their retry."""

from __future__ import annotations

import pytest

from shared.records.errands import finish_errand, take_errand
from tests.support.rows import changed_event, store_article, store_export, store_shipment
from tests.support.stored import store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
PROBLEM = [{"code": "carrier-unknown", "field": "shipments.0.carrier", "values": {"carrier": "GLS"}}]


def _exports(site: Site) -> list[int]:
    """One done, one whose tracking failed, one that is grey, one of the other interface."""
    store_record(site.conn, "4711", state="done", remote="200417")
    done = store_export(
        site.conn, "4711", event=changed_event("4711", erp_number=None), state="done",
        parts={"status": "done", "tracking": "done"},
    )  # fmt: skip
    store_shipment(site.conn, done, "1", "T-4711")
    failed = store_export(
        site.conn, "4712", event=changed_event("4712"), state="failed", reason=PROBLEM, code="carrier-unknown",
        parts={"status": "done", "tracking": "failed"},
    )  # fmt: skip
    grey = store_export(site.conn, "4713")
    other = store_export(site.conn, "4711", event=changed_event("4711"), state="done", interface="otto-at")
    return [done, failed, grey, other]


def test_an_export_shows_both_parts_its_shipments_and_the_decisive_part(site: Site) -> None:
    done, failed, grey, _ = _exports(site)
    viewer = site.api("viewer")
    items = {item["id"]: item for item in viewer.get("/api/v1/exports").json()["items"]}
    assert {"id", "interface", "key", "number", "stage", "state", "reason", "updated_at"} <= items[done].keys()
    assert (items[failed]["stage"], items[failed]["parts"]["tracking"]["state"]) == ("tracking", "failed")
    assert "GLS" in items[failed]["parts"]["tracking"]["reason"]["sentence"]
    assert items[failed]["parts"]["status"]["state"] == "done"
    assert items[done]["erp_number"] == "200417", "the number of the order, where the event has none"
    (shipment,) = items[done]["shipments"]
    assert (shipment["tracking_number"], shipment["state"]) == ("T-4711", "accepted")
    assert items[failed]["tracking_numbers"] == ["T-4712"]
    assert items[failed]["shipments"][0]["state"] is None, "the marketplace was told nothing yet"
    never = {"state": "never", "code": None, "reason": None, "updated_at": None}
    assert items[grey]["parts"] == {"status": never, "tracking": never}
    assert items[grey]["state"] == "never"
    whole = viewer.get(f"/api/v1/exports/{failed}").json()
    assert whole["parts"] == items[failed]["parts"]
    assert whole["payload"]["data"]["order_number"] == "4712"
    assert viewer.get(f"/api/v1/exports/{grey}").json()["payload"] == {}
    assert viewer.get(f"/api/v1/exports/{grey}/history").json() == {"items": []}


@pytest.mark.parametrize(
    ("filter", "numbers"),
    [
        ("tracking:exported interface:otto-de", ["4711"]),
        ("tracking:failed", ["4712"]),
        ("tracking:open", ["4711", "4713"]),
        ("stage:tracking", ["4712"]),
        ("T-4712", ["4712"]),
        ("muster", ["4711"]),
        ("200417", ["4711"]),
        ("carrier-unknown|error:carrier-unknown", ["4712"]),
        ("state:never", ["4713"]),
    ],
)
def test_exports_are_found_by_tracking_part_parcel_and_buyer(site: Site, filter: str, numbers: list[str]) -> None:
    _exports(site)
    found = site.api("viewer").get("/api/v1/exports", params={"filter": filter, "sort": "number"}).json()["items"]
    assert [item["number"] for item in found] == numbers


def test_an_order_is_found_by_the_tracking_number_of_its_parcel(site: Site) -> None:
    _exports(site)
    found = site.api("viewer").get("/api/v1/orders", params={"filter": "T-4711"}).json()["items"]
    assert [item["number"] for item in found] == ["4711"]


def _articles(site: Site) -> None:
    store_article(site.conn, "SH-1", kind="parent", name="Hemd")
    store_article(site.conn, "SH-1/42", kind="variant", parent_sku="SH-1", name="Hemd 42", quantity=5, sent=5, shown=5)
    store_article(site.conn, "SH-1/44", kind="variant", parent_sku="SH-1", name="Hemd 44", quantity=7, sent=7, shown=3)
    store_article(site.conn, "MUG", name="Becher", foreign_sku="M-77", quantity=-2, sent=0, shown_at=None)


def test_an_article_shows_three_quantities_accepted_and_confirmed_apart(site: Site) -> None:
    _articles(site)
    items = {item["sku"]: item for item in site.api("viewer").get("/api/v1/articles").json()["items"]}
    shown = {sku: [i[name] for name in ("erp_quantity", "sent", "shown", "confirmed")] for sku, i in items.items()}
    assert shown == {
        "SH-1": [None, None, None, None],
        "SH-1/42": [5, 5, 5, True],
        "SH-1/44": [7, 7, 3, False],
        "MUG": [-2, 0, None, None],
    }
    variant = items["SH-1/42"]
    assert (variant["type"], variant["parent_sku"], variant["name"]) == ("variant", "SH-1", "Hemd 42")
    assert variant["erp_quantity_at"]
    assert variant["sent_at"]
    assert items["SH-1"]["erp_quantity_at"] is None
    assert (items["SH-1"]["state"], items["SH-1"]["listed_at"] is not None) == ("never", True)
    assert "number" not in variant
    assert site.api("viewer").get(f"/api/v1/articles/{variant['id']}").json()["confirmed"] is True


@pytest.mark.parametrize(
    ("filter", "skus"),
    [
        ("type:variant", ["SH-1/42", "SH-1/44"]),
        ("type:parent", ["SH-1"]),
        ("-type:variant", ["MUG", "SH-1"]),
        ("drift:yes", ["SH-1/44"]),
        ("becher", ["MUG"]),
        ("M-77", ["MUG"]),
    ],
)
def test_articles_are_found_by_kind_name_and_drift(site: Site, filter: str, skus: list[str]) -> None:
    _articles(site)
    found = site.api("viewer").get("/api/v1/articles", params={"filter": filter, "sort": "number"}).json()["items"]
    assert sorted(item["sku"] for item in found) == skus


def test_each_list_has_its_own_records_only(site: Site) -> None:
    done, *_ = _exports(site)
    viewer, operator = site.api("viewer"), site.api("operator")
    assert viewer.get(f"/api/v1/orders/{done}").status_code == 404
    assert viewer.get(f"/api/v1/articles/{done}/history").status_code == 404
    assert operator.post("/api/v1/articles/retry", json={"ids": [done]}).json()["skipped"] == {
        str(done): "is not known"
    }


def test_a_retry_leaves_grey_records_alone_and_says_why(site: Site) -> None:
    _, failed, grey, _ = _exports(site)
    operator = site.api("operator")
    plan = operator.post("/api/v1/exports/retry", json={"filter": "state:failed|never", "dry_run": True}).json()
    assert plan["counts"]["nothing_to_send"] == 1
    run = operator.post("/api/v1/exports/retry", json={"filter": "state:failed|never"}).json()
    assert (run["done"], run["skipped"]) == ([failed], {str(grey): "has nothing to send yet"})
    assert site.conn.execute("SELECT verb FROM audit WHERE verb !~ '^login'").fetchall() == [("exports.retry",)]


def test_what_is_exported_by_number_is_queued_also_if_it_is_there_and_done(site: Site) -> None:
    _exports(site)
    body = {"interface": "otto-de", "numbers": ["4711", "4713", "4799", "x" * 101]}
    answer = site.api("operator").post("/api/v1/exports/export", json=body)
    assert answer.status_code == 202
    assert [one["result"] for one in answer.json()["numbers"]] == ["queued", "queued", "queued", "malformed"]
    assert site.api("viewer").get(answer.headers["location"]).json() == answer.json()
    due = site.conn.execute("SELECT count(*) FROM receipt_numbers WHERE due_at <= now()").fetchone()
    assert due == (3,)


def test_a_selection_of_several_interfaces_is_one_receipt(site: Site) -> None:
    done, failed, grey, other = _exports(site)
    operator = site.api("operator")
    receipt = operator.post("/api/v1/exports/export", json={"filter": "4711|4712", "except": [failed]}).json()
    assert receipt["interface"] is None
    assert [(one["interface"], one["number"], one["result"]) for one in receipt["numbers"]] == [
        ("otto-at", "4711", "queued"),
        ("otto-de", "4711", "queued"),
    ]
    receipt = operator.post("/api/v1/exports/export", json={"ids": [grey, 10**9]}).json()
    assert receipt["interface"] == "otto-de"
    assert [(one["number"], one["result"]) for one in receipt["numbers"]] == [
        ("4713", "queued"),
        (str(10**9), "not-found"),
    ]
    assert done
    assert other


def test_a_sku_may_be_long_and_have_blanks(site: Site) -> None:
    body = {"interface": "otto-de", "numbers": ["Größe 42, blau", "x" * 200, "x" * 201]}
    receipt = site.api("operator").post("/api/v1/articles/sync", json=body).json()
    assert [one["result"] for one in receipt["numbers"]] == ["queued", "queued", "malformed"]
    assert receipt["verb"] == "sync"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"numbers": ["1"]},
        {"interface": "otto-de"},
        {"interface": "otto-de", "numbers": ["1"], "ids": [1]},
        {"interface": "otto-de", "filter": "state:done"},
        {"ids": [1], "except": [2]},
        {"numbers": [], "interface": "otto-de"},
        {"interface": "otto-de", "numbers": ["1"], "dryrun": True},
    ],
)
def test_a_request_that_is_not_clear_is_refused_whole(site: Site, body: dict[str, object]) -> None:
    for path in ("orders/import", "exports/export", "articles/sync"):
        assert site.api("operator").post(f"/api/v1/{path}", json=body).status_code == 422, path
    assert count(site.conn, "receipts") == 0


def test_unknown_interfaces_and_filters_are_named(site: Site) -> None:
    operator = site.api("operator")
    for path, body in (
        ("exports/export", {"interface": "oto-de", "numbers": ["1"]}),
        ("articles/listing", {"interface": "oto-de"}),
        ("articles/check", {"interface": "oto-de"}),
    ):
        answer = operator.post(f"/api/v1/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "interface-unknown")
    answer = operator.post("/api/v1/articles/sync", json={"filter": "stat:done"})
    assert (answer.status_code, answer.json()["term"]) == (400, "stat:done")


def test_an_errand_is_asked_for_once_and_tells_how_far_it_is(site: Site) -> None:
    operator = site.api("operator")
    first = operator.post("/api/v1/articles/check", json={"interface": "otto-de"})
    assert (first.status_code, first.json()["verb"], first.json()["finished_at"]) == (202, "drift", None)
    again = operator.post("/api/v1/articles/check", json={"interface": "otto-de"})
    assert again.json()["id"] == first.json()["id"], "one that is under way is the same wish"
    taken = take_errand(site.conn, 60)
    assert taken is not None
    finish_errand(site.conn, taken, {"articles": 3})
    found = site.api("viewer").get(first.headers["location"]).json()
    assert (found["result"], found["finished_at"] is not None) == ({"articles": 3}, True)
    assert site.api("viewer").get("/api/v1/errands/00000000-0000-0000-0000-000000000000").status_code == 404


def test_the_description_names_every_call_of_the_three_lists(site: Site) -> None:
    paths = site.api(None).get("/api/v1/openapi.json").json()["paths"]
    for name, verb in (("orders", "import"), ("exports", "export"), ("articles", "sync")):
        for path in ("", f"/{verb}", "/retry", "/{id}", "/{id}/history"):
            assert f"/api/v1/{name}{path}" in paths
    ids = [call["operationId"] for path in paths.values() for call in path.values()]
    assert len(ids) == len(set(ids))
    assert paths["/api/v1/articles/sync"]["post"]["description"].startswith("Read the quantities")
