"""docs/publishing.md: every program and command of it runs, and what it says comes back does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from tests.docs.conftest import reader_of
from tests.docs.fenced import Block, blocks
from tests.docs.reader import Reader
from tests.support.installation import Installation, installation
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
DOCUMENT = Path(__file__).parents[2] / "docs/publishing.md"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Reader]]:
    folder = tmp_path_factory.mktemp("publishing")
    with installation(folder, "rabbitmq") as made:
        yield made, reader_of(made, made.start("--demo"))


def without_node(found: list[Block]) -> list[Block]:
    """The document for somebody who has no Node.js and no npm."""
    return [block for block in found if not block.text.startswith("npm ")]


def test_what_the_document_says_is_what_happens(demo: tuple[Installation, Reader]) -> None:
    made, reader = demo
    found = blocks(DOCUMENT)
    node = shutil.which("npm") is not None
    assert reader.follow("docs/publishing.md", found if node else without_node(found)) >= (13 if node else 12)
    for number, way in (("4712", "pika"), ("4713", "kombu"), ("4714", "node"), ("4715", "line")):
        if way == "node" and not node:
            continue
        event_id = f"{way}-9d0b-4a57-8a49-3a6f0d1f4c11"

        def applied(event_id: str = event_id) -> bool:
            shown = made.connect("events", "show", "--source", "/shops/example", "--id", event_id)
            return shown is not None and shown["outcome"] == "applied" and shown["record"]["state"] == "done"

        until(applied, f"P-{number}, published by {way}, is in the ERP", 60)
    orders = made.control("xentral", "state")["salesOrders"]
    assert [one["externalOrderNumber"] for one in orders].count("P-4711") == 1


def test_an_event_with_a_wrong_key_is_confirmed_and_becomes_a_rejection(demo: tuple[Installation, Reader]) -> None:
    """Nothing is returned, also not to who asks for it: the table of the document."""
    made, _ = demo
    up = made.up()
    assert up is not None
    with pika.BlockingConnection(pika.URLParameters(up["amqp_url"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("connect.events", "orders.otto-de", b'{"id": "lost"}', mandatory=True)

    def kept() -> list[str]:
        items = made.connect("rejections", "list")["items"]
        return [json.dumps(one) for one in items if "connect.unrouted" in json.dumps(one)]

    until(kept, "it is a rejection with its origin", 30)
