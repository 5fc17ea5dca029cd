"""What two documents say differently, in fields and in lines."""

from __future__ import annotations

from shared.records.compared import fields, laid_out, lines
from shared.records.exchanges import MOST_CALLS, compared, pack, unpack


def test_fields_name_their_place() -> None:
    before = {"order": {"total": "10.00", "lines": [{"sku": "A", "quantity": 1}], "note": None}}
    after = {
        "order": {"total": "10.00", "lines": [{"sku": "A", "quantity": 2}, {"sku": "B"}], "payment": {"method": "X"}}
    }
    assert fields(before, after) == [
        {"where": "order.lines.0.quantity", "before": "1", "after": "2"},
        {"where": "order.lines.1", "before": None, "after": '{"sku": "B"}'},
        {"where": "order.note", "before": "null", "after": None},
        {"where": "order.payment", "before": None, "after": '{"method": "X"}'},
    ]
    assert fields(before, before) == []
    assert len(fields({}, {str(n): n for n in range(500)})) == 200


def test_lines_are_those_that_went_and_came() -> None:
    assert lines(laid_out('{"a":1,"b":2}'), laid_out('{"a":1,"b":3}')) == [
        '    "a": 1,', '-   "b": 2', '+   "b": 3', "  }",
    ]  # fmt: skip
    assert lines("same", "same") == []
    assert laid_out("no json") == "no json"


def _call(operation: str, status: int | None = 200, response: str = "") -> dict[str, object]:
    body = {"text": response, "left_out": 0} if response else None
    return {"operation": operation, "status": status, "wrong": "late", "request": None, "response": body}


def test_attempts_are_compared_call_by_call_and_the_last_calls_are_kept() -> None:
    told = compared(
        [_call("find"), _call("create", None)], [_call("find"), _call("create", 201, '{"id":1}'), _call("x")]
    )
    assert [(one["operation"], one["part"]) for one in told] == [
        ("create", "status"),
        ("create", "response"),
        ("x", "new"),
    ]
    assert told[0]["lines"] == ["- late", "+ 201"]
    assert compared([_call("find")], [_call("find")]) == []

    many = [_call(str(n)) for n in range(MOST_CALLS + 3)]
    kept = unpack(pack(many) or b"")
    assert kept["left_out"] == 3
    assert kept["calls"][0]["operation"] == "3"
    assert pack([]) is None
