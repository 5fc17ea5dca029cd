"""A connection to the broker inside PostgreSQL, with a deadline on every statement.

Called by the modules for pgmq. A server that is frozen still answers TCP, so none of libpq's own timeouts notices;
the deadline is kept on this side, and a connection that missed one is thrown away.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

from shared.broker.address import Address
from shared.db.connect import bound_transactions

CONNECT_SECONDS = 4.0
VISIBILITY_SECONDS = 30.0
STATEMENT_SECONDS = 20


class Link(psycopg.Connection[tuple[Any, ...]]):
    """An autocommit connection; `until` (time.monotonic() seconds) bounds all that is done with it."""

    until: float = float("inf")

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, but never past `until`. Raises psycopg.OperationalError and gives the connection up."""
        left = self.until - time.monotonic()
        try:
            return super().wait(gen, interval, timeout=min(left, timeout or left) if left != float("inf") else timeout)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server did not answer in time") from None

    def within(self, seconds: float) -> Link:
        """Bound what follows; returns itself."""
        self.until = time.monotonic() + seconds
        return self


def open_link(address: Address, name: str, seconds: float = CONNECT_SECONDS) -> Link:
    """Connect. Raises psycopg.OperationalError after about `seconds`, of which libpq wants two at least."""
    link = Link.connect(
        make_conninfo(**_parameters(address)),
        application_name=name,
        autocommit=True,
        connect_timeout=max(2, round(seconds)),
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
        options=f"-c statement_timeout={STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout=30000 -c jit=off",
        target_session_attrs="read-write",
    )
    bound_transactions(link, STATEMENT_SECONDS)
    return link


def drop_link(link: Link) -> None:
    """Close it, whatever state it is in. Never raises, never waits."""
    with contextlib.suppress(psycopg.Error):
        link.close()


def visibility(address: Address) -> float:
    """How many seconds a message that was read stays hidden before it is delivered again."""
    return float(address.options.get("visibility_timeout", VISIBILITY_SECONDS))


def entity(queue: str) -> str:
    """The name that kombu's transport gives to a queue in pgmq, which knows letters, digits and `_` only."""
    return re.sub(r"[^\w]", "_", queue, flags=re.ASCII)


def table(queue: str) -> sql.Composed:
    """The table that pgmq keeps a queue in."""
    return sql.SQL("pgmq.{}").format(sql.Identifier(f"q_{entity(queue).lower()}"))


def _parameters(address: Address) -> dict[str, str]:
    extra = {name: value for name, value in address.options.items() if name != "visibility_timeout"}
    hosts, ports = zip(*address.nodes, strict=True)  # libpq asks each for the one that takes writes
    named = {"host": ",".join(hosts), "port": ",".join(map(str, ports)), "user": address.user, "dbname": address.path}
    return {**named, **({"password": address.password} if address.password else {}), **extra}
