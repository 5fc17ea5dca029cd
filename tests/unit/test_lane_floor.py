"""Where a lane begins in the index: it rises with what is claimed, and comes down to what a full scan finds."""

from __future__ import annotations

import queue
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from shared.runtime.lane import FLOOR_SLACK, Lane, Size

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def lane() -> Lane:
    anything: Any = SimpleNamespace(slug="otto-de")
    return Lane(anything, anything, Size(2), queue.SimpleQueue(), lambda: None, inline=True, fatal=lambda _: None)


def due(*seconds_ago: float) -> Any:
    return [SimpleNamespace(due_at=NOW - timedelta(seconds=seconds)) for seconds in seconds_ago]


def test_the_floor_rises_with_what_is_claimed() -> None:
    one = lane()
    one.claimed(due(20, 10), 2, scanned_all=True)
    one.claimed(due(1, 0), 2, scanned_all=False)
    assert one.next_floor() == NOW - timedelta(seconds=1) - FLOOR_SLACK


def test_what_a_full_scan_finds_below_the_floor_is_claimed_to_its_end_and_not_with_each_scan_only() -> None:
    one = lane()
    one.claimed(due(1, 0), 2, scanned_all=True)
    one.claimed(due(60, 60), 2, scanned_all=True)  # there are more of them than there was room for
    assert one.hungry
    floor = one.next_floor()
    assert floor is not None
    assert floor <= NOW - timedelta(seconds=60)


def test_changes_gather_longer_the_more_there_are_and_a_lone_one_never_waits() -> None:
    anything: Any = SimpleNamespace(slug="otto-de")
    one = Lane(
        anything, anything, Size(400), queue.SimpleQueue(), lambda: None, inline=True, fatal=lambda _: None, pause=0.2
    )
    assert one.rest == 0
    rests = []
    for count in (60, 60, 60, 60, 60, 60, 60, 2):
        one.claimed(due(*[0.0] * count), 400, scanned_all=False)
        rests.append(round(one.rest, 1))
        one._rests_until = time.monotonic()  # it is over
    assert rests == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 6.4, 0.2]
    one.claimed([], 400, scanned_all=False)
    assert one.rest == 0
    one._rests_until -= 1.0  # some time ago
    one.claimed(due(*[0.0] * 60), 400, scanned_all=False)
    assert round(one.rest, 1) == 0.2
    one.claimed(due(*[0.0] * 400), 400, scanned_all=False)
    assert one.hungry
    one._rests_until -= 1.0  # to take them took its time
    one.claimed(due(*[0.0] * 60), 400, scanned_all=False)
    assert round(one.rest, 1) == 0.4
