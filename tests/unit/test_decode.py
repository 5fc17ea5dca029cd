"""Bad input is named, field by field, and nothing that arrives can raise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.envelope import Event
from shared.runtime.decode import MOST_BYTES, Refused, decode

NOW = datetime(2026, 11, 23, 10, 1, tzinfo=UTC)


def event(**change: Any) -> dict[str, Any]:
    """A minimal good event; keys with dots change what is inside."""
    order = {
        "number": "4711", "marketplace_id": "774133d5", "ordered_at": "2026-11-23T09:58:00Z", "currency": "EUR",
        "lines": [{"id": "1", "sku": "ABC-1", "quantity": 2, "unit_price": "19.99"}], "total": "39.98",
    }  # fmt: skip
    whole: dict[str, Any] = {
        "specversion": "1.0", "id": "1", "source": "/marketplaces/otto", "type": "order-imported.v1",
        "time": "2026-11-23T10:00:00Z", "data": {"interface": "otto-de", "order": order},
    }  # fmt: skip
    for path, value in change.items():
        *way, last = path.split("__")
        place: Any = whole
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value
    return whole


def raw(**change: Any) -> bytes:
    """As bytes."""
    return json.dumps(event(**change)).encode()


def problems(body: bytes) -> list[tuple[str, str]]:
    """(code, field) of each problem."""
    decoded = decode(body, "order-imported", NOW)
    assert isinstance(decoded, Refused), decoded
    return [(problem.code, problem.field) for problem in decoded.problems]


def test_a_good_event_is_read() -> None:
    decoded = decode(raw(), "order-imported", NOW)
    assert isinstance(decoded, Event)
    assert decoded.data.order.lines[0].sku == "ABC-1"


LINE = "data.order.lines.0."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", [("not-json", "")]),
        (b"", [("not-json", "")]),
        (b"\xff\xfe{}", [("not-utf8", "")]),
        (b"[]", [("field-invalid", "")]),
        (b"[" * 500_000, [("too-deep", "")]),
        (b'{"a":' * 100_000, [("too-deep", "")]),
        (b"x" * (17 * 1024 * 1024), [("too-large", "")]),
        (raw().replace(b'"39.98"', b"NaN"), [("not-json", "")]),
        (raw().replace(b'"39.98"', b"-Infinity"), [("not-json", "")]),
        (raw(data__order__note="a\0b"), [("nul-character", "data.order.note")]),
        (raw(data__order__note="\ud800"), [("lone-surrogate", "data.order.note")]),
        (raw(type="order-imported.v2"), [("version-unknown", "type")]),
        (raw(type="order-lost.v1"), [("type-unknown", "type")]),
        (raw(type="stock-changed.v1"), [("wrong-queue", "type")]),
        (raw(type=7), [("field-invalid", "type")]),
        (raw(time="2099-01-01T00:00:00Z"), [("time-in-future", "time")]),
        (raw(data__order__changed_at="2099-01-01T00:00:00Z"), [("time-in-future", "data.order.changed_at")]),
        (raw(data__order__lines__0__unit_price=19.99), [("field-invalid", LINE + "unit_price")]),
        (raw(data__order__lines__0__quantity=-1), [("field-invalid", LINE + "quantity")]),
        (raw(data__order__lines__0__quantity=10**400), [("field-invalid", LINE + "quantity")]),
        (raw(data__order__currency="eur"), [("field-invalid", "data.order.currency")]),
        (raw(data__order__lines=[]), [("field-invalid", "data.order.lines")]),
        (raw(data__interface="Otto DE"), [("field-invalid", "data.interface")]),
        (raw(time="0001-01-01T00:00:00+14:00"), [("field-invalid", "time")]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_named(body: bytes, expected: list[tuple[str, str]]) -> None:
    assert problems(body) == expected


def test_every_problem_is_named_at_once() -> None:
    found = problems(raw(data__order__currency="euro", data__order__total=1, id=""))
    assert [field for _, field in found] == ["id", "data.order.currency", "data.order.total"]


def test_absent_business_data_is_not_malformed() -> None:
    assert isinstance(decode(raw(), "order-imported", NOW), Event), "no customer, no address, no tax, no payment"


def test_a_time_just_within_five_minutes_is_taken() -> None:
    assert isinstance(decode(raw(time=(NOW + timedelta(minutes=4)).isoformat()), "order-imported", NOW), Event)


def test_words_that_only_look_suspicious_are_taken() -> None:
    assert isinstance(decode(raw(data__order__note="NaNcy \\u0000 Infinity"), "order-imported", NOW), Event)


def test_the_size_limit_is_a_mebibyte() -> None:
    pad = MOST_BYTES - len(raw(data__order__note=""))
    assert isinstance(decode(raw(data__order__note="x" * pad), "order-imported", NOW), Event)
    assert problems(raw(data__order__note="x" * (pad + 1))) == [("too-large", "")]


def test_no_input_is_quoted_in_a_problem() -> None:
    decoded = decode(raw(data__order__currency="CANARY-erika@example.org"), "order-imported", NOW)
    assert "CANARY" not in repr(decoded)


@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    assert isinstance(decode(body, "order-imported", NOW), Refused)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(
        ["type", "time", "id", "source", "data", "data__interface", "data__order", "data__order__lines",
         "data__order__number", "data__order__customer", "data__order__total", "data__order__version"]
    ),
    json_values,
)  # fmt: skip
def test_any_value_in_any_field_gets_an_answer(path: str, value: Any) -> None:
    decoded = decode(raw(**{path: value}), "order-imported", NOW)
    assert isinstance(decoded, Event) or decoded.problems


@pytest.mark.parametrize("depth", [60, 61, 62, 64, 190, 199, 202, 300])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_what_nests_is_taken_or_refused_whichever_way_it_comes(depth: int, opening: str, closing: str) -> None:
    nested = f'"more": {opening * depth}{"" if opening == "[" else "1"}{closing * depth}, "number"'
    body = raw().replace(b'"number"', nested.encode(), 1)
    quick, slow = (decode(body, expected, NOW) for expected in ("order-imported", None))
    assert quick == slow
    # `more` stands inside of order, data and event
    assert isinstance(quick, Refused) == (depth + 3 > 64)
