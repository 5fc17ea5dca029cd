"""The pure parts of an export: what is shown, whose order it is, and what becomes of several parcels together."""

from __future__ import annotations

from typing import Any

import pytest

from services.exporter.asked import ours
from services.exporter.shown import aligned, hit_of, sent_by_others, shows
from services.exporter.together import together
from shared.connectors.contract import OrderChange, SentShipment, Unit
from shared.errors.problem import Problem
from shared.events.orders import Shipment
from shared.records.imported import Imported
from shared.records.shipments import Told
from shared.records.states import State
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Retry, Skip, Wait, Warned

ONE, TWO = Problem("already-there"), Problem("tracking-changed")
TOLD = Told("s-1", "accepted", "DHL", "0034", ("u-1", "u-2"), None, 1.0)


def unit(id_: str, state: Any = "shipped", number: str | None = "0034") -> Unit:
    return Unit(id_, "ABC-1", state, "DHL", number)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ([], None),
        ([Done("1"), Done("2")], Done("1")),
        ([Done("1", note=ONE), Done("2")], Done("1")),
        ([Done("1", note=ONE), Done("2", note=ONE)], Done("1", note=ONE)),
        ([Skip(ONE), Done("2")], Done("2")),
        ([Skip(ONE), Skip(TWO)], Skip(ONE)),
        ([Done("1"), Warned((ONE,), "2"), Warned((ONE, TWO))], Warned((ONE, TWO), "1")),
        ([Warned((ONE,), "1"), Fail((TWO,)), Fail((TWO,))], Fail((TWO,), "1")),
        ([Fail((ONE,)), Hold(TWO, 3.0), Hold(ONE, 2.0)], Hold(ONE, 2.0)),
        ([Hold(ONE, 0.0), Retry(TWO, 9.0)], Retry(TWO, 9.0)),
        ([Hold(ONE, 0.0, called=True), Wait(TWO, (), 9.0)], Wait(TWO, (), 9.0, called=True)),
        ([Done("1"), Hold(ONE, 1.0, called=True)], Hold(ONE, 1.0, called=True)),
    ],
)
def test_several_parcels_make_one_outcome(said: list[Outcome], wanted: Outcome | None) -> None:
    assert together(said) == wanted


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        ([unit("u-1"), unit("u-2")], True),
        ([unit("u-1"), unit("u-2", "returned"), unit("u-3", "open", None)], True),
        ([unit("u-1"), unit("u-2", number=None)], True),
        ([unit("u-1"), unit("u-2", "open", None)], False),
        ([unit("u-1"), unit("u-2", number="0099")], False),
        ([unit("u-1"), unit("u-2", "cancelled", None)], False),
        ([unit("u-3")], False),
        ([], False),
    ],
)
def test_a_parcel_is_shown_when_all_its_units_are(units: list[Unit], shown: bool) -> None:
    assert shows(TOLD, units) is shown


def test_a_hit_counts_by_its_units_for_a_parcel_may_hold_several_orders() -> None:
    other, mine, silent = (
        SentShipment(id_, "DHL", "0034", units) for id_, units in (("a", ("x",)), ("b", ("u-2",)), ("c", ()))
    )
    assert hit_of(TOLD, [other]) is None
    assert hit_of(TOLD, [other, mine]) == mine
    assert hit_of(TOLD, [silent]) == silent


def test_what_others_sent_has_the_number_and_is_nobodys_in_the_ledger() -> None:
    units = [unit("u-1"), unit("u-2"), unit("u-3", number="0099"), unit("u-4", "open", None)]
    assert [one.id for one in sent_by_others(Shipment(id="s", tracking_number=" 0034 "), units, {"u-1"})] == ["u-2"]
    assert sent_by_others(Shipment(id="s"), units, set()) == []


def change(erp: str, status: Any = "shipped", marketplace_id: str | None = "m-1") -> OrderChange:
    return OrderChange("4711", erp, status, marketplace_id)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([change("1"), change("2")], "2"),
        ([change("1", marketplace_id="m-2")], None),
        ([change("1", marketplace_id=None), change("3", marketplace_id="m-2")], "1"),
        ([change("1", "cancelled"), change("3")], "3"),
        ([change("1"), change("2", "cancelled")], "2"),
    ],
)
def test_of_several_orders_with_one_number_ours_is_exported(candidates: list[OrderChange], chosen: str | None) -> None:
    imported = {"4711": Imported("4711", State.DONE, "2", "m-1", b"{}")}
    found = ours({"4711": candidates}, imported)
    assert (found["4711"].erp_number if found else None) == chosen


def test_of_an_order_that_nobody_imported_the_living_one_is_exported() -> None:
    assert ours({"4711": [change("1", "cancelled"), change("2")]}, {})["4711"].erp_number == "2"


def piece(number: int, state: Any = "open", parcel: str | None = None) -> Unit:
    return Unit(f"p-{number}", "ABC-1", state, None, parcel, line="p")


def parcel(number: str, *pieces: int) -> Told:
    return Told(f"s-{number}", "accepted", "DHL", number, tuple(f"p-{each}" for each in pieces), None, 1.0)


@pytest.mark.parametrize(
    ("units", "ledger", "shipped"),
    [
        # The second parcel is shown first: its piece must not pass for one of the first parcel.
        ([piece(1, "shipped", "B"), piece(2), piece(3)], [parcel("A", 1, 2), parcel("B", 3)], {"p-3": "B"}),
        (
            [piece(1, "shipped", "B"), piece(2, "shipped", "A"), piece(3, "shipped", "A")],
            [parcel("A", 1, 2), parcel("B", 3)],
            {"p-1": "A", "p-2": "A", "p-3": "B"},
        ),
        # Somebody else's parcel, and a cancelled piece, go to pieces that no parcel of ours took.
        ([piece(1, "shipped", "X"), piece(2), piece(3, "cancelled")], [parcel("A", 1)], {"p-2": "X"}),
        ([piece(1, "shipped", "X"), piece(2)], [parcel("A", 1, 2)], {"p-1": "X"}),
        # Half of a parcel is shown.
        ([piece(1, "shipped", "A"), piece(2)], [parcel("A", 1, 2)], {"p-1": "A"}),
        ([piece(1, "shipped", "X"), piece(2)], [], {"p-1": "X"}),
    ],
)
def test_interchangeable_pieces_fit_the_ledger(units: list[Unit], ledger: list[Told], shipped: dict[str, str]) -> None:
    found = aligned(units, ledger)
    assert [each.id for each in found] == [each.id for each in units]
    assert sorted(each.state for each in found) == sorted(each.state for each in units)
    assert {each.id: each.tracking_number for each in found if each.state == "shipped"} == shipped
    taken = {id_ for told in ledger for id_ in told.units}
    assert not [each.id for each in found if each.state == "cancelled" and each.id in taken]


def test_units_with_a_name_of_their_own_keep_it() -> None:
    units = [unit("u-1", number="other"), unit("u-2")]
    assert aligned(units, [TOLD]) == units
