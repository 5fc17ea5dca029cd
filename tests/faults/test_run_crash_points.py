"""The Journal dies in a bulk run, at each of its crash points: the next one goes on, and nothing runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.cli.local.ports import any_free
from shared.db.connect import Connection, connect
from shared.failpoint import NAMES
from shared.records.bulk import How, start
from shared.records.bulk_read import read_run
from shared.records.filter import parse
from tests.faults.tally import Tally
from tests.support.stored import store_interface, store_record
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(600)]
MANY = 40


def _free_port() -> int:
    return any_free()


def _journal(url: str, fault: str, log: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECT_")}
    environment |= {
        "CONNECT_DATABASE_URL": url, "CONNECT_PORT": str(_free_port()), "CONNECT_METRICS_PORT": str(_free_port()),
        "CONNECT_SECRET_KEY": "a-secret-of-the-tests", "CONNECT_FAULT": fault,
    }  # fmt: skip
    with log.open("ab") as file:
        return subprocess.Popen([sys.executable, "-m", "services.journal"], env=environment, stderr=file)


def _work(conn: Connection) -> None:
    """Workers do what is due."""
    conn.execute("UPDATE records SET state = 'done', seq = seq + 1, due_at = NULL WHERE state = 'pending'")


def test_every_crash_point_of_a_run_leaves_each_record_to_be_set_due_once(
    database_url: str, tmp_path: Path, tally: Tally
) -> None:
    points = sorted(name for name in NAMES if name.startswith("runs."))
    assert points == ["runs.chosen", "runs.judged", "runs.moved", "runs.set-due"]
    with connect(database_url, "tests") as conn:
        store_interface(conn)
        for n in range(MANY):
            store_record(conn, f"{n:03}", state="failed", code="remote-timeout", seq=1)
        wanted = parse("state:failed", ZoneInfo("UTC"))
        run = start(conn, "order-import", "retry", "erika", filter=wanted, how=How(undo_seconds=0))["id"]
        conn.execute("DELETE FROM bulk_items")  # as if it had taken too long in the request
        conn.execute("UPDATE bulk_runs SET matched = NULL")
        for point in points:
            times = 2 if point in ("runs.judged", "runs.moved") else 1
            dying = _journal(database_url, f"{point}:kill@{times}", tmp_path / "log")

            def died(process: subprocess.Popen[bytes] = dying) -> bool:
                _work(conn)
                return process.poll() is not None

            try:
                until(died, f"it dies at {point}", 120)
            finally:
                dying.kill()  # no harm to the dead
            tally.faults += 1
            assert dying.returncode == -signal.SIGKILL, (tmp_path / "log").read_text()
        last = _journal(database_url, "", tmp_path / "log")
        try:

            def over() -> bool:
                _work(conn)
                found = read_run(conn, UUID(run))
                return found is not None and found["state"] == "done"

            until(over, "the run is done", 120)
        finally:
            last.kill()
            last.wait(30)
        counts = conn.execute("SELECT count(*) FROM transitions WHERE code = 'retried' GROUP BY record_id").fetchall()
        assert counts == [(1,)] * MANY
        found = read_run(conn, UUID(run))
        assert found is not None
        assert (found["counts"]["done"], found["progress"]["succeeded"]) == (MANY, MANY)
