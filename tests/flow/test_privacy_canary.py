"""A person is erased: nothing of them is left in a dump of the database, in the logs, or in the broker.

Before that the same search finds them in all these places, so it can fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.broker.apply import depths
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from tests.support.canaries import (
    CANARY,
    EMAIL,
    NAME,
    change_with_canaries,
    in_dump,
    in_files,
    order_with_canaries,
)
from tests.support.installation import Installation, installation, write_events
from tests.support.system import order_event
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

PLACES = {
    "payloads", "events", "search_texts", "rejections", "exchanges", "views", "causes", "audit", "bulk_runs", "ignored",
}  # fmt: skip


def publish(url: str, *messages: Message) -> None:
    """Confirmed."""
    publisher = open_publisher(url, name="tests")
    try:
        assert publisher.publish(messages) == [Fate.CONFIRMED] * len(messages)
    finally:
        publisher.close()


def queued(url: str) -> dict[str, int]:
    """What waits in the broker, wake-ups left out: those carry names of interfaces."""
    return {name: many for name, many in depths(url).items() if many and "wake" not in name}


def listed(connect: Installation, what: str, text: str) -> dict[str, str]:
    """Key → state."""
    return {one["key"]: one["state"] for one in connect.connect(what, "list", "--filter", text)["items"]}


@pytest.mark.parametrize("broker", ["pgmq", "rabbitmq"])
def test_nothing_is_left_of_a_person_who_was_erased(tmp_path: Path, broker: str) -> None:
    with installation(tmp_path, broker) as connect:
        up = connect.start("--demo")
        put_everywhere(connect, up)
        logs = sorted((tmp_path / "data" / "logs").rglob("*.log"))
        assert logs

        before = in_dump(up["database_url"])
        assert before.keys() >= PLACES, f"the search does not see {PLACES - before.keys()}"
        dry = connect.connect("privacy", "erase", "--email", EMAIL, "--reason", "ticket 812", "--dry-run")
        assert (dry["would_go"], dry["would_stay"]) == (4, []), dry
        assert before.keys() <= in_dump(up["database_url"]).keys(), "a dry run changes nothing"

        erased = connect.connect("privacy", "erase", "--email", EMAIL, "--reason", "ticket 812")
        assert erased["left_alone"] == [], erased
        assert in_dump(up["database_url"]) == {}
        assert connect.connect("accounting")["balanced"]

        # The same again brings nothing back.
        publish(up["amqp_url"], event_message(order_with_canaries("pr-1")))
        until(lambda: not queued(up["amqp_url"]), "it is taken in", 30)
        assert listed(connect, "orders", "pr-1|pr-2") == {"pr-1": "done", "pr-2": "done"}
        assert in_dump(up["database_url"]) == {}
        assert not queued(up["amqp_url"])
        assert connect.stop() == 0
        assert in_files(iter([*logs, tmp_path / "up.log"])) == {}


def event_message(event: dict[str, Any]) -> Message:
    """As a marketplace publishes it."""
    kind = event["type"]
    return Message(json.dumps(event).encode(), f"{kind}.otto-de")


def put_everywhere(connect: Installation, up: dict[str, Any]) -> None:
    """By broker and by HTTP, taken in and refused, from dead letters and from where nothing is routed, and by hand."""
    lines = [order_with_canaries("pr-1"), change_with_canaries("pr-1"), order_event("other")]
    publishing = connect.begin("events", "publish", str(write_events(connect.folder / "events.jsonl", lines)))
    assert publishing.wait(60) == 0, publishing.communicate()
    refused = order_with_canaries("pr-3")
    refused["data"]["order"]["currency"] = CANARY
    dead = order_with_canaries("pr-4") | {"time": "long ago"}
    publish(
        up["amqp_url"],
        Message(json.dumps(dead).encode(), "order-imported.dead", exchange=""),
        Message(f"no event, but about {EMAIL}".encode(), "nobody-listens.v1.otto-de"),
    )
    with httpx2.Client(headers={"Authorization": f"Bearer {up['token']}"}, trust_env=False, timeout=30) as client:
        head = {"Content-Type": "application/cloudevents-batch+json"}
        posted = client.post(
            f"{up['journal']}/api/v1/events", json=[order_with_canaries("pr-2"), refused], headers=head
        ).json()
        assert [one["outcome"] for one in posted["results"]] == ["accepted", "rejected"], posted
    until(lambda: listed(connect, "orders", "pr-1|pr-2") == {"pr-1": "done", "pr-2": "done"}, "both are in the ERP", 60)
    until(lambda: listed(connect, "exports", "pr-1") == {"pr-1": "failed"}, "the shop does not know the parcel", 60)
    until(lambda: len(connect.connect("rejections", "list")["items"]) == 3, "all is taken in", 30)
    group = connect.connect("groups", "list")["items"][0]["id"]
    connect.connect("groups", "note", group, f"{NAME} rang twice")
    connect.connect("views", "save", "hers", "--filter", f"{EMAIL} state:failed")
    connect.connect("exports", "ignore", "--filter", EMAIL, "--why", f"{EMAIL} has it by now", "--now")
    until(lambda: listed(connect, "exports", "pr-1") == {"pr-1": "skipped"}, "it is left alone", 30)
    until(lambda: "search_texts" in in_dump(up["database_url"]), "the search knows them", 30)
    shown = connect.connect("privacy", "find", "--name", NAME, "--zip", f"{CANARY[:4]}22179", "--reason", "ticket 811")
    assert shown["counts"]["orders"] == 4, shown
