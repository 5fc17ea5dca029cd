"""A small share of a core for each process, so that eight workers fit on two cores beside their database.

Linux control groups, version 1 or 2; making one needs root, or a delegated group. Called by the driver.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PERIOD = 10_000  # microseconds: short, so that who holds a lock is not kept from going on for long
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@contextmanager
def limited(pids: Sequence[int], cores: float | None) -> Iterator[None]:
    """Each of these processes gets `cores` of a core at most, None: what there is. Raises OSError without a group."""
    with ExitStack() as stack:
        for pid in pids if cores is not None else ():
            stack.enter_context(_limited(pid, cores or 0.0))
        yield


@contextmanager
def _limited(pid: int, cores: float) -> Iterator[None]:
    quota = int(cores * PERIOD)
    if (V2 / "cgroup.controllers").exists():
        home, settings = V2, {"cpu.max": f"{quota} {PERIOD}"}
        (home / "cgroup.subtree_control").write_text("+cpu")
    else:
        home, settings = V1, {"cpu.cfs_period_us": f"{PERIOD}", "cpu.cfs_quota_us": f"{quota}"}
    group = home / f"connect-bench-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        for name, value in settings.items():
            (group / name).write_text(value)
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            (home / "cgroup.procs").write_text(left)
        group.rmdir()
