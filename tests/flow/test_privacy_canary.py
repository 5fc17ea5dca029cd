"""A person is erased: nothing of them is left in a dump of the database, in the logs, or in the broker.

Before that the same search finds them in all these places, so it can fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.cli.local.ports import any_free
from shared.broker.apply import depths
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from shared.db.connect import connect
from shared.people.tokens import create_token
from tests.support.canaries import (
    CANARY,
    EMAIL,
    NAME,
    change_with_canaries,
    in_dump,
    in_files,
    order_with_canaries,
)
from tests.support.sandbox import sandbox
from tests.support.system import System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

PLACES = {
    "payloads", "events", "search_texts", "rejections", "exchanges", "views", "causes", "audit", "bulk_runs", "ignored",
    "attempts", "records", "transitions", "shipments",
}  # fmt: skip
"""Where the person has to be found before; `records` and the like by what a remote system or a person said."""
ASKED = ("--email", EMAIL, "--reason", "ticket 812")


@pytest.fixture
def system(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[System]:
    # Stand-ins of its own: what an earlier test left at one would be fetched, refused and counted here.
    with sandbox(tmp_path / "sandbox") as stand, running(System(tmp_path, database_url, broker_url, stand)) as made:
        stand.settings("xentral", search_lag=0.0)
        made.prepare()
        yield made


def publish(url: str, *messages: Message) -> None:
    """Confirmed."""
    publisher = open_publisher(url, name="tests")
    try:
        assert publisher.publish(messages) == [Fate.CONFIRMED] * len(messages)
    finally:
        publisher.close()


def queued(system: System) -> dict[str, int]:
    """What waits in the broker, wake-ups left out: those carry names of interfaces."""
    return {name: many for name, many in depths(system.broker_url).items() if many and "wake" not in name}


def states(system: System, flow: str, number: str) -> dict[str, str]:
    """State by the end of the number, of the person's orders."""
    like = f"{number}-%"
    found = system.query("SELECT key, state FROM records WHERE flow = %s AND key LIKE %s ORDER BY key", flow, like)
    return {key.rpartition("-")[2]: state for key, state in found}


def count(system: System, table: str) -> int:
    """Rows of a table."""
    return int(system.query(f"SELECT count(*) FROM {table}")[0][0])


def privacy(system: System, name: str, *words: str) -> Any:
    """`connect privacy … --json`."""
    said = system.start(name, module=("services.cli", "privacy", *words, "--json"))
    assert said.wait(90) in (0, 1), system.log_text(name)
    system.processes.pop(name)
    return json.loads(system.log_text(name))


def test_nothing_is_left_of_a_person_who_was_erased(system: System, number: str) -> None:
    port = any_free()
    for service in ("importer", "exporter", "alerts"):
        system.start(service, service)
    system.start("journal", "journal", port=str(port))
    with connect(system.database_url, "tests") as conn:
        token = create_token(conn, "tests", "admin")
    head = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=head, trust_env=False, timeout=30) as api:
        put_everywhere(system, api, number)

    before = in_dump(system.database_url)
    assert before.keys() >= PLACES, f"the search does not see {PLACES - before.keys()}"
    dry = privacy(system, "dry-run", "erase", *ASKED, "--dry-run")
    assert (dry["would_go"], dry["would_stay"]) == (4, []), dry
    assert in_dump(system.database_url).keys() >= before.keys(), "a dry run changes nothing"

    erased = privacy(system, "erase", "erase", *ASKED)
    assert erased["left_alone"] == [], erased
    assert in_dump(system.database_url) == {}
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
    assert {key: many for key, many in system.ledger().items() if key.startswith(number)} == {
        f"{number}-1": 1, f"{number}-2": 1, f"{number}-other": 1}  # fmt: skip

    # The same again brings nothing back.
    system.publish([order_with_canaries(f"{number}-1")])
    until(lambda: count(system, "duplicates") == 1, "it is known", 90)
    assert states(system, "order-import", number) == {"1": "done", "2": "done", "other": "done"}
    assert in_dump(system.database_url) == {}
    until(lambda: not queued(system), "the broker holds nothing", 90)
    for name in ("importer", "exporter", "alerts", "journal"):
        assert system.end(name) == 0
    assert in_files(system.folder.glob("*.log")) == {}


def put_everywhere(system: System, api: httpx2.Client, number: str) -> None:
    """By broker and by HTTP, taken in and refused, from dead letters and from where nothing is routed, and by hand."""
    system.publish([order_with_canaries(f"{number}-1"), order_event(f"{number}-other")])
    until(lambda: api_is_there(api), "the Journal answers", 120)
    refused = order_with_canaries(f"{number}-3")
    refused["data"]["order"]["currency"] = CANARY
    batch = json.dumps([order_with_canaries(f"{number}-2"), refused])
    posted = api.post("/events", content=batch, headers={"Content-Type": "application/cloudevents-batch+json"}).json()
    assert [one["outcome"] for one in posted["results"]] == ["accepted", "rejected"], posted
    dead = order_with_canaries(f"{number}-4") | {"time": "long ago"}
    publish(
        system.broker_url,
        Message(json.dumps(dead).encode(), "order-imported.dead", exchange=""),
        Message(f"no event, but about {EMAIL}".encode(), "nobody-listens.v1.otto-de"),
    )
    until(
        lambda: states(system, "order-import", number) == {"1": "done", "2": "done", "other": "done"},
        "all are in the ERP",
        120,
    )
    system.publish([change_with_canaries(f"{number}-1")], "order-changed")
    until(lambda: states(system, "order-export", number).get("1") == "failed", "the shop does not know the order", 120)
    until(lambda: count(system, "rejections") == 3, "all is taken in", 90)
    group = api.get("/groups").raise_for_status().json()["items"][0]["id"]
    api.patch(f"/groups/{group}", json={"note": f"{NAME} rang twice"}).raise_for_status()
    view = {"name": "hers", "resource": "orders", "filter": f"{EMAIL} state:failed"}
    api.post("/views", json=view).raise_for_status()
    ignore = {"filter": f"{EMAIL} state:failed", "why": f"{EMAIL} has it by now", "undo_seconds": 0}
    api.post("/exports/ignore", json=ignore).raise_for_status()
    until(lambda: states(system, "order-export", number)["1"] == "skipped", "it is left alone", 90)
    # What remote systems and the exporter write down where an order is known there.
    order = f"(SELECT id FROM records WHERE key = '{number}-1' AND flow = 'order-import')"
    problem = json.dumps([{"code": "remote-refused", "field": "", "values": {"detail": f"no customer {NAME}"}}])
    system.change(f"UPDATE records SET reason = %s::jsonb WHERE id = {order}", problem)
    system.change(f"UPDATE transitions SET reason = %s::jsonb WHERE record_id = {order} AND seq = 3", problem)
    system.change(f"UPDATE attempts SET detail = %s::jsonb WHERE record_id = {order}", json.dumps({"said": NAME}))
    system.change(
        "INSERT INTO shipments(record_id, shipment, state, carrier, tracking_number, units, document, claim_no)"
        f" VALUES ({order}, 's-1', 'confirmed', 'DHL', %s, '{{}}', %s::jsonb, 1)",
        f"{CANARY}-1", json.dumps({"to": NAME}),
    )  # fmt: skip
    until(lambda: count(system, "search_stale") == 0, "the search knows all", 90)


def api_is_there(api: httpx2.Client) -> bool:
    """Whether it answers yet."""
    try:
        return api.get("/me").status_code == 200
    except httpx2.TransportError:
        return False
