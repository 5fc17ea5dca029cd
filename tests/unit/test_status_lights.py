"""Traffic lights, what an incident's link opens, and a broker that is never waited for."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from shared.broker.delivery import BrokerGone
from shared.broker.queues import QueueState
from shared.broker.watched import WatchedBroker
from shared.status import light
from shared.status.rows import rows_of
from tests.support.waiting import until

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
CLOSED = {"erp": {"breaker": "closed"}}
OPEN = {"erp": {"breaker": "open"}}
ERROR, WARNING = {"severity": "error"}, {"severity": "warning"}


@pytest.mark.parametrize(
    ("mode", "incidents", "sides", "poll", "wanted"),
    [
        ("live", [], CLOSED, "fine", "fine"),
        ("live", [WARNING], CLOSED, "fine", "warning"),
        ("live", [WARNING, ERROR], CLOSED, "fine", "error"),
        ("live", [], OPEN, "fine", "warning"),
        ("live", [], CLOSED, "warning", "warning"),
        ("test", [], {}, "off", "off"),
        ("paused", [ERROR], {}, "off", "error"),
    ],
)
def test_the_light_of_an_interface(mode: str, incidents: list, sides: dict, poll: light.Light, wanted: str) -> None:
    assert light.of_interface(mode, incidents, sides, poll) == wanted


def test_the_lights_of_what_runs() -> None:
    late, soon = NOW - timedelta(minutes=5), NOW - timedelta(seconds=5)
    assert light.of_service(0, None, [], NOW) == "error"
    assert light.of_service(3, late, ["1"], NOW) == "warning"
    assert light.of_service(3, soon, ["1", "2"], NOW) == "warning"
    assert light.of_service(3, soon, ["1"], NOW) == "fine"
    assert light.of_poll(None, None, NOW) == "off"
    assert [light.of_poll(at, code, NOW) for at, code in ((soon, None), (late, None), (soon, "remote-timeout"))] == [
        "fine", "warning", "warning",
    ]  # fmt: skip
    fine = {"schema": "current", "connections": 5, "connections_most": 97, "oldest_transaction": None, "disk": None,
            "texts_behind": 0}  # fmt: skip
    assert light.of_database(fine, NOW) == "fine"
    for worse in (
        {"schema": "lacks 0099_new"},
        {"connections": 96},
        {"oldest_transaction": {"since": NOW - timedelta(minutes=6), "by": "psql"}},
        {"disk": {"free": 9, "whole": 100}},
        {"texts_behind": 10_000},
    ):
        assert light.of_database(fine | worse, NOW) == "warning", worse
    assert light.of_database(fine | {"disk": {"free": 2, "whole": 100}}, NOW) == "error"
    assert light.worst(()) == "off"


def test_what_the_link_of_an_incident_opens() -> None:
    one = {"interface": "otto-de", "flow": "stock", "code": "sku-unknown", "key": "sku-unknown-1f0a93bc", "problem": {}}
    assert rows_of(one | {"problem": {"code": "sku-unknown"}}) == (
        "/interfaces/otto-de/articles?filter=group%3Asku-unknown-1f0a93bc"
    )
    assert rows_of(one | {"problem": None}) == "/interfaces/otto-de/articles?filter=error%3Asku-unknown"
    assert rows_of(one | {"code": "ship-by-near", "flow": "order-import", "key": "", "problem": None}) == (
        "/interfaces/otto-de/orders?filter=due%3A24h+test%3Ano"
    )
    assert rows_of(one | {"interface": "", "flow": "infrastructure"}) is None


def test_a_broker_is_never_waited_for_and_keeps_its_last_figures() -> None:
    allowed, entered, answers = (
        threading.Event(),
        threading.Event(),
        [[QueueState("order-imported", "events", ready=3)]],
    )

    def look(url: str) -> list[QueueState]:
        del url
        entered.set()
        assert allowed.wait(30)
        if not answers:
            raise BrokerGone("nobody there")
        return answers.pop()

    watched = WatchedBroker("amqp://guest:secret@127.0.0.1/", look, fresh=0, patience=0.01)
    first = watched.seen()
    assert (first.state, first.queues) == ("unknown", ())
    assert first.looking_since is not None
    assert entered.wait(30)
    assert watched.seen().looking_since == first.looking_since, "one look at a time"
    allowed.set()
    found = until(lambda: (seen := watched.seen()).state == "away" and seen, "the second look fails")
    assert found
    assert [queue.ready for queue in found.queues] == [3]
    assert found.at is not None
    assert WatchedBroker(None).seen().state == "not-told"
