"""The stand-ins for tests of a flow: started once a process, without faults and lags left over from another test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.sandbox import Stand, sandbox


@pytest.fixture(scope="session")
def running_stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """All connectors' stand-ins."""
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        running.settings("xentral", search_lag=0.0)
        yield running


@pytest.fixture
def stand(running_stand: Stand) -> Iterator[Stand]:
    """The stand-ins, whose ERP finds at once what it holds."""
    yield running_stand
    for key in running_stand.addresses:
        running_stand.clear(key)
        running_stand.settings(key, latency=0.0)
    running_stand.settings("xentral", search_lag=0.0, strict_cancel=0.0)


@pytest.fixture
def number() -> str:
    """An order number that no other test uses."""
    return f"n-{uuid.uuid4().hex[:12]}"
