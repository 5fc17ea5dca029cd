"""T1: services whose clocks are an hour ahead or behind. Leases and next tries go by the database's clock alone."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.moved_clock import moved
from tests.support.system import System, order_event
from tests.support.waiting import stopped, until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(240)]
LONGEST_SECONDS = 600
"""Of a first next try, or of a lease; an hour is far beyond."""

DUE = "SELECT extract(epoch FROM due_at - now())::float8 FROM records WHERE state = %s AND due_at IS NOT NULL"


def start(system: System, name: str, hours: float, **settings: str) -> None:
    system.environment = moved(hours, system.folder)
    system.start(name, "importer", **settings)
    system.environment = {}


def test_a_process_with_a_wrong_clock_waits_neither_too_long_nor_too_short(system: System) -> None:
    """What fails is tried again in time; what a frozen one holds is taken over when its lease is over, not before."""
    begun, hours = datetime.now(UTC), 1.0
    system.stand.fault("xentral", "503", "create-order", times=3)
    start(system, "wrong", hours)
    system.publish([order_event(f"C{n}") for n in range(3)])
    until(lambda: system.states()["waiting"] == 3, "the ERP is away for all of them", 90)
    (line, *_) = system.log("wrong")
    told = datetime.fromisoformat(line["timestamp"])
    assert abs(told - begun - timedelta(hours=hours)) < timedelta(minutes=10), "its clock is wrong indeed"
    waits = [seconds for (seconds,) in system.query(DUE, "waiting")]
    assert all(-5 < seconds < LONGEST_SECONDS for seconds in waits), waits
    system.stand.clear("xentral")
    system.change("UPDATE records SET due_at = now() WHERE state = 'waiting'")
    assert system.until_settled(3, 90) == {"done": 3}
    assert system.end("wrong") == 0

    frozen_name = "frozen"
    start(system, frozen_name, hours, fault="work.before-call:stop@1", lease_seconds="3")
    system.publish([order_event("C9")])
    pid = system.processes[frozen_name].pid
    until(lambda: stopped(pid), "it stands still before its call", 60)
    ((held,),) = system.query(DUE, "running")
    assert held < LONGEST_SECONDS
    start(system, "other", -hours)
    assert system.until_settled(4, 90) == {"done": 4}
    early = system.query(
        "SELECT count(*) FROM transitions a JOIN transitions b USING (record_id) JOIN records r ON r.id = a.record_id"
        " WHERE r.key = 'C9' AND a.to_state = 'running' AND b.to_state = 'running' AND b.seq > a.seq"
        " AND b.at < a.at + interval '3 seconds'"
    )
    assert early == [(0,)], "nobody took it over before the lease was over"
    system.processes[frozen_name].send_signal(signal.SIGCONT)
    until(lambda: system.ledger()["C9"] >= 1, "it is in the ERP", 30)
    for name in (frozen_name, "other"):
        system.end(name)
    assert set(system.ledger().values()) == {1}
    times = system.query("SELECT min(at) > now() - interval '30 minutes', max(at) <= now() FROM transitions")
    assert times == [(True, True)], "the history has the database's time"
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
