"""A process that stands still in the middle of a pipelined transaction does not hold up the others for ever."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg
import pytest

from shared.db.connect import GONE, TRANSACTION_TIMEOUT_SINCE, connect
from shared.runtime.intake import Intake
from shared.runtime.prepare import Arrival
from tests.support.spine import nothing, store_lane
from tests.support.waiting import until


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


def test_who_stood_still_in_a_batch_comes_back_with_another_connection(database_url: str) -> None:
    """The end of its session is no crash: the loops go on with what GONE names."""
    batch = [Arrival(b"{", "order-imported", "tests", "order-imported")]  # what is refused goes through a transaction
    with connect(database_url, "tests") as conn:
        if conn.info.server_version < TRANSACTION_TIMEOUT_SINCE:
            pytest.skip("this PostgreSQL has no timeout for a pipelined transaction that stands still")
        store_lane(conn)
        frozen = connect(database_url, "tests-frozen", statement_timeout=1)
        pid = frozen.info.backend_pid

        def stand_still(name: str) -> None:
            if name == "intake.stored":
                gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
                until(lambda: conn.execute(gone, (pid,)).fetchone() == (True,), "its session has ended", 30)

        with pytest.raises(GONE):
            Intake(stand_still).take_in(frozen, batch)
        assert conn.execute("SELECT count(*) FROM rejections").fetchone() == (0,)
        (taken,) = Intake(nothing).take_in(conn, batch)
        assert str(taken.outcome) == "rejected"
