"""What the soak excuses of a frozen sender: its calls under way, right after it woke, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.soak.window import Freeze, excused, older_after_newer

LONG = Freeze(100.0, 110.0)


def took(sku: str, quantity: int, call: int, at: float) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "call": call, "at": at}


def late_calls(*calls: tuple[int, float]) -> list[dict[str, Any]]:
    """Each call brings two quantities that are older than what stands."""
    return [took(sku, 6, 1, 101.0) for sku in "ab"] + [took(sku, 4, call, at) for call, at in calls for sku in "ab"]


def left(sent: list[dict[str, Any]], *freezes: Freeze) -> list[int]:
    found = older_after_newer(sent)
    allowed = excused(found, freezes)
    return sorted({one.call for one in found if one not in allowed})


def test_growing_and_repeated_quantities_are_in_order() -> None:
    sent = [took("a", 2, 1, 1.0), took("b", 2, 1, 1.0), took("a", 2, 2, 2.0), took("a", 4, 3, 3.0)]
    assert older_after_newer(sent) == []


def test_without_a_freeze_nothing_is_excused() -> None:
    assert left(late_calls((2, 110.5))) == [2]


def test_a_call_under_way_is_excused_whatever_it_holds() -> None:
    assert left(late_calls((2, 110.5)), LONG) == []


def test_of_three_calls_only_two_can_have_been_under_way() -> None:
    assert left(late_calls((2, 110.1), (3, 110.2), (4, 110.3)), LONG) == [4]


def test_what_comes_before_the_waking_or_long_after_it_is_not_excused() -> None:
    assert left(late_calls((2, 109.0), (3, 120.0)), LONG) == [2, 3]


def test_a_freeze_that_ends_before_anybody_else_may_send_excuses_nothing() -> None:
    assert left(late_calls((2, 101.6)), Freeze(100.0, 101.5)) == [2]


def test_two_freezes_excuse_no_call_twice() -> None:
    again = Freeze(111.0, 114.0)
    assert left(late_calls((2, 110.1), (3, 110.2), (4, 114.1), (5, 114.2), (6, 114.3)), LONG, again) == [6]
