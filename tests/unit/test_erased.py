"""Taking the person out of an event: every text of the contract goes or is known to stay, and the event stays valid."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from shared.events.envelope import CONTRACTS
from shared.events.erased import MARK, erased_event, is_erased
from tests.support.canaries import CANARY, change_with_canaries, order_with_canaries


def test_nothing_of_a_person_stays_and_the_event_is_valid() -> None:
    for event in (order_with_canaries("1"), change_with_canaries("1")):
        before = json.dumps(event)
        assert before.count(CANARY) >= 4
        after = erased_event(before.encode())
        assert CANARY not in after.decode()
        read = CONTRACTS[event["type"]].model_validate_json(after)
        assert read.source == event["source"]
        assert erased_event(after) == after, "again changes nothing"
    order = CONTRACTS["order-imported.v1"].model_validate_json(
        erased_event(json.dumps(order_with_canaries("1")).encode())
    )
    assert is_erased(order.data.order)
    assert not is_erased(CONTRACTS["order-imported.v1"].model_validate(order_with_canaries("1")).data.order)
    assert (order.data.order.total, order.data.order.lines[0].sku, order.data.order.billing_address.country) == (
        "44.88", "ABC-1", "DE")  # fmt: skip


_NAMES = ["data", "order", "customer", "lines", "shipments", "payment", "shipping", "discounts", "billing_address"]
_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_stored_can_be_erased(body: bytes) -> None:
    after = json.loads(erased_event(body))
    assert after == MARK or after["id"] == MARK
