"""Several things are read at the same time, in their order, within what the side allows, and without a lost answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.connectors.at_once import MOST, at_once
from shared.connectors.contract import Hint, Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.registry import discover
from shared.connectors.unexpected import careful
from tests.connectors.conftest import Context, opened
from tests.connectors.test_erp_sources import created
from tests.connectors.test_http import answer, says, server
from tests.support.sandbox import Stand

TOGETHER_SECONDS = 10.0
"""For so many to meet; only where they come one after the other is it ever over."""


class Meeting(Context):
    """Calls with one of these names go on when so many of them are under way. most: that were at the same time."""

    def __init__(self, *names: str, so_many: int = 1) -> None:
        super().__init__()
        self._names, self._barrier = names, threading.Barrier(so_many)
        self._under_way, self.most = 0, 0

    def before_call(self, operation: str) -> None:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        if operation in self._names:
            self._barrier.wait(TOGETHER_SECONDS)

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        super().after_call(operation, code, seconds)
        with self._lock:
            self._under_way -= 1


@pytest.fixture
def http() -> Iterator[Http]:
    with server(says(answer(b'{"data": {"id": 1}}'))) as url, Http.open(url, Context(), 5.0) as opened_http:
        yield opened_http


def test_what_is_read_comes_in_the_order_in_which_it_was_asked_for(http: Http) -> None:
    gates = [threading.Event() for _ in range(MOST)]

    def read(number: int) -> int:
        if number + 1 < MOST:
            assert gates[number + 1].wait(TOGETHER_SECONDS), "the next one begins while this one is read"
        gates[number].set()
        return number * 10

    assert at_once(http, read, range(MOST)) == [0, 10, 20, 30]


def test_no_more_than_a_few_are_read_at_once(http: Http) -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    barrier = threading.Barrier(MOST)

    def read(_: int) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        barrier.wait(TOGETHER_SECONDS)
        with lock:
            under_way -= 1

    http._context.at_once = 100  # type: ignore[misc]
    at_once(http, read, range(5 * MOST))
    assert most == MOST


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_one_call_is_allowed_the_caller_reads_one_after_the_other(http: Http, allowed: int) -> None:
    http._context.at_once = allowed  # type: ignore[misc]
    assert at_once(http, lambda _: threading.current_thread(), [1, 2, 3]) == [threading.current_thread()] * 3


def test_the_first_error_is_raised_and_nothing_else_is_begun(http: Http) -> None:
    begun: list[int] = []
    stopped = threading.Event()

    def read(number: int) -> None:
        begun.append(number)
        if number == 0:
            stopped.set()
            raise RemoteError(Reason.UNREACHABLE, "zero")
        assert stopped.wait(TOGETHER_SECONDS)
        raise RemoteError(Reason.INVALID, str(number))

    with pytest.raises(RemoteError, match="zero"):
        at_once(http, read, range(1000))
    assert len(begun) < 1000


def test_what_other_threads_were_answered_counts_for_the_caller(http: Http) -> None:
    """So an answer of an unexpected form is a broken answer, and no mistake of ours, wherever it was read."""

    class Reader:
        def read(self) -> list[Any]:
            found = at_once(http, self._one, range(MOST))
            return [each["data"]["nothing"] for each in found]

        def reads_badly(self) -> list[Any]:
            return at_once(http, lambda number: self._one(number)["nothing"], range(MOST))

        def _one(self, number: int) -> Any:
            return http.request_json("read", "GET", f"/{number}").body

    reader = careful(Reader(), http)
    for read in (reader.read, reader.reads_badly):
        with pytest.raises(RemoteError) as caught:
            read()
        assert caught.value.reason is Reason.BROKEN_ANSWER
    assert http.clock.answers > MOST


@pytest.mark.servers
def test_an_erp_reads_orders_and_parcels_at_the_same_time(stand: Stand) -> None:
    connector = discover()["xentral"]
    with opened(connector, stand) as side:
        numbers = [f"together-{n}" for n in range(MOST)]
        for number in numbers:
            created(side, stand, number)
            stand.post("xentral", f"orders/{number}/ship", {"lines": [{"sku": "ABC-1", "quantity": 1}]})
        notes = [note["id"] for note in stand.state("xentral")["deliveryNotes"]]
        meeting = Meeting("read-order", "read-delivery", "read-shipments", so_many=MOST)
        with Http.open(side.http.base_url, meeting, 10.0) as http:
            assert connector.status_source is not None
            source = connector.status_source(side.settings, http)
            changes = source.changes_hinted([Hint("delivery", str(note)) for note in notes])
    assert [change.number for change in changes] == numbers
    assert [len(change.shipments) for change in changes] == [1] * MOST
    assert meeting.most == MOST
