"""A system of its own for each test: database, broker, stand-ins; processes are the test's to start and kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import sandbox
from tests.support.system import System, running


@pytest.fixture
def system(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[System]:
    """Nothing runs yet but the stand-ins."""
    with sandbox(tmp_path / "sandbox") as stand, running(System(tmp_path, database_url, broker_url, stand)) as system:
        yield system
