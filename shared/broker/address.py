"""A broker's URL, taken apart: amqp://, amqps:// or pgmq://.

Enters: CONNECT_AMQP_URL. Leaves: its parts for the client libraries, and a form without the password for people.

A cluster is named with all of its nodes, as libpq does it: amqp://user:password@one:5672,two:5672,three/vhost.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "pgmq": 5432}


@dataclass(frozen=True, slots=True)
class Address:
    """`path` is the vhost, or the database. `options` are what stands behind the question mark.

    others: host and port of the other nodes, where a cluster is named.

    For amqps: cacertfile, certfile, keyfile (RabbitMQ's own names). For pgmq: visibility_timeout (seconds, 30), and
    what libpq understands, such as sslmode.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    path: str
    options: Mapping[str, str]
    others: tuple[tuple[str, int], ...] = ()

    def each(self) -> list[Address]:
        """An address per node, in an order that chance makes: clients spread over the nodes, and leave a dead one."""
        nodes = [replace(self, host=host, port=port, others=()) for host, port in self.nodes]
        random.shuffle(nodes)
        return nodes

    @property
    def nodes(self) -> tuple[tuple[str, int], ...]:
        """Host and port of every node, as written."""
        return ((self.host, self.port), *self.others)

    @property
    def tls(self) -> bool:
        """Whether AMQP goes over TLS."""
        return self.scheme == "amqps"

    def __str__(self) -> str:
        where = ",".join(f"{host}:{port}" for host, port in self.nodes)
        return f"{self.scheme}://{quote(self.user)}:***@{where}/{quote(self.path, safe='')}"


def parse(url: str) -> Address:
    """Take a URL apart. Raises ValueError with a plain sentence."""
    scheme, netloc, path, query = _parts(url)
    if scheme not in DEFAULT_PORTS:
        raise ValueError(f"CONNECT_AMQP_URL starts with {scheme or 'nothing'}://; it must be amqp, amqps or pgmq")
    login, _, place = netloc.rpartition("@")
    user, _, password = login.partition(":")
    (host, port), *others = (_node(node, DEFAULT_PORTS[scheme]) for node in place.split(","))
    pgmq = scheme == "pgmq"
    return Address(
        scheme=scheme,
        host=host,
        port=port,
        user=unquote(user or ("postgres" if pgmq else "guest")),
        password=unquote(password or ("" if pgmq else "guest")),
        path=unquote(path[1:]) or ("postgres" if pgmq else "/"),
        options=dict(parse_qsl(query)),
        others=tuple(others),
    )


def _parts(url: str) -> tuple[str, str, str, str]:
    """Scheme, login and hosts, path, query. Not by `urlsplit`: newer ones refuse an IPv6 address behind a comma."""
    scheme, found, rest = url.partition("://")
    if not found:
        return "", "", "", ""
    netloc, path, query = re.fullmatch(r"([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", rest, re.DOTALL).groups("")  # type: ignore[union-attr]
    return scheme.lower(), netloc, path, query


def _node(text: str, port: int) -> tuple[str, int]:
    """Host and port of one node. Raises ValueError."""
    node = urlsplit(f"//{text}")
    if not node.hostname:
        raise ValueError("CONNECT_AMQP_URL names no host" if not text else f"CONNECT_AMQP_URL: {text} names no host")
    return node.hostname, node.port or port
