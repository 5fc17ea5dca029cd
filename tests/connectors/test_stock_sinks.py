"""What every marketplace that takes stock promises, asked of each against its own stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.connectors.contract import Connector, RemoteError
from shared.errors.catalogue import catalogue
from tests.connectors.conftest import having, opened
from tests.support.sandbox import Stand, sandbox

pytestmark = pytest.mark.servers

SINKS = having("stock_sink")


@pytest.mark.parametrize("connector", SINKS)
def test_quantities_arrive_and_are_read_back(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        wanted = {"ABC-1": 5, "Kühlbox/20L": 0, "Spül.bürste-3": 999_999, "Größe XL #7": 7}
        assert side.stock_sink.send_quantities(wanted) == dict.fromkeys(wanted)
        assert {sku: stand.state(connector.key)["quantities"][sku] for sku in wanted} == wanted
        held = side.stock_sink.read_quantities([*wanted, "no/such"])
        assert {sku: each.quantity for sku, each in held.items()} == wanted
        assert side.stock_sink.send_quantities(wanted) == dict.fromkeys(wanted), "twice is harmless"
        assert {sku: stand.state(connector.key)["quantities"][sku] for sku in wanted} == wanted
        assert side.stock_sink.send_quantities({}) == {}


@pytest.mark.parametrize("connector", SINKS)
def test_a_bad_sku_fails_alone(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        wanted = {"ABC-1": 11, "ABC-1-XL/unknown": 12, "ABC-10": 13, "ABC-2": 14, "ABC-3": -1}
        told = side.stock_sink.send_quantities(wanted)
        assert sorted(told) == sorted(wanted)
        assert {sku: problem.code if problem else None for sku, problem in told.items()} == {
            "ABC-1": None,
            "ABC-1-XL/unknown": "sku-not-listed",
            "ABC-10": "sku-not-listed",
            "ABC-2": None,
            "ABC-3": "quantity-refused",
        }
        held = stand.state(connector.key)["quantities"]
        assert (held["ABC-1"], held["ABC-2"]) == (11, 14)
        assert not {"ABC-10", "ABC-1-XL/unknown"} & held.keys()
        for sku, problem in told.items():
            if problem:
                assert problem.values["sku"] == sku
                assert problem.code in catalogue()
        nobody = side.stock_sink.send_quantities({"unknown-1": 1, "unknown-2": 2})
        assert {problem.code for problem in nobody.values()} == {"sku-not-listed"}
        assert side.stock_sink.send_quantities({"unknown-1": 1})["unknown-1"].code == "sku-not-listed"


@pytest.mark.parametrize("connector", SINKS)
def test_a_full_batch_fits_and_paging_shows_every_sku_once(connector: Connector, tmp_path: Path) -> None:
    with sandbox(tmp_path) as own, opened(connector, own) as side:
        size = side.stock_sink.batch_size
        skus = [f"Menge/{number}" for number in range(2 * size + 1)]
        own.products(connector.key, *skus)
        for start in range(0, len(skus), size):
            batch = {sku: place for place, sku in enumerate(skus[start : start + size])}
            assert side.stock_sink.send_quantities(batch) == dict.fromkeys(batch)
        with pytest.raises(ValueError, match=str(size)):
            side.stock_sink.send_quantities(dict.fromkeys(skus, 1))
        pages = list(side.stock_sink.quantities())
        assert len(pages) > 1
        seen = [each.sku for page in pages for each in page]
        # A marketplace may show every article that it lists, or only what it was told.
        assert sorted(seen) == sorted(own.state(connector.key)["quantities"])
        assert set(skus) <= set(seen)
        assert all(each.changed_at is None or each.changed_at.tzinfo for page in pages for each in page)


@pytest.mark.parametrize("connector", SINKS)
@pytest.mark.parametrize("fault", ["500_after_success", "truncated", "timeout_after_success"])
def test_an_unknown_outcome_is_settled_by_reading_back(connector: Connector, fault: str, stand: Stand) -> None:
    with opened(connector, stand, deadline=1.0) as side:
        stand.fault(connector.key, fault, operation="send-quantities", seconds=3)
        with pytest.raises(RemoteError) as caught:
            side.stock_sink.send_quantities({"ABC-2": 77})
        assert caught.value.reason.outcome_unknown
        assert side.stock_sink.read_quantities(["ABC-2"])["ABC-2"].quantity == 77


@pytest.mark.parametrize("connector", SINKS)
def test_what_is_accepted_and_not_applied_shows_when_it_is_read_back(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        side.stock_sink.send_quantities({"ABC-3": 1})
        stand.fault(connector.key, "accepted_not_applied", operation="send-quantities")
        assert side.stock_sink.send_quantities({"ABC-3": 2}) == {"ABC-3": None}
        assert side.stock_sink.read_quantities(["ABC-3"])["ABC-3"].quantity == 1
        side.stock_sink.send_quantities({"ABC-3": 3})
        assert side.stock_sink.read_quantities(["ABC-3"])["ABC-3"].quantity == 3
