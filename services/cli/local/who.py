"""Who listens on a port of this machine, as far as this user may know. Called where a port is taken."""

import os
from pathlib import Path

LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def listener(port: int) -> str | None:
    """For example `python3 (process 4711)`; None where the system does not tell."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{columns[9]}]")
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(file) in sockets for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # somebody else's, or gone meanwhile
    return None
