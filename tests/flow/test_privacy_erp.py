"""An order whose buyer was erased is never created in the ERP, and never read again from the shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.db.connect import Connection, connect
from shared.privacy.deed import ask
from shared.privacy.steps import step
from shared.privacy.subject import subject
from shared.records.actions import retry
from shared.records.interfaces import save_mapping
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, event, nothing

pytestmark = pytest.mark.servers


@pytest.fixture
def work(database_url: str, stand: Stand) -> Iterator[Creating]:
    with connect(database_url, "tests") as conn:
        add(conn, stand)
        with creating(database_url, conn, stand) as found:
            yield found


def erase(conn: Connection, number: str) -> None:
    """All steps."""
    deed = ask(conn, "erase", subject(number=number), "anna", "ticket 812")
    while step(conn, deed, list, nothing) is not None:
        pass


def test_what_is_erased_is_created_no_more_and_what_is_there_stays_done(work: Creating, number: str) -> None:
    there, never = f"{number}-1", f"{number}-2"
    work.take_in(event(there), event(never, payment={"method": "UNKNOWN"}))
    work.until(there, "done")
    failed = work.until(never, "failed")
    work.conn.execute("UPDATE records SET state = 'skipped' WHERE id = %s", (failed["id"],))  # somebody ignored it
    for each in (there, never):
        erase(work.conn, each)
    save_mapping(work.conn, SLUG, "payment", "UNKNOWN", "2")
    ids = [row[0] for row in work.conn.execute("SELECT id FROM records WHERE flow = 'order-import'").fetchall()]
    retry(work.conn, ids, "anna")
    work.bell.ring(SLUG)
    work.until(there, "done")
    assert work.until(never, "failed")["code"] == "personal-data-erased"
    assert (len(work.erp_orders(there)), len(work.erp_orders(never))) == (1, 0)
