"""The rolling look: every listed article once a round, gently, what is new becomes an event, hints go first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from shared.broker.delivery import Fate
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Planted
from shared.records.hints import store_hints
from shared.records.rolling import turn_of
from shared.runtime.stock_round import StockRound, Turns
from tests.support.hinting import Hinting, add, looping, product, quantity, read_interface, store_listed
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound
from tests.support.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str, stand: Stand) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        add(opened, stand)
        yield opened
        assert_sound(opened)


class All(Turns):
    """Has saved up for as many as the test says."""

    most = 100

    def share(self, interface: object, articles: int) -> int:
        return self.most


class Going(Hinting):
    """A round, turned by hand."""

    def prepare(self) -> None:
        self.round = StockRound(
            connect=lambda: connect(self.url, "round"), read=read_interface, open_source=self.stock,
            open_publisher=lambda: self.broker, failpoint=lambda name: self.failpoint(name), fatal=self.fatal.append,
            share=1.0, round_seconds=0.1, turn_seconds=0.02,
        )  # fmt: skip
        self.turns = All(self.stock, 1.0, 1.0)

    def go(self) -> None:
        """One turn; the broker keeps what was published."""
        interface = read_interface(self.conn)
        assert interface is not None
        self.round.turn(self.conn, interface, self.turns)

    def told(self) -> list[tuple[str, int]]:
        """What one turn told."""
        self.go()
        return [(event["data"]["sku"], event["data"]["quantity"]) for event in self.broker.events()]

    def after(self) -> str | None:
        turn = turn_of(self.conn, SLUG)
        assert turn is not None
        return turn.after


@pytest.fixture
def going(database_url: str, conn: Connection) -> Iterator[Going]:
    with open_pool(database_url, "calls", 2) as pool:
        found = Going(database_url, pool, conn)
        found.prepare()
        yield found
        found.turns.close()


@pytest.fixture
def skus(going: Going, stand: Stand, number: str) -> list[str]:
    found = [f"{number}/{each}" for each in "abcde"]
    for place, sku in enumerate(found):
        product(stand, sku)
        quantity(stand, sku, place)
    store_listed(going.conn, *found)
    return found


def test_the_round_goes_on_where_it_ended_and_begins_anew(going: Going, skus: list[str]) -> None:
    going.turns.most = 2
    assert going.told() == [(skus[0], 0), (skus[1], 1)]
    assert going.after() == skus[1]
    assert going.told() == [(skus[2], 2), (skus[3], 3)]
    assert going.told() == [(skus[4], 4)]
    assert going.told() == []
    assert going.after() is None
    assert going.told() == [(skus[0], 0), (skus[1], 1)], "nobody has taken it in yet"


def test_only_what_is_new_is_told(going: Going, stand: Stand, skus: list[str]) -> None:
    going.go()
    assert going.take_in() == ["applied"] * 5
    going.go()
    assert going.told() == []
    quantity(stand, skus[3], 99)
    going.go()
    assert going.told() == [(skus[3], 99)]


def test_hints_go_first(going: Going, skus: list[str]) -> None:
    store_hints(going.conn, SLUG, [("article", "1")], 0.0)
    assert going.told() == []
    going.conn.execute("DELETE FROM hints")
    assert len(going.told()) == 5


def test_parents_have_no_quantity_of_their_own(going: Going, skus: list[str]) -> None:
    going.conn.execute("UPDATE articles SET kind = 'parent' WHERE sku = %s", (skus[0],))
    assert [sku for sku, _ in going.told()] == skus[1:]


def test_an_article_that_nobody_can_read_does_not_hold_up_the_round(
    going: Going, stand: Stand, skus: list[str]
) -> None:
    stand.fault("xentral", "html", "read-stock", times=1)
    assert going.told() == []
    assert going.after() == skus[0]
    assert [sku for sku, _ in going.told()] == skus[1:]


def test_an_erp_that_is_away_is_waited_for(going: Going, stand: Stand, skus: list[str]) -> None:
    stand.fault("xentral", "503", "read-stock", times=1)
    assert going.told() == []
    assert going.after() is None
    assert [sku for sku, _ in going.told()] == skus


@pytest.mark.parametrize("name", ["stock-round.read", "stock-round.published", "stock-round.moved"])
def test_a_turn_that_ends_in_the_middle_is_repeated_without_harm(going: Going, skus: list[str], name: str) -> None:
    going.failpoint.at = name
    with suppress(Planted):
        going.go()
    assert (going.after() is None) == (name != "stock-round.moved")
    going.go()
    going.go()
    going.go()
    taken = going.take_in()
    assert taken.count("applied") == 5
    assert set(taken) <= {"applied", "duplicate"}


def test_what_the_broker_did_not_confirm_is_read_again(going: Going, skus: list[str]) -> None:
    going.broker.fate = Fate.UNKNOWN
    assert len(going.told()) == 5
    assert going.after() is None
    going.broker.fate = Fate.CONFIRMED
    assert len(going.told()) == 5


def test_its_share_is_a_part_of_the_calls_and_no_round_is_faster_than_it_should_be(going: Going) -> None:
    interface = read_interface(going.conn)
    assert interface is not None
    going.conn.execute("UPDATE sides SET calls_per_second = 100.0 / 60 WHERE side = 'erp'")
    slow = read_interface(going.conn)
    assert slow is not None
    many, few = Turns(going.stock, 0.25, 900.0), Turns(going.stock, 0.25, 900.0)
    for turns in (many, few):
        turns._at -= 3600.0
    assert many.share(slow, 100_000) == int(100 / 60 * 0.25 * 30), "no more than half a minute is made up for"
    assert few.share(interface, 90) == 3
    assert few.share(interface, 90) == 0
    seldom = Turns(going.stock, 0.25, 900.0)
    seldom._at -= 3600.0
    assert seldom.share(interface, 1) == 1, "also the only article has its turn"


def test_the_loop_goes_round_by_itself(going: Going, stand: Stand, skus: list[str]) -> None:
    with looping(going.round.run):
        until(lambda: len(going.broker.messages) >= 5, "all are read")
        going.take_in()
        quantity(stand, skus[2], 77)
        until(lambda: any(b'"quantity":77' in message.body for message in going.broker.messages), "the change is seen")
    assert going.fatal == []
