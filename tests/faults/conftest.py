"""What tests of faults stand on: a system of their own, or the ground of the matrix with servers that may be killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.ground import Ground
from tests.support.sandbox import sandbox
from tests.support.system import System, running


@pytest.fixture
def system(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[System]:
    """Nothing runs yet but the stand-ins."""
    with sandbox(tmp_path / "sandbox") as stand, running(System(tmp_path, database_url, broker_url, stand)) as system:
        yield system


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """Servers of this process alone: they are killed and frozen."""
    with tempfile.TemporaryDirectory(prefix="connect-faults-") as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL may have to run as somebody else
        ground = Ground(Path(folder))
        try:
            yield ground
        finally:
            ground.close()
