"""Free TCP ports on the loopback interface, and the wish to get the same one next time.

Used by every server of this folder and by `connect up`.
"""

import secrets
import socket
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
QUIET = range(20_000, 32_768)
"""Below the ports that Linux gives to outgoing connections (32768 up): what is stopped finds its port free again."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody could listen on `port` right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: connections of the last run that are still fading away do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_soon(port: int, host: str = LOOPBACK, patience: float = 1.0) -> bool:
    """Like `is_free`, but gives a server that was just killed a moment (seconds) to let go of it."""
    deadline = time.monotonic() + patience
    while not is_free(port, host):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # between two looks: a port tells nobody that it is free
    return True


def any_free(host: str = LOOPBACK) -> int:
    """A port that is free now. Somebody else may take it before its user does: be ready to ask again."""
    for _ in range(64):
        port = secrets.choice(QUIET)
        if is_free(port, host):
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def prefer(port: int | None, host: str = LOOPBACK) -> int:
    """`port` if it is free, else another one."""
    return port if port and is_free(port, host) else any_free(host)


def remembered(file: Path) -> int | None:
    """The port that an earlier run wrote down, or None."""
    try:
        port = int(file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return port if 0 < port < 65536 else None
