"""A process that stands still in the middle of a pipelined transaction does not hold up the others for ever."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg
import pytest

from shared.db.connect import TRANSACTION_TIMEOUT_SINCE, connect


def test_the_locks_of_a_transaction_that_stands_still_are_let_go(database_url: str) -> None:
    with connect(database_url, "tests") as conn:
        if conn.info.server_version < TRANSACTION_TIMEOUT_SINCE:
            pytest.skip("this PostgreSQL has no timeout for a pipelined transaction that stands still")
        conn.execute("CREATE TABLE locked (key integer PRIMARY KEY)")
    frozen = connect(database_url, "tests-frozen", statement_timeout=1)
    with suppress(psycopg.OperationalError), frozen.pipeline(), frozen.transaction():
        frozen.execute("INSERT INTO locked VALUES (1) RETURNING key").fetchone()
        begun = time.monotonic()
        with connect(database_url, "tests-successor") as successor:
            successor.execute("INSERT INTO locked VALUES (1)")
        assert time.monotonic() - begun < 15
        assert frozen.execute("SELECT 1").fetchone() is None, "its transaction must be gone"
    with connect(database_url, "tests") as conn:
        assert conn.execute("SELECT count(*) FROM locked").fetchone() == (1,)
