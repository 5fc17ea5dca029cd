"""Whatever happens to incidents, and whatever people answer or plan: what is mailed agrees with a model of one minute.

CONNECT_TEST_EXAMPLES=2000 for long; examples are the same ones each time unless CONNECT_TEST_SEED names others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.alarms import incidents, plan
from shared.alarms.calendar import Calendar, Window
from shared.alarms.hours import Hours, Slots
from shared.alarms.incidents import Cause, Fact, Incidents, Severity
from shared.alarms.plan import Answer, Plan, Wish
from shared.alarms.storm import PAUSE, Storm
from shared.alarms.told import Mailing
from tests.models.alarm_model import Subscriber, in_order
from tests.models.running import run

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CAUSES = (
    Cause("otto-de", "order-import", "payment-unmapped", "1"),
    Cause("otto-at", "stock", "connection-lost", "2"),
    Cause("otto-de", "order-import", plan.DUE_SOON, ""),
    Cause("otto-de", "stock", "connection-lost", "3"),
    Cause("otto-at", "order-import", "payment-unmapped", "4"),
)
QUIET = (time(8, 20), time(9, 10))
Plant = Callable[[pytest.MonkeyPatch], None]


class Alarms(RuleBasedStateMachine):
    """One subscription, five causes. What is there and the model hear the same, at whole minutes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.stands, self.state, self.windows = Incidents(), Plan(), list[Window]()
        self.mails: list[Any] = []

    @initialize(hourly=st.booleans(), errors_only=st.booleans(), quiet=st.booleans())
    def begin(self, hourly: bool, errors_only: bool, quiet: bool) -> None:
        on = frozenset({Severity.ERROR}) if errors_only else frozenset(Severity)
        hours = Hours(quiet_from=QUIET[0], quiet_to=QUIET[1]) if quiet else Hours()
        self.wish = Wish(on=on, slots=Slots(frequency="hourly" if hourly else "immediately"), hours=hours)
        self.model = Subscriber(START, errors_only, hourly, QUIET if quiet else None)

    def _round(self, *facts: Fact, answers: tuple[Answer, ...] = ()) -> None:
        """As the service plays one: facts and answers since the last, up to now."""
        happened = incidents.advance(self.stands, facts, self.now)
        calendar = Calendar(windows=tuple(self.windows))
        decided = plan.advance(self.wish, self.state, happened, answers, self.now, calendar)
        self.mails += [
            (one.at, "digest" if one.what is Mailing.DIGEST else str(one.what), frozenset(c for c, _ in one.about))
            for one in decided
            if isinstance(one.what, Mailing)
        ]

    @rule(cause=st.sampled_from(CAUSES), open_=st.integers(0, 2), error=st.booleans(), news=st.integers(0, 1))
    def stands_so(self, cause: Cause, open_: int, error: bool, news: int) -> None:
        self._round(Fact(self.now, cause, open_, error and open_ > 0, news))
        self.model.fact(cause, open_, error and open_ > 0, news)

    @rule(causes=st.sets(st.sampled_from(CAUSES), min_size=2), open_=st.integers(0, 1), error=st.booleans())
    def many_stand_so(self, causes: set[Cause], open_: int, error: bool) -> None:
        """In one round."""
        found = dict.fromkeys(sorted(causes), (open_, error and open_ > 0, open_))
        self._round(*(Fact(self.now, cause, *each) for cause, each in found.items()))
        self.model.facts(found)

    @rule(cause=st.sampled_from(CAUSES))
    def heals(self, cause: Cause) -> None:
        self.stands_so(cause, 0, False, 0)

    @rule(minutes=st.sampled_from([1, 1, 2, 3, 7, 20, 45, 90, 1450]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.model.pass_time(minutes)
        self._round()

    @rule(cause=st.sampled_from(CAUSES), minutes=st.sampled_from([1, 2, 5]))
    def flaps(self, cause: Cause, minutes: int) -> None:
        self.stands_so(cause, 1, False, 1)
        self.time_passes(minutes)
        self.heals(cause)
        self.time_passes(3)

    @precondition(lambda self: self.model.stories)
    @rule(n=st.integers(0, 2))
    def somebody_knows(self, n: int) -> None:
        cause = list(self.model.stories)[n % len(self.model.stories)]
        self._round(answers=(Answer(self.now, cause, "jana", None),))
        self.model.know(cause)

    @precondition(lambda self: self.model.stories)
    @rule(n=st.integers(0, 2), minutes=st.sampled_from([5, 30, 120]))
    def somebody_wants_to_hear_later(self, n: int, minutes: int) -> None:
        cause, until = list(self.model.stories)[n % len(self.model.stories)], self.now + timedelta(minutes=minutes)
        self._round(answers=(Answer(self.now, cause, "jana", until),))
        self.model.snooze(cause, until)

    @precondition(lambda self: len(self.windows) < 3)
    @rule(ahead=st.sampled_from([0, 0, 5, 30]), minutes=st.sampled_from([10, 60]), of=st.sampled_from(["", "otto-de"]))
    def maintenance_is_planned(self, ahead: int, minutes: int, of: str) -> None:
        starts = self.now + timedelta(minutes=ahead)
        window = Window(frozenset({of} if of else ()), starts, starts + timedelta(minutes=minutes))
        self.windows.append(window)
        self.model.windows = list(self.windows)
        self._round()
        self.model.calendar_changed()

    @precondition(lambda self: any(each.starts <= self.now < each.ends for each in self.windows))
    @rule()
    def maintenance_ends_early(self) -> None:
        self.windows = [
            replace(each, ends=self.now) if each.starts <= self.now < each.ends else each  # type: ignore[operator]
            for each in self.windows
        ]
        self.model.windows = list(self.windows)
        self._round()
        self.model.calendar_changed()

    @invariant()
    def mailed_is_what_the_model_mails(self) -> None:
        if hasattr(self, "model"):
            assert in_order(self.mails) == in_order(self.model.mails)


def test_what_is_mailed_agrees_with_the_model() -> None:
    run(Alarms, 60)


# -- bugs that are planted have to be found ------------------------------------------------------------------------


def quiet_hours_are_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan, "loud_from", lambda _hours, moment, *_: moment)


def maintenance_is_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Calendar, "maintained_until", lambda *_: None)


def who_knows_is_reminded(patch: pytest.MonkeyPatch) -> None:
    answered = plan._Course._answered
    patch.setattr(plan._Course, "_answered", lambda course, one: answered(course, one) if one.until else None)


def what_healed_untold_is_told_to_be_over(patch: pytest.MonkeyPatch) -> None:
    resolved = plan._Course._resolved

    def chatty(course: Any, one: Any) -> None:
        if one.cause in course._of:
            course._of[one.cause].told = course._of[one.cause].told or one.at
        resolved(course, one)

    patch.setattr(plan._Course, "_resolved", chatty)


def what_gets_worse_keeps_still(patch: pytest.MonkeyPatch) -> None:
    planned = plan._Course._plan_news

    def calm(course: Any, told: Any, at: datetime, news: Mailing) -> None:
        if news is not Mailing.ESCALATED:
            planned(course, told, at, news)

    patch.setattr(plan._Course, "_plan_news", calm)


def a_flapping_cause_is_as_good_as_new(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incidents, "_opened", lambda _before, at, severity: incidents.Standing(at, severity))


def what_is_gathered_loses_one(patch: pytest.MonkeyPatch) -> None:
    mail = plan._Course._mail

    def careless(course: Any, at: datetime, what: Mailing, about: list[Any]) -> None:
        mail(course, at, what, about)
        key = next(reversed(course._found))
        course._found[key] = course._found[key][:-1] or course._found[key]

    patch.setattr(plan._Course, "_mail", careless)


def what_waits_for_a_storm_to_pause_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    hold = plan._Course._hold

    def forgetful(course: Any, one: Any, at: datetime, pause: datetime) -> None:
        hold(course, one, at, pause)
        one.due = one.remind = None

    patch.setattr(plan._Course, "_hold", forgetful)


def a_storm_has_no_pause(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Storm, "pauses_until", lambda *_: None)


def a_storm_is_over_at_once(patch: pytest.MonkeyPatch) -> None:
    gathers = Storm.gathers

    def short(storm: Storm, at: datetime, count: int) -> bool:
        if storm.gathered is not None and at - storm.gathered >= PAUSE:
            storm.gathered = None
        return gathers(storm, at, count)

    patch.setattr(Storm, "gathers", short)


@pytest.mark.parametrize(
    "plant",
    [
        quiet_hours_are_overlooked,
        maintenance_is_overlooked,
        who_knows_is_reminded,
        what_healed_untold_is_told_to_be_over,
        what_gets_worse_keeps_still,
        a_flapping_cause_is_as_good_as_new,
        what_is_gathered_loses_one,
        what_waits_for_a_storm_to_pause_is_forgotten,
        a_storm_has_no_pause,
        a_storm_is_over_at_once,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"^assert \["):  # what is mailed differs, and nothing else is wrong
        run(Alarms, 400)
