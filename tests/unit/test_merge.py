"""Merging copies of `order-changed`: the newest says the status, no shipment is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.merge import merge_changes


def copy(status: str = "shipped", *shipments: dict[str, Any]) -> bytes:
    data = {"interface": "otto-de", "order_number": "A", "status": status, "shipments": list(shipments)}
    return json.dumps({"id": status, "data": data}).encode()


def merged(staged: bytes, other: bytes, *, newer: bool) -> dict[str, Any]:
    body = merge_changes(staged, other, newer)
    assert body is not None
    data = json.loads(body)["data"]
    assert isinstance(data, dict)
    return data


def ids(data: dict[str, Any]) -> list[str]:
    return [one["id"] for one in data["shipments"]]


def test_a_newer_copy_keeps_the_shipments_of_the_older_one() -> None:
    data = merged(copy("partially_shipped", {"id": "1"}), copy("shipped", {"id": "2"}), newer=True)
    assert (data["status"], ids(data)) == ("shipped", ["1", "2"])


def test_a_late_copy_adds_its_shipments_and_nothing_else() -> None:
    data = merged(copy("completed"), copy("shipped", {"id": "1", "tracking_number": "T"}), newer=False)
    assert (data["status"], data["shipments"]) == ("completed", [{"id": "1", "tracking_number": "T"}])


def test_a_late_copy_that_brings_nothing_changes_nothing() -> None:
    staged = copy("completed", {"id": "1", "carrier": "DHL", "tracking_number": "T"})
    assert merge_changes(staged, copy("shipped", {"id": "1", "carrier": "DPD"}), newer=False) is None


def test_of_one_shipment_the_newer_copy_counts_and_gaps_are_filled() -> None:
    old = copy("shipped", {"id": "1", "carrier": "DHL", "tracking_number": "OLD"})
    new = copy("shipped", {"id": "1", "carrier": None, "tracking_number": "NEW"})
    assert merged(old, new, newer=True)["shipments"] == [{"id": "1", "carrier": "DHL", "tracking_number": "NEW"}]


@given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 5))), min_size=1, max_size=8))
def test_whatever_the_order_all_shipments_are_there_in_the_end(events: list[tuple[int, set[int]]]) -> None:
    body, latest = copy(str(events[0][0]), *({"id": str(n)} for n in sorted(events[0][1]))), events[0][0]
    for version, shipments in events[1:]:
        other = copy(str(version), *({"id": str(n)} for n in sorted(shipments)))
        newer = version >= latest
        body, latest = merge_changes(body, other, newer) or body, max(version, latest)
    data = json.loads(body)["data"]
    assert sorted(ids(data)) == sorted({str(n) for _, shipments in events for n in shipments})
    assert data["status"] == str(max(version for version, _ in events))
