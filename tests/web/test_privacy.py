"""A person's data by page and API: looked up, handed out, erased, by an admin and for a reason."""

from __future__ import annotations

import re

import pytest

from shared.people.audit import read_audit
from shared.privacy.steps import step
from tests.support.stored import store_record
from tests.web.conftest import Site

pytestmark = pytest.mark.servers
MAIL = "e@example.org"


def carried_out(site: Site, deed: str) -> None:
    """What the Journal's loop does."""
    while step(site.conn, deed, list, lambda _: None) is not None:  # type: ignore[arg-type]
        pass


def test_an_admin_looks_up_hands_out_and_erases_on_the_page(site: Site) -> None:
    store_record(site.conn, "4711", state="done")
    store_record(site.conn, "4712", state="failed")
    admin = site.browser("admin", language="de")
    for said, words in (
        ({"email": MAIL, "number": "1", "reason": "Ticket 812"}, "mit einer Angabe"),
        ({"email": MAIL}, "in wenigen Worten warum"),
        ({"name": "Erika Muster", "reason": "Ticket 812"}, "gehört eine Postleitzahl"),
    ):
        refused = admin.post("/privacy", data=said)
        assert (refused.status_code, words in refused.text) == (422, True), refused.text
    sent = admin.post("/privacy", data={"email": MAIL, "reason": "Ticket 812"})
    assert sent.status_code == 303
    deed = sent.headers["location"].rpartition("/")[2]
    under_way = admin.get(f"/privacy/{deed}")
    assert (under_way.headers["refresh"], "<progress" in under_way.text) == ("2", True)
    assert admin.post(f"/privacy/{deed}/export").status_code == 409
    carried_out(site, deed)

    shown = admin.get(f"/privacy/{deed}")
    assert "refresh" not in shown.headers
    assert re.search(r"<dt>Aufträge und Exporte</dt><dd>2</dd>", shown.text)
    assert "4712" in shown.text, "it would stay"
    file = admin.post(f"/privacy/{deed}/export")
    assert "attachment" in file.headers["content-disposition"]
    assert [one["number"] for one in file.json()["found"]] == ["4711", "4712"]
    assert MAIL in file.text

    assert admin.post(f"/privacy/{deed}/erase", data={"reason": "Ticket 812"}).status_code == 422, "not ticked"
    assert admin.post(f"/privacy/{deed}/erase", data={"reason": "Ticket 812", "sure": "1"}).status_code == 303
    carried_out(site, deed)
    over = admin.get(f"/privacy/{deed}").text
    assert "ist noch unterwegs (otto-de)" in over
    assert "Endgültig löschen" not in over, "there is nothing to go on from"
    bodies: dict[int, str] = dict(
        site.conn.execute("SELECT record_id, convert_from(body, 'UTF8') FROM payloads").fetchall()
    )
    assert [MAIL in body for _, body in sorted(bodies.items())] == [False, True]
    assert MAIL not in admin.get("/privacy").text
    viewer = site.browser("viewer").get("/orders?filter=4711").text
    assert "(erased)" in viewer
    verbs = [line["verb"] for line in read_audit(site.conn) if line["verb"].startswith("privacy.")]
    assert verbs == ["privacy.erased", "privacy.erase", "privacy.export", "privacy.find"]


def test_programs_do_the_same_and_hold_orders(site: Site) -> None:
    store_record(site.conn, "4711", state="done")
    api = site.api("admin")
    held = {"interface": "otto-de", "number": "4711", "reason": "case 12/26"}
    assert api.post("/api/v1/privacy/holds", json={**held, "number": "4\0711"}).status_code == 404
    assert api.post("/api/v1/privacy/holds", json=held).json()["held"] is True
    person = {"kind": "erase", "number": "4711", "reason": "ticket 812"}
    assert api.post("/api/v1/privacy", json=person | {"interface": "nowhere"}).status_code == 422
    assert api.post("/api/v1/privacy", json=person | {"number": ""}).json()["type"].endswith("privacy-who")
    dry = api.post("/api/v1/privacy", json=person | {"dry_run": True}).json()
    carried_out(site, dry["id"])
    told = api.get(f"/api/v1/privacy/{dry['id']}").json()
    assert (told["kind"], told["percent"], told["would_go"], told["would_stay"][0]["why"]) == ("find", 100, 0, "held")
    assert api.post("/api/v1/privacy/holds/release", json=held).json()["held"] is False
    erased = api.post(f"/api/v1/privacy/{dry['id']}/erase", json={"reason": "ticket 812"})
    assert erased.status_code == 202
    carried_out(site, dry["id"])
    told = api.get(f"/api/v1/privacy/{dry['id']}").json()
    assert (told["state"], told["counts"]["records"], told["left_alone"], told["named_by"]) == ("done", 1, [], None)
    assert api.post(f"/api/v1/privacy/{dry['id']}/erase", json={"reason": "again"}).status_code == 409
    assert api.get("/api/v1/privacy").json()["items"][0]["id"] == dry["id"]
