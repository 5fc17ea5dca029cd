"""What hypothesis draws for the machine: events of a few orders, and what handlers say of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.connectors.contract import Reason
from shared.errors.problem import Problem
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Retry, Skip, Wait, Warned
from tests.support.model import Input
from tests.support.spine import SLUG
from tests.support.system import order_event

BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOLD, LATER, LAG = 600.0, 5000.0, 100.0
NUMBERS, KEYS = ("A", "B", "C"), ("sku:X", "payment:P", f"erp:{SLUG}")
numbers = st.sampled_from(NUMBERS)
events = st.tuples(
    st.tuples(st.sampled_from(["/shop", "/other"]), st.sampled_from("abcdefgh")),
    numbers,
    st.sampled_from(["1.00", "2.00", "3.00"]),
    st.sampled_from(["open", "open", "open", "announced"]),
    st.integers(1, 2),
    st.integers(0, 3),
)
some_keys = st.lists(st.sampled_from(KEYS[:2]), min_size=1, max_size=2, unique=True)
which = st.integers(0, 7)
UNKNOWN = Problem("sku-unknown", values={"sku": "X"})
blocking: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Retry, st.just(Problem(str(Reason.UNREACHABLE))), st.just(LATER), called=st.booleans()),
    st.builds(Wait, st.just(UNKNOWN), some_keys.map(tuple), st.sampled_from([LATER, 0.0]), called=st.booleans()),
    st.builds(
        lambda found, called: Fail(tuple(Problem("sku-unknown", key=key) for key in found), called=called),
        some_keys,
        st.booleans(),
    ),
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    blocking,
    st.builds(Done, st.just("7"), st.booleans(), called=st.booleans()),
    st.builds(Warned, st.just((UNKNOWN,)), st.none(), st.booleans(), called=st.booleans()),
    st.builds(Retry, st.just(UNKNOWN), called=st.booleans()),
    st.builds(Hold, st.just(UNKNOWN), st.sampled_from([0.0, LATER]), called=st.booleans()),
    st.builds(Fail, st.just((UNKNOWN,)), called=st.booleans()),
    st.builds(Skip, st.just(UNKNOWN)),
)


def sent(name: tuple[str, str], number: str, total: str, status: str, version: int, minute: int) -> Input:
    """An event; equal arguments make equal bytes."""
    whole = order_event(number, total=total, status=status, version=version)
    whole |= {"source": name[0], "id": name[1], "time": (BEGAN + timedelta(minutes=minute)).isoformat()}
    return Input(name, number, (number, total, status, version), minute, json.dumps(whole).encode())


def shorter(items: Sequence[Any], n: int) -> Any:
    """One of these, whatever the number."""
    return items[n % len(items)]
