"""When something is tried again: by the catalogue's policy, spread a little, and not for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors.catalogue import catalogue
from shared.errors.entry import GIVE_UP_AFTER, LAST_DELAY, SCHEDULE, Entry
from shared.runtime.judge import CONNECTION
from shared.runtime.retry import JITTER, next_after

FIVE_DAYS = GIVE_UP_AFTER.total_seconds()


REPEATED = {code: entry for code, entry in catalogue().items() if entry.retry == "backoff"}
PASSING = {"connection", "rate limit", "remote bug", "auth"}


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_every_code_is_tried_again_as_the_catalogue_says_and_not_otherwise(code: str) -> None:
    known = catalogue()[code]
    tried = [next_after(code, tries, 60.0, 2.5, 0.5) for tries in range(30)]
    if known.retry == "backoff":
        planned = known.schedule or (*SCHEDULE, LAST_DELAY)
        assert tried == [max(2.5, float(planned[min(n, len(planned) - 1)])) for n in range(30)]
    else:
        assert set(tried) == ({2.5} if known.retry == "now" else {None})
    if known.kind in ("mapping", "data") and known.owner in ("you", "shop", "ERP admin"):
        assert known.retry not in ("now", "backoff"), "only a person can mend it"
    assert next_after(code, 30, known.give_up_after + 1, 2.5) is None


@pytest.mark.parametrize("code", [str(reason) for reason in CONNECTION])
def test_trouble_of_the_remote_system_is_tried_for_five_days(code: str) -> None:
    assert catalogue()[code].kind in PASSING
    assert catalogue()[code].give_up_after == FIVE_DAYS
    assert next_after(code, 99, FIVE_DAYS - 60, 0.0) == 60, "the last try is made when the time is over"


@given(
    code=st.sampled_from(sorted(REPEATED)),
    tries=st.integers(0, 500),
    least=st.floats(0, 90_000),
    chance=st.floats(0, 1),
    patience=st.sampled_from([1.0, 0.01]),
)
def test_a_delay_keeps_to_the_schedule_and_to_what_the_remote_system_asked(
    code: str, tries: int, least: float, chance: float, patience: float
) -> None:
    delay = next_after(code, tries, 60.0, least, chance, patience)
    planned = (REPEATED[code].delay(tries + 1) or 0.0) * patience
    assert delay is not None
    assert delay >= least, "what a remote system asks for is not shortened"
    assert delay >= planned * (1 - JITTER)
    assert delay <= max(least, planned * (1 + JITTER))


def test_an_entry_may_have_a_schedule_and_an_end_of_its_own() -> None:
    own = {"schedule": [1, 2], "give_up_hours": 2}
    known = Entry.model_validate(catalogue()["remote-timeout"].model_dump(by_alias=True) | own)
    assert [known.delay(n) for n in (1, 2, 3, 9)] == [1, 2, 2, 2]
    assert known.give_up_after == 7200
    with pytest.raises(ValueError, match="no schedule"):
        Entry.model_validate(catalogue()["sku-unknown"].model_dump(by_alias=True) | own)


def test_records_that_failed_together_do_not_come_back_together() -> None:
    delays = {next_after("remote-timeout", 3, 60.0, 0.0) for _ in range(50)}
    assert len(delays) > 40


def test_after_five_days_somebody_has_to_look() -> None:
    assert next_after("remote-timeout", 40, FIVE_DAYS - 1, 0.0) is not None
    assert next_after("remote-timeout", 40, FIVE_DAYS + 1, 0.0) is None
