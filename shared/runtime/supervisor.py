"""Tells the supervisor that started a service, such as systemd, that it runs, lives and stops.

The protocol of `sd_notify(3)`: a datagram a state to the socket that NOTIFY_SOCKET names. Without one nothing is told.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"


class Supervisor:
    """Where to tell it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ` is the process's environment."""
        name = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the NUL of an abstract socket.
        self._address = "\0" + name[1:] if name.startswith("@") else name

    def tell(self, state: str) -> None:
        """Never raises and never waits: that the supervisor is away must not stop the service."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.setblocking(False)
            to.connect(self._address)
            to.send(state.encode())
