"""A system for tests of clocks and of resources that run out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.broker.apply import apply
from tests.support.sandbox import sandbox
from tests.support.system import System, running


@pytest.fixture
def system(tmp_path: Path, database_url: str) -> Iterator[System]:
    """On the embedded broker: what is asked here does not depend on which one it is."""
    broker_url = "pgmq" + database_url.removeprefix("postgresql")
    assert apply(broker_url) == []
    with (
        sandbox(tmp_path / "sandbox") as stand,
        running(
            System(tmp_path, database_url, broker_url, stand, forked=False)  # clocks, limits and files as at a start
        ) as system,
    ):
        system.prepare()
        yield system
