"""What an ERP behind JSON-RPC answers, in all its forms: errors without a status, values without a word in JSON."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from shared.connectors.contract import OwnTokens, Reason, RemoteError
from shared.connectors.http import Answer
from shared.connectors.registry import discover
from shared.connectors.tryton.calls import TrytonCalls
from shared.connectors.tryton.change import changed_at
from shared.connectors.tryton.refusal import refused
from shared.connectors.tryton.settings import TrytonSettings
from shared.connectors.tryton.wire import decimal, moment, read_day, read_decimal, read_moment
from tests.connectors.conftest import opened
from tests.support.sandbox import Stand

SETTINGS = TrytonSettings.model_validate(
    {
        "base_url": "http://127.0.0.1:9",
        "database": "d",
        "user": "u",
        "password": "p",
        "company": 1,
        "web_shop": 1,
        "warehouse": 1,
    }
)


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (["UserError", ["No carrier.", "Choose one.", None]], Reason.INVALID, "No carrier. Choose one."),
        (["UserWarning", ["sale_1", "Really?", ""]], Reason.INVALID, "Really?"),
        (["UserError", "plain"], Reason.INVALID, "plain"),
        (["ConcurrencyException", "changed"], Reason.CONFLICT, None),
        (["LoginException", ["totp", "Code", "char"]], Reason.UNAUTHORISED, None),
        (["'sale.sale'", "Traceback …"], Reason.INVALID, "there is no sale.sale"),
        (["nope", ""], Reason.INVALID, "there is no nope"),
        (["could not serialize access: Key (email)=(k@example.org)", "Traceback …"], Reason.UNAVAILABLE, None),
        ([], Reason.UNAVAILABLE, None),
        ("a text", Reason.UNAVAILABLE, None),
        ({"code": 1}, Reason.UNAVAILABLE, None),
    ],
)
def test_a_list_of_errors_becomes_a_reason(error: Any, reason: Reason, message: str | None) -> None:
    found = refused("quote-order", error)
    assert found.reason is reason
    assert [problem.values["message"] for problem in found.problems] == ([message] if message else [])
    assert "example.org" not in str(found)


def test_values_survive_the_wire() -> None:
    assert read_decimal(decimal(Decimal("16.7983"))) == Decimal("16.7983")
    at = datetime(2026, 11, 24, 1, 2, 3, 4, timezone(timedelta(hours=2)))
    assert read_moment(moment(at)) == at
    assert read_day(moment(at)) == datetime(2026, 11, 23, tzinfo=UTC)
    for wrong in (None, "2026-11-24", {"__class__": "date"}, {"__class__": "datetime", "year": "x"}, 7):
        assert read_moment(wrong) is None
        assert read_day(wrong) is None
    for number in (None, "many", {"decimal": "NaN"}, True, {}):
        with pytest.raises(ValueError, match="number"):
            read_decimal(number)
    assert changed_at({"write_date": None, "create_date": moment(at)}) == at


class Answers:
    """In place of the HTTP client: one answer after the other."""

    deadline = 1.0

    def __init__(self, *bodies: Any) -> None:
        self.tokens = OwnTokens()
        self._bodies = list(bodies)

    def request_json(self, operation: str, *_: Any, **__: Any) -> Answer:
        return Answer(200, {}, {"id": 0, "result": [1, "key"]} if operation == "login" else self._bodies.pop(0))


@pytest.mark.parametrize(
    "bodies",
    [
        [None],
        [[]],
        [{"id": 1}],
        [{"id": 1, "result": {"id": 1}}],
        [{"id": 1, "result": [{"code": "without an id"}]}],
        [{"id": 1, "result": [{"id": 1}, {"id": 2}]}, {"id": 1, "result": [{"id": 1}, {"id": 2}]}],
    ],
)
def test_an_answer_that_is_none_is_said_to_be_broken(bodies: list[Any]) -> None:
    calls: Any = TrytonCalls(SETTINGS, Answers(*bodies))  # type: ignore[arg-type]
    with pytest.raises(RemoteError) as caught:
        list(calls._pages("list", "sale.sale", [], ["code"], size=2))
    assert caught.value.reason is Reason.BROKEN_ANSWER


@pytest.mark.servers
def test_one_session_serves_all_threads_and_is_opened_anew_once_it_is_forgotten(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(lambda _: side.sink.find_orders(["no such"]) == {}, range(40)))
        assert Counter(side.context.calls) == {("login", "2xx"): 1, ("find-orders", "2xx"): 40}
        side.context.calls.clear()
        stand.fault("tryton", "401", operation="find-orders")
        assert side.sink.find_orders(["no such"]) == {}
        assert side.context.calls == [("find-orders", "4xx"), ("login", "2xx"), ("find-orders", "2xx")]
