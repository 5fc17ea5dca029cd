"""A whole installation: no service has labels without bounds, and what counts is true after kill -9."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.db.connect import Connection, connect
from shared.errors.catalogue import catalogue
from shared.records.states import State
from shared.rollup.stretch import QUEUES
from tests.support import rolled
from tests.support.installation import Installation
from tests.support.system import order_event
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
ODD = ("nobody-shop", "SKU/ödd-4711", "number-odd-4712", "What a shop says: 4713", "strange.v9", "odd-webhook")
FLOWS = {"order-import", "order-export", "stock", "infrastructure"}
EVENTS = {"order-imported", "order-changed", "stock-changed", "unknown", "webhook"}
WORDS: Mapping[str, set[str]] = {
    "interface": {"otto-de", "?", ""},
    "flow": FLOWS,
    "stage": {"connect", "erp", "marketplace", "status", "tracking", "stock"},
    "state": set(State),
    "side": {"marketplace", "erp"},
    "event": EVENTS,
    "queue": {*QUEUES},
    "severity": {"warning", "error"},
    "outcome": {"applied", "duplicate", "superseded", "no-target", "rejected", "accepted", "ignored", *catalogue()},
    "service": {"importer", "exporter", "stock", "alerts", "journal"},
    "system": {"otto", "xentral", "shopify"},
}
"""Label → all the values it may have. Others have as many as the code has words for them: `few`."""

FEW = 40
FREE = {"le", "version", "implementation", "major", "minor", "patchlevel", "generation"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    found = Installation(tmp_path_factory.mktemp("metrics"), "pgmq")
    found.start("--demo")
    try:
        yield found
    finally:
        found.stop()


def samples(running: Installation, service: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Name → labels → value; empty while the service does not answer."""
    up = running.up() or {}
    with httpx2.Client(timeout=10, trust_env=False) as client:
        try:
            text = client.get(up["metrics"][service]).raise_for_status().text
        except (httpx2.HTTPError, KeyError):
            return {}
    assert not [odd for odd in ODD if odd in text], f"{service} tells of what came in"
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def post(running: Installation, path: str, body: Any) -> int:
    up = running.up()
    assert up is not None
    with httpx2.Client(timeout=30, trust_env=False, headers={"Authorization": f"Bearer {up['token']}"}) as client:
        return client.post(f"{up['journal']}{path}", json=body).status_code


def send_odd_things(running: Installation) -> None:
    """Through every door: HTTP, the queue, a webhook."""
    order = order_event("number-odd-4712")
    order["id"] = "odd-1"
    order["data"]["order"]["lines"][0] |= {"sku": "SKU/ödd-4711", "title": "What a shop says: 4713"}
    elsewhere = order_event("number-odd-4712")
    elsewhere["data"]["interface"] = "nobody-shop"
    strange = order_event("number-odd-4712") | {"type": "strange.v9"}
    stock = {**order, "id": "odd-2", "type": "stock-changed.v1",
             "data": {"interface": "otto-de", "sku": "SKU/ödd-4711", "kind": "simple", "quantity": 1,
                      "changed_at": order["time"], "version": 1}}  # fmt: skip
    wrong = {**stock, "id": "odd-3", "data": {**stock["data"], "quantity": "What a shop says: 4713"}}
    for one in (order, elsewhere, strange, stock, wrong):
        assert post(running, "/api/v1/events", one) in (202, 400)
    file = running.folder / "odd.jsonl"

    file.write_text("\n".join(json.dumps(one) for one in (elsewhere | {"id": "odd-4"}, wrong | {"id": "odd-5"})) + "\n")
    running.connect("events", "publish", str(file))
    assert post(running, "/api/v1/webhooks/odd-webhook", {"sku": "SKU/ödd-4711"}) in (401, 404)


def test_no_label_without_bounds_after_odd_things(running: Installation) -> None:
    send_odd_things(running)
    shown: dict[str, dict[str, dict[tuple[tuple[str, str], ...], float]]] = {}

    def all_there() -> bool:
        for service in sorted(WORDS["service"]):
            shown[service] = samples(running, service)
        journal = shown["journal"].get("connect_recorded_rejections_total", {})
        queues = journal.get((("queue", "order-imported"),), 0) and journal.get((("queue", "http"),), 0) >= 3
        return bool(queues) and "connect_records" in shown["journal"]

    until(all_there, "what was refused is counted", 60)
    values: dict[tuple[str, str], set[str]] = {}
    for of_service in shown.values():
        for name, by_labels in of_service.items():
            for labels in by_labels:
                for label, value in labels:
                    values.setdefault((name, label), set()).add(value)
    wrong = {
        place: found - WORDS[place[1]] if place[1] in WORDS else found
        for place, found in values.items()
        if place[1] not in FREE and (not found <= WORDS[place[1]] if place[1] in WORDS else len(found) > FEW)
    }
    assert not wrong
    codes = {
        code for (name, label), found in values.items() if label == "code" and "remote" not in name for code in found
    }
    assert codes <= set(catalogue())


def test_what_counts_is_true_after_kill_9(running: Installation) -> None:
    up = running.up()
    assert up is not None

    def told() -> dict[str, float]:
        found = samples(running, "journal")
        wanted = [name for name in rolled.TRUTH if name not in found]
        return {} if wanted else {
            name: sum(count for labels, count in found[name].items()
                      if name != "connect_records" or ("flow", "order-import") in labels) for name in rolled.TRUTH
        }  # fmt: skip

    def there(conn: Connection) -> dict[str, float]:
        return {
            name: sum(count for labels, count in truth(conn).items()
                      if name != "connect_records" or labels[0] == "order-import")
            for name, truth in rolled.TRUTH.items()
        }  # fmt: skip

    before = until(told, "the Journal shows its figures", 60)
    for name in ("importer", "journal", "importer"):
        running.kill(name)
    with connect(up["database_url"], "tests") as conn:
        least = there(conn)
        shown: dict[str, float] = {}

        def caught_up() -> bool:
            shown.update(told())
            return bool(shown) and all(shown[name] >= count for name, count in least.items())

        until(caught_up, f"what is in the database is shown: {least}, {shown}", 60)
        most = there(conn)
    assert all(before[name] <= shown[name] <= most[name] for name in most), (before, shown, most)
    assert min(
        most["connect_recorded_transitions_total"], most["connect_records"], most["connect_recorded_inputs_total"]
    )


def test_nobody_else_shows_what_the_journal_shows(running: Installation) -> None:
    """A sum over all processes is right: one process has it."""
    for service in ("importer", "exporter", "stock", "alerts"):
        found = samples(running, service)
        assert found, service
        assert not [name for name in found if name.startswith(("connect_records", "connect_recorded"))]
        assert "connect_search_notes" not in found
        assert ("connect_alarm_mails_waiting" in found) == (service == "alerts")
