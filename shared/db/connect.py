"""Opens connections to Postgres with a deadline on everything that can block."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from shared.version import VERSION

Connection = psycopg.Connection[tuple[Any, ...]]

# Half-open connections are noticed after about 30 s instead of two hours; a demoted primary is not written to.
PARAMETERS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "target_session_attrs": "read-write",
}


GONE = (
    psycopg.OperationalError,
    psycopg.errors.TransactionTimeout,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
"""What says that a connection cannot be used any more: come back with another one. The server ends the session of a
process that stood still inside a transaction, and psycopg does not count that among the operational errors."""

TRANSACTION_TIMEOUT_SINCE = 170_000

LIFETIME_SECONDS = 60.0
"""libpq keeps its buffers as large as the largest row that ever went through the connection: an event of 900 kB that
six of them have read is six megabytes until they are closed."""

IDLE_SECONDS = 15.0
"""Connections that nobody needed for so long are closed, one at a time. The pool's own ten minutes would keep the eight
of one busy second for over an hour."""


def _options(statement_timeout: float, *, plan_once: bool = False, plan_each: bool = False) -> str:
    mode = "force_generic_plan" if plan_once else "force_custom_plan" if plan_each else "auto"
    return f"-c plan_cache_mode={mode} " + (
        f"-c statement_timeout={int(statement_timeout * 1000)} -c idle_in_transaction_session_timeout=30000"
        # A list of where a hundred thousand rows lie must fit, or all rows of these pages are looked at.
        " -c timezone=UTC -c synchronous_commit=on -c jit=off -c work_mem=32MB"
    )


def connect(
    url: str, name: str, *, statement_timeout: float = 30.0, plan_once: bool = False, plan_each: bool = False
) -> Connection:
    """An autocommit connection. `name` shows in pg_stat_activity; statement_timeout in seconds, 0 for none.

    plan_once: for loops that repeat the same few statements. PostgreSQL planned the claim anew each time, which took
    longer than to run it for one order. plan_each: for searches, whose best way depends on what is searched for.

    Raises psycopg.OperationalError within about five seconds when the server cannot be reached.
    """
    conn = psycopg.connect(
        url,
        autocommit=True,
        application_name=with_version(name),
        options=_options(statement_timeout, plan_once=plan_once, plan_each=plan_each),
        **PARAMETERS,
    )
    bound_transactions(conn, statement_timeout)
    return conn


def with_version(name: str) -> str:
    """How a service's connection is called in pg_stat_activity, which is where the status page reads versions."""
    return f"{name}/{VERSION}" if name.startswith("connect-") else name


def bound_transactions(conn: psycopg.Connection[Any], statement_timeout: float) -> None:
    """A process that stands still inside a transaction loses it soon after `statement_timeout`, and with it its locks.

    Inside a pipeline PostgreSQL takes such a session for active, so that no other timeout ends it: its locks would hold
    up every other process for as long as it stands still. The setting came with PostgreSQL 17.
    """
    if statement_timeout and conn.info.server_version >= TRANSACTION_TIMEOUT_SINCE:
        conn.execute("SELECT set_config('transaction_timeout', %s, false)", (f"{int(statement_timeout + 5)}s",))


def _usable(conn: Connection) -> None:
    """A pooled connection is handed out only if it still answers, and to a primary."""
    row = conn.execute("SHOW transaction_read_only").fetchone()
    if row != ("off",):
        raise psycopg.OperationalError("the database is read-only (a standby?)")


def open_pool(
    url: str,
    name: str,
    size: int,
    *,
    statement_timeout: float = 30.0,
    plan_each: bool = False,
    lifetime: float = LIFETIME_SECONDS,
    idle: float = IDLE_SECONDS,
) -> ConnectionPool[Connection]:
    """A pool of up to `size` checked autocommit connections; getting one has a deadline of five seconds.

    plan_each: as for `connect`. lifetime: seconds after which a connection that comes back is replaced by a new one;
    idle: seconds after which one that nobody needed meanwhile is closed.
    """
    return ConnectionPool(
        url,
        kwargs={
            "autocommit": True,
            "application_name": with_version(name),
            "options": _options(statement_timeout, plan_each=plan_each),
            **PARAMETERS,
        },
        min_size=1,
        max_size=size,
        timeout=5,
        reconnect_timeout=30,
        max_lifetime=lifetime,
        max_idle=idle,
        configure=lambda conn: bound_transactions(conn, statement_timeout),
        check=_usable,
        open=True,
    )
