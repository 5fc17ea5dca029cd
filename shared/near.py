"""Whether what is sent to a host stays on this machine."""

from __future__ import annotations

import ipaddress


def is_near(host: str) -> bool:
    """A loopback address, a socket's path, or a container of the same host: its name has no dot."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host


def is_this_machine(host: str) -> bool:
    """A loopback address, in brackets or not, or a name that always means one. Another container is another machine."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
