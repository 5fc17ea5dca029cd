"""Where a request comes from: the peer of the connection, or, behind a proxy that is trusted, whom that one names.

A proxy adds the address it saw at the end of `X-Forwarded-For`. What stands before it anybody could have written, so
the list is read from its end, and the first address that is no trusted proxy counts. From everybody else the header
is not looked at.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

from shared.networks import Networks

MOST_HOPS = 20
NOBODY = "?"


def came_from(request: HTTPConnection, trusted: Networks | None) -> str:
    """The address, as text; `?` where there is none."""
    peer = request.client.host if request.client else NOBODY
    address = _address(peer)
    if address is None or trusted is None or not _among(trusted, address):
        return peer
    named = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for text in reversed(named[-MOST_HOPS:]):
        found = _address(text.strip())
        if found is None:  # no proxy of ours wrote this; the last one that did is all there is
            return str(address)
        address = found
        if not _among(trusted, address):
            break
    return str(address)


def network_of(address: str) -> str:
    """The network around an address: enough to see whether a login came from inside, and no person's own address."""
    found = _address(address)
    if found is None:
        return NOBODY
    return str(ip_network((found, 24 if isinstance(found, IPv4Address) else 48), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _among(trusted: Networks, address: IPv4Address | IPv6Address) -> bool:
    return any(address.version == network.version and address in network for network in trusted.networks)
