"""Every connector through a proxy that misbehaves: a call ends in time, takes no memory, and is judged rightly."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from shared.connectors.cause import Cause
from shared.connectors.contract import Connector, Reason, RemoteError
from shared.connectors.registry import discover
from tests.connectors.conftest import Opened
from tests.connectors.test_conformance import draft_of, found_within, listing
from tests.support.sandbox import Stand
from tests.support.tcp_proxy import CARRIED_OUT, FAULTS, METADATA, tcp_proxy

pytestmark = pytest.mark.servers
CONNECTORS = [pytest.param(connector, id=key) for key, connector in discover().items()]
SINKS = [pytest.param(connector, id=key) for key, connector in discover().items() if connector.sink]
DEADLINE = 1.0
LATE = 4.0
"""Seconds: what a busy machine may need beside the deadline."""

MEMORY = 12 * 1024 * 1024
"""The cap of an answer is 2 MiB; it is copied now and then."""

REASONS = {
    "reset-before": Reason.BROKEN_ANSWER,
    "reset-after": Reason.BROKEN_ANSWER,
    "half-close": Reason.BROKEN_ANSWER,
    "hang": Reason.TIMEOUT,
    "drop-reply": Reason.BROKEN_ANSWER,
    "truncated": Reason.BROKEN_ANSWER,
    "trickle": Reason.TIMEOUT,
    "endless-headers": Reason.BROKEN_ANSWER,
    "gzip-bomb": Reason.BROKEN_ANSWER,
    "huge-body": Reason.BROKEN_ANSWER,
    "redirect": Reason.BROKEN_ANSWER,
    "wrong-type": Reason.BROKEN_ANSWER,
}

SOME = ("reset-after", "half-close", "trickle", "endless-headers", "redirect")
OTHERS = [fault for fault in REASONS if fault not in SOME]
SHARES = [pytest.param(SOME, id="some"), pytest.param(OTHERS, id="others", marks=pytest.mark.faults_full)]


def refused(call: Any, fault: str) -> RemoteError:
    """The error of a call that ends in time and in little memory."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        try:
            said = call()
        except RemoteError as error:
            found = error
        else:
            raise AssertionError(f"{fault} was taken for an answer: {str(said)[:300]}")
        assert time.monotonic() - begun < DEADLINE + LATE
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    return found


def test_every_fault_of_the_proxy_is_asked_about() -> None:
    assert REASONS.keys() == FAULTS.keys()


@pytest.mark.parametrize("faults", SHARES)
@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_read_ends_in_time_and_is_judged_for_what_happened(
    connector: Connector, stand: Stand, faults: Sequence[str]
) -> None:
    with tcp_proxy(stand.addresses[connector.key]) as proxy:
        for fault in faults:
            reason = REASONS[fault]
            side = Opened(connector, proxy.url, 20.0)
            with side.http:
                proxy.fault = ""
                listing(side)  # logs in, where that is a call of its own
                proxy.fault, side.http.deadline = fault, DEADLINE
                error = refused(lambda: listing(side), fault)  # noqa: B023
                assert error.reason is reason, (fault, error)
                if fault == "redirect":
                    assert (error.cause, error.clues["location"]) == (Cause.REDIRECT, METADATA)
                if fault == "wrong-type":
                    assert error.cause == Cause.HTML
                proxy.fault, side.http.deadline = "", 20.0
                listing(side)  # and it is well again


@pytest.mark.parametrize("faults", SHARES)
@pytest.mark.parametrize("connector", SINKS)
def test_a_create_is_sent_once_and_looked_up_where_nobody_knows_what_became_of_it(
    connector: Connector, stand: Stand, faults: Sequence[str]
) -> None:
    stand.settings(connector.key, search_lag=0)
    with tcp_proxy(stand.addresses[connector.key]) as proxy:
        proxy.strikes = writes
        for fault in faults:
            number, side = f"tcp-{fault}", Opened(connector, proxy.url, 20.0)
            with side.http:
                proxy.fault = ""
                draft = draft_of(side, number)
                side.sink.find_products(draft.skus)
                proxy.fault, side.http.deadline, sent = fault, DEADLINE, len(proxy.requests)
                error = refused(lambda: side.sink.create_order(draft), fault)  # noqa: B023
                assert error.reason.outcome_unknown, (fault, error)
                assert sum(map(writes, proxy.requests[sent:])) == 1, (
                    "a call that may have been carried out is never repeated here"
                )
                proxy.fault, side.http.deadline = "", 20.0
                found = side.sink.find_orders([number]).get(number, [])
                if fault in CARRIED_OUT:
                    found = found_within(side, number, 10.0)
                assert len(found) == (fault in CARRIED_OUT), fault


def writes(request: bytes) -> bool:
    """Whether it creates an order. Where every call is a POST its operation is in the address."""
    return b"=create-order" in request if b"operation=" in request else request.startswith(b"POST")
