"""The checklist before going live: what a look at both systems proves, what was tried by hand, what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.importer.fetch import arrival
from services.importer.rehearse import Rehearsals
from shared.db.connect import Connection, connect
from shared.records.errands import ask_errand, read_errand
from shared.records.gate import gate
from shared.records.interfaces import save_mapping
from shared.records.rehearsal import Item, checklist, kinds_of, store_proof
from shared.runtime import rehearse
from shared.runtime.intake import Intake
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, nothing
from tests.support.system import order_event

pytestmark = pytest.mark.servers
READS = {
    "xentral": {"find-products", "find-orders", "read-order", "list-articles", "read-stock", "read-references"},
    "otto": {"token", "list-orders", "read-order", "list-quantities", "read-quantity"},
}


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened
        assert_sound(opened)


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Creating]:
    add(conn, stand, without=("INVOICE_SINGLE",))
    conn.execute("UPDATE interfaces SET mode = 'test'")
    with creating(database_url, conn, stand, start=False) as found:
        yield found


def look(work: Creating) -> dict[str, Item]:
    """Ask for a look, have the importer do it, and read the checklist."""
    errand = ask_errand(work.conn, "rehearsal", SLUG, "erika")
    loop = Rehearsals(work.remotes, connect=lambda: work.conn, read=work.read, fatal=nothing)
    loop.serve(work.conn, SLUG)
    found = read_errand(work.conn, errand)
    assert found is not None
    assert (found["code"], found["finished_at"] is not None) == (None, True)
    return items(work.conn)


def items(conn: Connection) -> dict[str, Item]:
    return {item.name: item for item in checklist(conn, SLUG)}


def states_of(found: dict[str, Item]) -> dict[str, str]:
    return {name: item.state for name, item in found.items()}


def by_hand(work: Creating, number: str) -> None:
    """A person imports an order; it arrives."""
    interface = work.read(work.conn, SLUG)
    assert interface is not None
    source, close = work.remotes.marketplace(interface)
    found = source.read_orders([number])
    close()
    Intake(nothing).take_in(work.conn, [arrival(SLUG, found[number], forced=True)])
    work.start()
    work.until(number, "done")


def test_before_any_look_everything_is_open_and_alarms_do_not_block(work: Creating) -> None:
    assert states_of(items(work.conn)) == {
        "connection:marketplace": "open", "connection:erp": "open", "history": "open", "stock-sample": "open",
        "alarm-mail": "not-available",
    }  # fmt: skip
    assert all(f"connect interfaces rehearsal {SLUG}" in item.fix for item in gate(work.conn, SLUG, None).open)
    store_proof(work.conn, SLUG, "alarm-mail", True, {})  # as the alert service will
    assert items(work.conn)["alarm-mail"].state == "done"


def test_a_rehearsal_proves_step_by_step_that_all_is_well(
    work: Creating, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    (number,) = stand.place("otto", 1, skus=["ABC-1"])
    before = {key: stand.calls(key) for key in READS}
    found = look(work)
    for key, reads in READS.items():
        called = {name for name, count in stand.calls(key).items() if count > before[key].get(name, 0)}
        assert called <= reads, f"a look only reads, not {called - reads}"
    assert {found[f"connection:{side}"].state for side in ("marketplace", "erp")} == {"done"}
    history = found["history"]
    assert (history.state, history.proof is not None and history.proof["orders"] >= 1) == ("done", True)
    assert found["stock-sample"].state == "done", found["stock-sample"]
    assert found["payment:INVOICE_SINGLE"].state == "open"
    assert found["mappings"].state == "open"
    assert "payment:INVOICE_SINGLE" in found["mappings"].says
    assert f"connect interfaces map {SLUG} payment INVOICE_SINGLE" in found["mappings"].fix

    save_mapping(work.conn, SLUG, "payment", "INVOICE_SINGLE", "2")
    assert items(work.conn)["mappings"].state == "done", "a gap that was closed is none, without another look"
    by_hand(work, number)
    proved = items(work.conn)["payment:INVOICE_SINGLE"]
    assert (proved.state, proved.proof and proved.proof["number"]) == ("done", number)
    left = gate(work.conn, SLUG, None).open
    assert {item.name.partition(":")[0] for item in left} <= {"payment", "shipping", "tax"}, left


def test_a_shop_without_orders_has_nothing_to_rehearse(work: Creating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearse, "LOOK_BACK", -rehearse.LOOK_BACK)
    found = look(work)
    assert found["history"].state == "not-needed"
    assert found["mappings"].state == "done"
    assert not [name for name in found if name.startswith(("payment:", "shipping:", "tax:"))]


def test_the_look_back_is_bounded_and_says_so(work: Creating, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.place("otto", 2)
    monkeypatch.setattr(rehearse, "MOST_ORDERS", 1)
    history = look(work)["history"]
    assert (history.state, history.proof is not None and history.proof["complete"]) == ("done", False)
    assert "there are more" in history.says


def test_a_connection_that_fails_is_named_and_a_changed_one_is_tested_again(work: Creating, stand: Stand) -> None:
    stand.fault("xentral", "401", times=20)
    found = look(work)
    assert (found["connection:marketplace"].state, found["connection:erp"].state) == ("done", "open")
    assert found["connection:erp"].proof is not None
    assert found["connection:erp"].proof["code"] == "remote-unauthorised"
    stand.clear("xentral")
    assert look(work)["connection:erp"].state == "done"
    work.conn.execute("UPDATE sides SET settings = settings || '{\"channel\": \"9\"}' WHERE side = 'erp'")
    assert items(work.conn)["connection:erp"].state == "open"


def test_a_flow_that_goes_live_alone_needs_only_what_concerns_it(work: Creating) -> None:
    assert {item.name for item in gate(work.conn, SLUG, "stock").open} == {
        "connection:marketplace", "connection:erp", "stock-sample",
    }  # fmt: skip
    assert not gate(work.conn, SLUG, "stock").step.wants_date


def test_kinds_are_spelt_as_people_write_them() -> None:
    order = order_event("1", discounts=[{"title": "x", "amount": "1.00", "tax_rate": "7.0"}])["data"]["order"]
    assert kinds_of(order) == {
        ("payment", "INVOICE_SINGLE"), ("shipping", "DELIVERY_FEE_STANDARD"), ("tax", "19"), ("tax", "7"),
    }  # fmt: skip


def test_an_order_that_would_be_refused_does_not_hold_up_the_look(work: Creating, stand: Stand) -> None:
    stand.place("otto", 1, "unreadable")
    found = look(work)
    assert found["history"].state == "done"
