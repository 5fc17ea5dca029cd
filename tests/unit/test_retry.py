"""When something is tried again: by the catalogue's policy, spread a little, and not for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors.catalogue import catalogue
from shared.errors.entry import GIVE_UP_AFTER, LAST_DELAY, SCHEDULE
from shared.runtime.retry import JITTER, next_after

FIVE_DAYS = GIVE_UP_AFTER.total_seconds()


@pytest.mark.parametrize("code", sorted(code for code, entry in catalogue().items() if entry.retry == "never"))
def test_what_a_retry_cannot_heal_is_not_tried_again(code: str) -> None:
    assert next_after(code, 0, None, 0.0) is None


@pytest.mark.parametrize("code", sorted(code for code, entry in catalogue().items() if entry.retry == "now"))
def test_what_may_go_on_at_once_waits_for_what_was_asked_and_no_longer(code: str) -> None:
    assert next_after(code, 7, 3600.0, 2.5) == 2.5


@given(tries=st.integers(0, 500), least=st.floats(0, 90_000), chance=st.floats(0, 1))
def test_a_delay_keeps_to_the_schedule_and_to_what_the_remote_system_asked(
    tries: int, least: float, chance: float
) -> None:
    delay = next_after("remote-timeout", tries, 60.0, least, chance)
    planned = SCHEDULE[tries] if tries < len(SCHEDULE) else LAST_DELAY
    assert delay is not None
    assert delay >= least
    assert delay >= planned * (1 - JITTER)
    assert delay <= max(least, planned * (1 + JITTER))


def test_records_that_failed_together_do_not_come_back_together() -> None:
    delays = {next_after("remote-timeout", 3, 60.0, 0.0) for _ in range(50)}
    assert len(delays) > 40


def test_after_five_days_somebody_has_to_look() -> None:
    assert next_after("remote-timeout", 40, FIVE_DAYS - 1, 0.0) is not None
    assert next_after("remote-timeout", 40, FIVE_DAYS + 1, 0.0) is None
