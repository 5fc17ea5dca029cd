"""How much memory the machine, or the container, has for what runs in it. Called by `cluster`."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/memory.max")
"""Linux: bytes that the container may use, or the word `max`."""


def memory(cgroup: Path = CGROUP) -> int:
    """In bytes: what is built in, or less where a container is limited to less."""
    built_in = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(built_in, int(cgroup.read_text()))
    except (OSError, ValueError):
        return built_in
