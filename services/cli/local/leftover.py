"""What a server that died badly left behind: its pid file, and processes that still hold the data.

Called before a start, by whoever holds the folder's lock. PostgreSQL's own check takes a zombie, or a stranger that
got the old pid, for a living server, and then refuses for ever; this one looks who it really is.
"""

import os
import signal
import time
from pathlib import Path


def end_leftovers(data: Path, deadline: float) -> None:
    """End every server process that still works on `data`, gently first, then remove a pid file that means nobody.

    `deadline` is in time.monotonic() seconds; processes that are left then are killed.
    """
    gentle = min(deadline, time.monotonic() + 10)
    asked = False
    while servers := processes_in(data):
        if time.monotonic() > gentle:
            for pid in servers:
                _signal(pid, signal.SIGKILL)
        elif not asked:
            for pid in servers:
                _signal(pid, signal.SIGINT if pid == _noted_pid(data) else signal.SIGQUIT)
            asked = True
        time.sleep(0.05)  # between two looks: a foreign process tells nobody of its end
    if _noted_pid(data) is not None and Path("/proc/self").exists():
        (data / "postmaster.pid").unlink(missing_ok=True)


def processes_in(data: Path) -> list[int]:
    """The living postgres processes whose working folder is `data`. Zombies have none and do not count."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == 0 and os.geteuid() != 0:
                continue
            if Path(os.readlink(entry / "cwd")) == data and "postgres" in os.readlink(entry / "exe"):
                found.append(int(entry.name))
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return found


def _noted_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
