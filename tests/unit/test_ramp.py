"""After an outage: 1, 2, 4 … as long as it goes well, from the beginning when it does not, and then no limit at all."""

from __future__ import annotations

from shared.runtime.ramp import Ramp


def limits(ramp: Ramp, *away: bool) -> list[int | None]:
    found = []
    for one in away:
        ramp.note(away=one)
        found.append(ramp.limit)
    return found


def test_it_doubles_with_every_round_that_succeeds_and_ends() -> None:
    ramp = Ramp(8)
    assert ramp.limit is None
    ramp.begin()
    assert ramp.limit == 1
    assert limits(ramp, *[False] * 7) == [2, 2, 4, 4, 4, 4, None]
    assert limits(ramp, True) == [None], "the breaker says when an outage begins"


def test_a_failure_puts_it_back() -> None:
    ramp = Ramp(32)
    ramp.begin()
    assert limits(ramp, False, False, False, True, False) == [2, 2, 4, 1, 2]
