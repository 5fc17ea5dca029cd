"""Calls under way at once: never more than there are places, and whoever waits longest is next."""

from __future__ import annotations

import threading

from shared.runtime.places import Places
from tests.support.waiting import until


def test_a_place_goes_to_whoever_has_waited_longest_and_not_to_the_one_who_gave_it_back() -> None:
    places, had = Places(1), list[str]()
    assert places.take(0.0)

    def waiting(name: str) -> None:
        assert places.take(10.0)
        had.append(name)
        places.give_back()

    threads = [threading.Thread(target=waiting, args=(name,)) for name in ("first", "second")]
    for number, thread in enumerate(threads, 1):
        thread.start()
        until(lambda: len(places._waiting) == number, "it waits")  # noqa: B023
    places.give_back()
    assert places.take(10.0)
    had.append("the one who gave it back")
    for thread in threads:
        thread.join(10)
    assert had == ["first", "second", "the one who gave it back"]


def test_who_does_not_get_one_in_time_leaves_the_queue() -> None:
    places = Places(1)
    assert places.take(0.0)
    assert not places.take(0.01)
    places.give_back()
    assert places.take(0.0), "nobody has left with it"
