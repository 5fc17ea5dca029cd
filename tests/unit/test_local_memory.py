"""PostgreSQL's cache beside the memory of the machine, or of the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.local.cluster import initdb_command, shared_buffers
from services.cli.local.memory import memory


@pytest.mark.parametrize(
    ("gigabytes", "wanted"), [(0.5, "128MB"), (2, "256MB"), (8, "1024MB"), (24, "3072MB"), (256, "4096MB")]
)
def test_an_eighth_within_bounds(gigabytes: float, wanted: str) -> None:
    assert shared_buffers(int(gigabytes * (1 << 30))) == wanted


def test_a_container_with_a_limit_counts_that(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    free = memory(limit)
    limit.write_text("536870912\n")
    assert memory(limit) == 536_870_912 < free
    limit.write_text("max\n")
    assert memory(limit) == free
    limit.write_text(f"{free * 2}\n")
    assert memory(limit) == free


def test_it_is_written_down_when_the_cluster_is_made(tmp_path: Path) -> None:
    command = initdb_command(Path("initdb"), tmp_path, tmp_path / "password")
    assert f"shared_buffers={shared_buffers(memory())}" in command
