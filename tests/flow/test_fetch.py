"""Orders asked for by number: each number gets its answer, also when the marketplace is away for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.importer.fetch import orders_by_number
from shared.connectors.contract import OrderSource, SourceOrder
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Planted
from shared.metrics import Metrics
from shared.records.actions import request, request_selected
from shared.records.claim import Kind
from shared.records.filter import parse
from shared.records.interfaces import Interface, read
from shared.records.receipt import read_receipt
from shared.runtime.bell import Bell
from shared.runtime.receipts import MOST_TRIES, Receipts
from shared.runtime.remotes import Remotes
from tests.support.creating import SEAL, add
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, claims, nothing, record, states

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str, stand: Stand) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        add(opened, stand)
        yield opened
        assert_sound(opened)


class Fetching:
    """A fetcher and its receipt."""

    def __init__(self, conn: Connection, remotes: Remotes) -> None:
        self.conn, self.bell = conn, Bell()
        self.failpoint: Callable[[str], None] = nothing
        self.open_source: Callable[[Interface], Any] = remotes.marketplace
        self.fetch = Receipts(
            "import",
            orders_by_number(lambda interface: self.open_source(interface)),
            connect=lambda: conn,
            read=lambda conn, slug: read(conn, SEAL, slug),
            bell=self.bell,
            failpoint=lambda name: self.failpoint(name),
        )

    def ask(self, *numbers: str) -> None:
        self.receipt = request(self.conn, "import", SLUG, numbers, "erika")

    def results(self) -> dict[str, str]:
        rows = self.conn.execute("SELECT number, result FROM receipt_numbers WHERE receipt = %s", (self.receipt,))
        return dict(rows.fetchall())

    def entry(self, number: str) -> dict[str, Any]:
        """What a person sees of one number."""
        found = read_receipt(self.conn, self.receipt)
        assert found is not None
        return next(one for one in found["numbers"] if one["number"] == number)

    def later(self) -> None:
        self.conn.execute("UPDATE receipt_numbers SET due_at = now() WHERE due_at IS NOT NULL")


@pytest.fixture
def fetching(database_url: str, conn: Connection) -> Iterator[Fetching]:
    with open_pool(database_url, "calls", 2) as pool:
        yield Fetching(conn, Remotes(discover(), pool, Metrics("tests", "0"), 5.0))


def test_each_number_gets_its_answer_and_the_bell_rings(fetching: Fetching, stand: Stand) -> None:
    numbers = stand.place("otto", 2)
    fetching.ask(*numbers, "nobody-knows-it")
    assert fetching.fetch.answer(fetching.conn)
    assert fetching.results() == {**dict.fromkeys(numbers, "taken-in"), "nobody-knows-it": "not-found"}
    assert fetching.bell.wait(0) == {SLUG}
    assert states(fetching.conn) == dict.fromkeys(sorted(numbers), "pending")
    assert not fetching.fetch.answer(fetching.conn)


def test_numbers_of_one_receipt_are_looked_up_in_the_interface_of_each(conn: Connection, stand: Stand) -> None:
    interface = read(conn, SEAL, SLUG)
    assert interface is not None
    asked: list[tuple[str, list[str]]] = []

    def look(_conn: Connection, interface: Interface, numbers: Sequence[str]) -> dict[str, Any]:
        asked.append((interface.slug, list(numbers)))
        return {}

    for slug in (SLUG, "other"):
        conn.execute(
            "INSERT INTO records(interface, flow, key, stage, state, payload_no, changed_at, data_hash)"
            " VALUES (%s, 'order-export', 'A', 'marketplace', 'never', 0, now(), gen_random_uuid())",
            (slug,),
        )
    receipt = request_selected(conn, "export", "erika", filter=parse("A", ZoneInfo("UTC")))
    loop = Receipts(
        "export", look, connect=lambda: conn, read=lambda _conn, slug: replace(interface, slug=slug), bell=Bell(),
        failpoint=nothing,
    )  # fmt: skip
    assert loop.answer(conn)
    assert sorted(asked) == sorted([(SLUG, ["A"]), ("other", ["A"])])
    found = read_receipt(conn, receipt)
    assert found is not None
    assert (found["interface"], [one["result"] for one in found["numbers"]]) == (None, ["not-found", "not-found"])


def test_what_came_in_meanwhile_exists(fetching: Fetching, stand: Stand) -> None:
    (number,) = stand.place("otto", 1)
    fetching.ask(number)
    first = fetching.receipt
    fetching.ask(number)
    fetching.fetch.answer(fetching.conn)
    assert fetching.results() == {number: "exists"}
    fetching.receipt = first
    assert fetching.results() == {number: "taken-in"}
    assert fetching.entry(number)["record_id"] == record(fetching.conn, number)["id"]


def test_where_the_interface_does_not_run_what_was_asked_for_runs(fetching: Fetching, stand: Stand) -> None:
    fetching.conn.execute("UPDATE interfaces SET mode = 'test'")
    (number,) = stand.place("otto", 1)
    fetching.ask(number)
    fetching.fetch.answer(fetching.conn)
    assert [(one.key, one.test) for one in claims(fetching.conn, kind=Kind.FORCED)] == [(number, True)]


def test_a_marketplace_that_is_away_is_asked_again_until_it_answers(fetching: Fetching, stand: Stand) -> None:
    (number,) = stand.place("otto", 1)
    stand.fault("otto", "500", times=100)
    fetching.ask(number)
    fetching.fetch.answer(fetching.conn)
    entry = fetching.entry(number)
    assert (entry["result"], entry["code"], entry["record_id"]) == ("queued", "remote-unavailable", None)
    stand.clear("otto")
    fetching.later()
    fetching.fetch.answer(fetching.conn)
    assert fetching.entry(number)["record_id"] == record(fetching.conn, number)["id"]


def test_after_eight_tries_the_receipt_says_why_it_gave_up(fetching: Fetching, stand: Stand) -> None:
    stand.fault("otto", "500", times=100)
    fetching.ask("4711")
    for _ in range(MOST_TRIES):
        fetching.later()
        fetching.fetch.answer(fetching.conn)
    assert (fetching.entry("4711")["result"], fetching.entry("4711")["code"]) == ("failed", "remote-unavailable")


def test_an_order_that_is_refused_says_so(fetching: Fetching, stand: Stand) -> None:
    (number,) = stand.place("otto", 1, "unreadable")
    fetching.ask(number)
    fetching.fetch.answer(fetching.conn)
    entry = fetching.entry(number)
    assert (entry["result"], entry["code"]) == ("failed", "field-invalid")


class Odd:
    """A marketplace that breaks over one number in a way that nobody foresaw."""

    def __init__(self, source: OrderSource) -> None:
        self._source = source

    def read_orders(self, numbers: Sequence[str]) -> dict[str, SourceOrder]:
        if "odd" in numbers:
            raise KeyError("odd")
        return self._source.read_orders(numbers)


def test_a_number_that_nobody_can_read_does_not_hold_up_the_others(fetching: Fetching, stand: Stand) -> None:
    (number,) = stand.place("otto", 1)
    real = fetching.open_source

    def odd(interface: Interface) -> tuple[Any, Callable[[], None]]:
        source, close = real(interface)
        return Odd(source), close

    fetching.open_source = odd
    fetching.ask("odd", number)
    fetching.fetch.answer(fetching.conn)
    assert fetching.results() == {"odd": "queued", number: "taken-in"}
    for _ in range(MOST_TRIES):
        fetching.later()
        fetching.fetch.answer(fetching.conn)
    assert (fetching.entry("odd")["result"], fetching.entry("odd")["code"]) == ("failed", "unclassified")


@pytest.mark.parametrize("name", ["fetch.read", "fetch.stored"])
def test_a_fetch_that_ends_in_the_middle_is_repeated_without_harm(fetching: Fetching, stand: Stand, name: str) -> None:
    (number,) = stand.place("otto", 1)

    def planted(at: str) -> None:
        if at == name:
            raise Planted(name)

    fetching.ask(number)
    fetching.failpoint = planted
    with pytest.raises(Planted):
        fetching.fetch.answer(fetching.conn)
    fetching.failpoint = nothing
    assert not fetching.fetch.answer(fetching.conn), "somebody else may hold it still"
    fetching.later()
    fetching.fetch.answer(fetching.conn)
    assert fetching.results()[number] in ("taken-in", "exists")
    assert states(fetching.conn) == {number: "pending"}
