"""Kill the stock service at every one of its failpoints: the newest quantities are at the marketplace in the end."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.failpoint import NAMES
from tests.faults.check_back import newest
from tests.faults.share import share
from tests.support.stocking import stock_event
from tests.support.system import System
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(240)]

SENDING = ("work.claimed", "work.before-settle", "work.settled", "stock.before-call", "stock.called", "stock.accepted")
PARENTS = ("stock.parent-read", "stock.parent-taken-in")
LOOKING = ("stock.shown", "stock.confirmed")
ALONE = ("stock.read-back", "stock.listed", "stock.compared")
ARTICLES = 20


def test_every_failpoint_of_the_stock_service_is_killed_at_here() -> None:
    ours = {name for name in NAMES if name.startswith("stock.")}
    assert ours == {name for name in (*SENDING, *PARENTS, *LOOKING, *ALONE) if name.startswith("stock.")}


class Shop:
    """Articles on both sides, and changes of all of them."""

    def __init__(self, system: System) -> None:
        self.system, self.mark = system, uuid.uuid4().hex[:8]
        self.skus = [f"{self.mark}-{n}" for n in range(ARTICLES)]
        self.began = datetime.now(UTC) - timedelta(minutes=5)
        system.prepare()
        system.stand.products("otto", *self.skus)

    def change(self, version: int) -> None:
        time = self.began + timedelta(seconds=version)
        self.system.publish(
            [stock_event(sku, 100 * version + n, time=time) for n, sku in enumerate(self.skus)], "stock-changed"
        )

    def until_shown(self, version: int) -> None:
        def shown() -> bool:
            held = self.system.stand.state("otto")["quantities"]
            return all(held.get(sku) == 100 * version + n for n, sku in enumerate(self.skus))

        until(shown, f"version {version} is shown", 60)

    def assert_newest(self, *versions: int) -> None:
        """The last of these versions stands, and none came after a newer one."""
        held = self.system.stand.state("otto")["quantities"]
        sent = [(each["sku"], each["quantity"]) for each in self.system.stand.sent_quantities()]
        wanted = {sku: [100 * version + n for version in versions] for n, sku in enumerate(self.skus)}
        assert list(newest(held, wanted, [one for one in sent if one[0] in wanted])) == []

    def until_settled(self) -> None:
        def states() -> dict[str, int]:
            query = "SELECT state, count(*) FROM records WHERE key LIKE %s GROUP BY 1"
            return dict(self.system.query(query, f"{self.mark}%"))

        until(lambda: states() == {"done": ARTICLES}, "all are done", 60)
        self.system.assert_books_balance()

    def run_until_it_dies(self, failpoint: str) -> None:
        crashing = self.system.start("stock", "stock", fault=f"{failpoint}:kill@1")
        self.change(1)
        until(lambda: crashing.poll() is not None, f"the service died at {failpoint}", 60)
        assert crashing.returncode == -9


@pytest.mark.parametrize("failpoint", share([*SENDING, *LOOKING], ["stock.called"]))
def test_a_crash_leaves_the_newest_at_the_marketplace(system: System, failpoint: str) -> None:
    shop = Shop(system)
    shop.run_until_it_dies(failpoint)
    shop.change(3)
    shop.change(2)  # late
    system.start("successor", "stock")
    shop.until_shown(3)
    shop.until_settled()
    shop.assert_newest(1, 2, 3)


@pytest.mark.faults_full
def test_a_crash_after_a_read_back(system: System) -> None:
    shop = Shop(system)
    system.stand.fault("otto", "500_after_success", "send-quantities")
    crashing = system.start("stock", "stock", fault="stock.read-back:kill@1")
    shop.change(1)
    until(lambda: system.states("stock")["waiting"] > 0, "the outcome is unknown")
    system.change("UPDATE records SET due_at = now() WHERE state = 'waiting'")
    until(lambda: crashing.poll() is not None, "the service died", 60)
    shop.change(2)
    system.start("successor", "stock")
    shop.until_shown(2)
    shop.until_settled()


@pytest.mark.parametrize("failpoint", share(PARENTS, ["stock.parent-taken-in"]))
def test_a_crash_between_parent_and_variants(system: System, failpoint: str) -> None:
    shop = Shop(system)
    parent = f"p-{shop.mark}"
    system.stand.post("xentral", "products", [{"sku": parent, "matrix": True}])
    system.stand.post("xentral", "products", [{"sku": sku, "parent": parent} for sku in shop.skus])
    system.stand.post(
        "xentral", "stock", [{"sku": sku, "warehouses": {"1": 700 + n, "2": 0}} for n, sku in enumerate(shop.skus)]
    )
    listing = system.start("listing", "stock")
    until(lambda: system.query("SELECT FROM listings WHERE refreshed_at IS NOT NULL"), "the listing was read", 60)
    system.end("listing")
    assert listing.returncode == 0
    crashing = system.start("stock", "stock", fault=f"{failpoint}:kill@1")
    system.publish([stock_event(parent, 0, kind="parent")], "stock-changed")
    until(lambda: crashing.poll() is not None, f"the service died at {failpoint}", 60)
    system.start("successor", "stock")
    shop.until_shown(7)
    until(
        lambda: system.query("SELECT FROM records WHERE key = %s AND state = 'done'", parent), "the parent is done", 60
    )


@pytest.mark.faults_full
@pytest.mark.parametrize(("failpoint", "verb"), [("stock.listed", "listing"), ("stock.compared", "drift")])
def test_an_errand_that_crashes_is_begun_again(system: System, failpoint: str, verb: str) -> None:
    shop = Shop(system)
    crashing = system.start("stock", "stock", fault=f"{failpoint}:kill@1")
    if verb == "drift":
        shop.change(1)
        shop.until_shown(1)
        system.change("INSERT INTO errands(verb, interface, created_by) VALUES ('drift', 'otto-de', 'erika')")
    until(lambda: crashing.poll() is not None, f"the service died at {failpoint}", 60)
    system.change("UPDATE errands SET due_at = now() WHERE finished_at IS NULL")  # its lease is over
    system.start("successor", "stock")
    finished = f"SELECT code, result FROM errands WHERE verb = '{verb}' AND finished_at IS NOT NULL"
    ((code, result),) = until(lambda: system.query(finished), "the errand is finished", 60)
    assert code is None
    assert result["articles" if verb == "listing" else "seen"] > 0
