"""Which addresses the base URL of an interface may lead to: public ones, and the private ones that the operator named.

Without this, whoever may edit an interface could make Connect call what only its own network can reach: databases, a
cloud's metadata, other machines. Checked at the socket by `connectors.deadline`, on the address that is really
connected to, since a name may answer differently each time. Without encryption only named networks may be called, for
anybody on the way reads credentials and buyers' data. Read from CONNECT_ALLOWED_NETWORKS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

LOOPBACK = "127.0.0.0/8, ::1"
"""What the demo and the tests allow, whose stand-ins are on this machine."""

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_METADATA = frozenset(
    map(
        ip_address,
        ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
         "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    )
)  # fmt: skip
"""Where clouds hand out the machine's own credentials. No ERP lives there, so nothing allows them."""

_TRANSLATED = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Networks:
    """Named networks, and hosts that may have any private address. Nothing named: public addresses only, over TLS."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Networks:
        """Networks, addresses and host names, between commas or blanks. Raises ValueError that names a wrong one."""
        networks: list[IPv4Network | IPv6Network] = []
        hosts: set[str] = set()
        for word in re.split(r"[,\s]+", text.strip()):
            if not word:
                continue
            try:
                networks.append(ip_network(word))
                continue
            except ValueError as error:
                if "host bits" in str(error):
                    wide = ip_network(word, strict=False)
                    raise ValueError(f"“{word}” names a host within a network: write {wide}") from None
            name = word.lower().rstrip(".")
            if not _HOST.fullmatch(name) or re.fullmatch(r"[\d.]+", name):
                raise ValueError(f"“{word}” is neither a network such as 10.1.0.0/16 nor the name of a host")
            hosts.add(name)
        return cls(tuple(networks), frozenset(hosts))

    def permits(self, host: str, address: str, *, encrypted: bool = True) -> bool:
        """Whether `host` may be called at this address of it; False for what is no address.

        encrypted: over TLS. Without, a public address must lie in a named network too; a named host is not enough,
        since a name server could lead it out of the network that was meant.
        """
        try:
            found = _inner(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if found in _METADATA or found.is_multicast or found.is_unspecified:
            return False
        public = found.is_global and not found.is_reserved and not getattr(found, "is_site_local", False)
        if public and encrypted:
            return True
        if not public and host.lower().rstrip(".") in self.hosts:
            return True
        return any(found.version == network.version and found in network for network in self.networks)

    def with_loopback(self) -> str:
        """As text, with this machine added: for the processes of a demo."""
        named = [*map(str, self.networks), *sorted(self.hosts)]
        return ", ".join([*named, *(part for part in LOOPBACK.split(", ") if part not in named)])


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, which is where the packets end; else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
