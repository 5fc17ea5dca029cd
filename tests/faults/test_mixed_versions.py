"""An upgrade under load: the release before and this one side by side on one database, and processes that come and go.

Which release that is: `tests/support/before.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.db.migrate import migrate, pending
from tests.faults.tally import Tally
from tests.support.before import before, prepare  # noqa: F401 - a fixture
from tests.support.sandbox import sandbox
from tests.support.system import System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults_full, pytest.mark.timeout(900)]

ORDERS = 240
PARTS = 12


@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
def test_old_and_new_side_by_side_over_a_migration(
    tmp_path: Path,
    empty_database_url: str,
    broker_url: str,
    before: Path,  # noqa: F811
    tally: Tally,
) -> None:
    with (
        sandbox(tmp_path / "sandbox") as stand,
        running(System(tmp_path, empty_database_url, broker_url, stand)) as system,
    ):
        tally.counted.append(system)
        prepare(system, before)
        assert pending(empty_database_url), "the release before has the newest schema already: take an older one"
        numbers = [f"mixed-{n:04}" for n in range(ORDERS)]
        parts = [numbers[n::PARTS] for n in range(PARTS)]

        def publish(part: int) -> None:
            system.publish([order_event(number) for number in parts[part]])

        for name in ("old-one", "old-two"):
            system.start(name, cwd=before)
        publish(0)
        until(lambda: system.states()["done"] > 0, "the old release works", 90)
        publish(1)
        migrate(empty_database_url)  # under load
        tally.faults += 1
        publish(2)
        system.start("new-one")
        until(lambda: _consumes(system, "new-one"), "the new release runs beside the old one", 90)
        for part in range(3, 6):
            publish(part)
        assert system.end("old-one") == 0
        system.start("new-two")
        publish(6)
        assert system.end("old-two") == 0
        tally.faults += 2
        # And a way back: the old release once more beside the new one, as after a bad deployment.
        system.start("old-again", cwd=before)
        until(lambda: _consumes(system, "old-again"), "the old release runs on the new schema", 90)
        publish(7)
        assert system.end("old-again") == 0
        tally.faults += 1
        for part in range(8, PARTS):  # and every process in turn, while events flow
            publish(part)
            name = "new-one" if part % 2 else "new-two"
            until(lambda: _consumes(system, name), f"{name} runs", 90)  # noqa: B023
            assert system.end(name) == 0
            tally.faults += 1
            (tmp_path / f"{name}.log").rename(tmp_path / f"{name}.log.{part}")
            system.start(name)
        assert system.until_settled(ORDERS, 180) == {"done": ORDERS}
        for release in ("old", "new"):
            assert _worked(system, release), f"the {release} release had nothing to do"
        assert system.ledger() == dict.fromkeys(numbers, 1)
        system.assert_books_balance()
        system.assert_history_has_no_gaps()


def _consumes(system: System, name: str) -> bool:
    return '"intake.consuming"' in system.log_text(name)


def _worked(system: System, release: str) -> bool:
    logs = (path.read_text() for path in system.folder.glob(f"{release}-*.log*"))
    return any('"work.settled"' in text or '"record.settled"' in text for text in logs)
