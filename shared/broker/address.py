"""A broker's URL, taken apart: amqp://, amqps:// or pgmq://.

Enters: CONNECT_AMQP_URL. Leaves: its parts for the client libraries, and a form without the password for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "pgmq": 5432}


@dataclass(frozen=True, slots=True)
class Address:
    """`path` is the vhost, or the database. `options` are what stands behind the question mark.

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

    @property
    def tls(self) -> bool:
        """Whether AMQP goes over TLS."""
        return self.scheme == "amqps"

    def __str__(self) -> str:
        return f"{self.scheme}://{quote(self.user)}:***@{self.host}:{self.port}/{quote(self.path, safe='')}"


def parse(url: str) -> Address:
    """Take a URL apart. Raises ValueError with a plain sentence."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"CONNECT_AMQP_URL starts with {parts.scheme or 'nothing'}://; it must be amqp, amqps or pgmq")
    if not parts.hostname:
        raise ValueError("CONNECT_AMQP_URL names no host")
    pgmq = parts.scheme == "pgmq"
    return Address(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or DEFAULT_PORTS[parts.scheme],
        user=unquote(parts.username or ("postgres" if pgmq else "guest")),
        password=unquote(parts.password or ("" if pgmq else "guest")),
        path=unquote(parts.path[1:]) or ("postgres" if pgmq else "/"),
        options=dict(parse_qsl(parts.query)),
    )
