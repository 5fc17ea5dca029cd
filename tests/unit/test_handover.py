"""What intake may hand to the work loop of its process: never more than there is room, and no room is lost."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.records.claim import Claim
from shared.records.states import State
from shared.runtime.handover import Handover, Room

ROOM = 50.0


def made() -> tuple[Handover, list[None]]:
    rings: list[None] = []
    return Handover("erp", lambda: rings.append(None), intends=True), rings


def claim(number: int, interface: str = "otto-de") -> Claim:
    return Claim(
        number, interface, str(number), State.PENDING, 1, 0, False, False, False, False, 1, None, None, 1,
        datetime.now(UTC), 0.0, None, "", None, b"", None,
    )  # fmt: skip


def test_without_an_offer_nothing_is_promised() -> None:
    handover, rings = made()
    promise = handover.promise(["otto-de", None])
    handover.keep(promise, [])
    assert promise.seconds == [None, None]
    assert handover.collect() == []
    assert not rings


def test_the_first_of_a_batch_are_promised_as_many_as_there_is_room_for() -> None:
    handover, _ = made()
    handover.offer({"otto-de": Room(2, ROOM), "shop": Room(1, 7.0)})
    promise = handover.promise(["otto-de", None, "shop", "otto-de", "otto-de", "unknown"])
    assert promise.seconds == [ROOM, None, 7.0, ROOM, None, None]
    assert handover.promise(["otto-de"]).seconds == [None]


def test_what_was_stored_is_handed_over_once_and_rings() -> None:
    handover, rings = made()
    handover.offer({"otto-de": Room(2, ROOM)})
    promise = handover.promise(["otto-de", "otto-de"])
    handover.keep(promise, [claim(1), claim(2)])
    assert [([one.id for one in claims], at) for claims, at in handover.collect()] == [([1, 2], promise.asked_at)]
    assert handover.collect() == []
    assert len(rings) == 1


def test_what_is_on_its_way_counts_as_taken() -> None:
    handover, _ = made()
    handover.offer({"otto-de": Room(3, ROOM)})
    promise = handover.promise(["otto-de", "otto-de"])
    assert handover.withdraw("otto-de") == 2
    assert handover.promise(["otto-de"]).seconds == [None]
    handover.offer({"otto-de": Room(3, ROOM)})
    assert handover.promise(["otto-de", "otto-de"]).seconds == [ROOM, None]
    assert not handover.pause()
    handover.keep(promise, [claim(1), claim(2)])
    handover.collect()
    assert handover.withdraw("otto-de") == 1


def test_room_that_was_not_used_is_given_back() -> None:
    handover, rings = made()
    handover.offer({"otto-de": Room(2, ROOM)})
    handover.keep(handover.promise(["otto-de", "otto-de"]), [])  # the transaction was rolled back
    handover.keep(handover.promise(["otto-de", "otto-de"]), [claim(1)])  # one of them was a duplicate
    assert len(rings) == 1
    assert handover.promise(["otto-de", "otto-de"]).seconds == [ROOM, None]


def test_after_the_end_no_offer_counts() -> None:
    handover, _ = made()
    handover.offer({"otto-de": Room(2, ROOM)})
    promise = handover.promise(["otto-de"])
    assert not handover.close()
    handover.offer({"otto-de": Room(2, ROOM)})
    assert handover.promise(["otto-de"]).seconds == [None]
    handover.keep(promise, [])
    assert handover.close()
