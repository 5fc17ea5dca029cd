"""The checks of the way back and of mails are checked: each planted bug must turn its invariant red.

That they are green without a bug is what the crash tests of stock, exporter and alert service say.
"""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.alarms import subscriptions
from shared.alarms.wanted import Alarm
from shared.db.connect import connect
from tests.faults.check_back import mailed, newest, told_once
from tests.faults.planted_back import BUGS
from tests.faults.test_alert_crash_points import PEOPLE, Alerts, fail
from tests.support.mail_server import mail_server
from tests.support.stocking import stock_event
from tests.support.stored import store_interface
from tests.support.system import System
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
SKUS = ("ABC-1", "ABC-2", "ABC-3")
VERSIONS = (10, 30, 20)
"""Quantities in the order of changes; the last one comes before the one in the middle."""

BUSY = "SELECT count(*) FROM records WHERE flow = 'stock' AND due_at IS NOT NULL"
SEEN = {"stock-by-arrival", "mail-recorded-before-send"}


def test_every_bug_has_its_test() -> None:
    assert set(BUGS) == SEEN


@pytest.mark.faults_full
@pytest.mark.parametrize("broker_url", ["pgmq"], indirect=True)
@pytest.mark.parametrize("bug", ["", "stock-by-arrival"])
def test_stock_by_arrival_is_seen(system: System, bug: str) -> None:
    system.prepare()
    system.stand.products("otto", *SKUS)
    began = datetime.now(UTC) - timedelta(minutes=5)
    system.start("stock", "stock", module=("tests.faults.planted_back", bug) if bug else ())
    for count, place in enumerate((0, 2, 1), 1):
        time = began + timedelta(seconds=place)
        system.publish([stock_event(sku, VERSIONS[place], time=time) for sku in SKUS], "stock-changed")
        taken = "SELECT count(*) FROM events"
        until(lambda: system.query(taken) == [(count * len(SKUS),)], "they are taken in", 60)  # noqa: B023
        until(lambda: system.query(BUSY) == [(0,)], "they are sent", 60)
    shown = {sku: system.stand.state("otto")["quantities"].get(sku) for sku in SKUS}
    sent = [(each["sku"], each["quantity"]) for each in system.stand.sent_quantities()]
    found = list(newest(shown, dict.fromkeys(SKUS, VERSIONS), sent))
    assert bool(found) == bool(bug), json.dumps(found)


@pytest.mark.faults_full
def test_a_mail_recorded_before_it_is_sent_is_seen(database_url: str, tmp_path: Path) -> None:
    with connect(database_url, "tests") as conn, mail_server() as server:
        store_interface(conn, "otto-de")
        alarm = Alarm(name="Night", interfaces=("otto-de",), recipients=PEOPLE, language="de")
        subscriptions.add(conn, alarm, "anna", "Europe/Berlin", verified=True)
        alerts = Alerts(tmp_path, database_url, server, ("tests.faults.planted_back", "mail-recorded-before-send"))
        fail(conn, "4711")
        try:
            alerts.start("mail.taken:kill@1")
            assert alerts.process is not None
            dying = alerts.process
            until(lambda: dying.poll() is not None, "killed with a mail in its hands", 60)
            assert dying.returncode == -signal.SIGKILL
            conn.execute("UPDATE mails SET due_at = now() WHERE state = 'queued'")
            alerts.start()
            said = "SELECT count(*) FROM mails WHERE state = 'sent'"
            until(lambda: conn.execute(said).fetchone() == (len(PEOPLE),), "all are said to be sent", 60)
            until(lambda: any(server.ids(address) for address in PEOPLE), "one of them was", 60)
        finally:
            assert alerts.process is not None
            alerts.process.kill()
            alerts.process.wait()
        found = list(mailed({address: server.ids(address) for address in PEOPLE}, 1, repeated=1))
    assert found, "the bug was planted, and nobody saw it"


def test_parcels_told_twice_never_or_too_early_are_seen() -> None:
    wanted = {"1": ["a", "b"]}
    assert list(told_once({"1": ["b", "a"]}, wanted, ["1"])) == []
    assert len(list(told_once({"1": ["a", "a", "b"]}, wanted, ["1"]))) == 1
    assert len(list(told_once({"1": ["a"]}, wanted, ["1"]))) == 1
    assert len(list(told_once({"1": ["a", "b"]}, wanted, []))) == 1
    assert len(list(told_once({"2": ["c"]}, {}, ["2"]))) == 1
