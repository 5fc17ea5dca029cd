"""The pure halves of alarms: what happens to incidents, who is told about it. The look back equals the service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.alarms import incidents, plan, plans
from shared.alarms.calendar import Calendar, Window
from shared.alarms.hours import Hours, Slots, loud_from, next_slot
from shared.alarms.incidents import Cause, Fact, Happening, Incidents, Kind, Severity
from shared.alarms.plan import Answer, Decision, Plan, Silence, Wish
from shared.alarms.storm import Storm
from shared.alarms.told import Mailing, Told

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PAYPAL = Cause("otto-de", "order-import", "payment-unmapped", "payment-unmapped-1")
AWAY = Cause("otto-de", "order-import", "connection-lost", "connection-lost-1")
BOTH = frozenset(Severity)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def wish(frequency: Any = "immediately", on: frozenset[Severity] = BOTH, **more: Any) -> Wish:
    return Wish(on=on, slots=Slots(frequency=frequency, at=time(7)), zone="Europe/Berlin", **more)


def lived(facts: Sequence[Fact], until: datetime) -> list[Happening]:
    return incidents.advance(Incidents(), facts, until)


def told(wish: Wish, facts: Sequence[Fact], until: datetime, answers: Sequence[Answer] = ()) -> list[Decision]:
    return plan.advance(wish, Plan(), lived(facts, until), answers, until)


def mails(decisions: Sequence[Decision]) -> list[tuple[str, datetime]]:
    return [(str(one.what), one.at) for one in decisions if isinstance(one.what, Mailing)]


def test_an_outage_of_thousands_is_one_incident_and_two_mails() -> None:
    facts = [Fact(at(n), AWAY, 100 * n, news=100) for n in range(1, 51)] + [Fact(at(60), AWAY)]
    assert mails(told(wish(), facts, at(120))) == [("opened", at(1)), ("resolved", at(62))]


def test_another_key_is_another_incident_and_more_of_the_same_is_not() -> None:
    other = PAYPAL._replace(key="payment-unmapped-2")
    facts = [Fact(at(0), PAYPAL, 1, True, 1), Fact(at(3), PAYPAL, 31, True, 30), Fact(at(4), other, 1, True, 1)]
    decisions = told(wish(), facts, at(30))
    assert mails(decisions) == [("opened", at(0)), ("opened", at(4))]
    assert [(one.at, one.what) for one in decisions if one.what is Silence.KNOWN] == [(at(3), Silence.KNOWN)]


def test_what_gets_worse_is_told_again_and_only_what_is_asked_for() -> None:
    facts = [Fact(at(0), AWAY, 3, news=3), Fact(at(20), AWAY, 3, error=True)]
    assert mails(told(wish(), facts, at(60))) == [("opened", at(0)), ("escalated", at(20))]
    only_errors = told(wish(on=frozenset({Severity.ERROR})), facts, at(60))
    assert mails(only_errors) == [("opened", at(20))]
    assert only_errors[0].what is Silence.NOT_WANTED


def test_a_flapping_cause_has_to_stay_away_longer_each_time() -> None:
    facts = []
    for n in range(0, 240, 5):
        facts += [Fact(at(n), AWAY, 1, news=1), Fact(at(n + 1), AWAY)]
    sent = mails(told(wish(), facts, at(400)))
    assert len(sent) < 12, "forty-eight times up and down"
    assert sent[-1][0] == "resolved"


def test_a_remark_ends_by_itself_after_an_hour() -> None:
    happened = lived([Fact(at(0), PAYPAL, remarks=1), Fact(at(30), PAYPAL, remarks=1)], at(200))
    assert [(one.kind, one.at) for one in happened] == [
        (Kind.OPENED, at(0)),
        (Kind.MORE, at(30)),
        (Kind.RESOLVED, at(90)),
    ]


def test_an_hourly_mail_collects_by_cause_and_the_all_clear_comes_at_once() -> None:
    facts = [Fact(at(2), PAYPAL, 11, True, 11), Fact(at(5), AWAY, 2, news=2), Fact(at(80), PAYPAL)]
    decisions = told(wish("hourly"), facts, at(200))
    assert mails(decisions) == [("digest", at(60)), ("resolved", at(82))]
    assert {cause for cause, _ in next(one for one in decisions if one.what is Mailing.DIGEST).about} == {PAYPAL, AWAY}
    assert decisions[0].what is Silence.COLLECTED
    assert decisions[0].until == at(60)


def test_what_heals_before_its_mail_is_not_mailed() -> None:
    decisions = told(wish("daily"), [Fact(at(0), PAYPAL, 1, True, 1), Fact(at(9), PAYPAL)], at(3000))
    assert mails(decisions) == []
    assert decisions[-1].what is Silence.HEALED


def test_quiet_hours_hold_back_but_not_what_ships_today() -> None:
    night = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)  # 23:00 in Berlin
    hours = Hours(quiet_from=time(22), quiet_to=time(6, 30))
    due = Cause("otto-de", "order-import", plan.DUE_SOON, "")
    facts = [Fact(night, PAYPAL, 1, True, 1), Fact(night, due, 1, True, 1)]
    sent = mails(told(wish(hours=hours), facts, night + timedelta(hours=10)))
    assert sent == [("opened", night), ("opened", datetime(2026, 11, 24, 5, 30, tzinfo=UTC))]


def test_a_snoozed_incident_is_told_again_and_a_known_one_is_not() -> None:
    facts = [Fact(at(0), PAYPAL, 1, True, 1)]
    later = Answer(at(5), PAYPAL, "jana", at(120))
    assert mails(told(wish(), facts, at(60 * 30), [later]))[:2] == [("opened", at(0)), ("reminder", at(120))]
    known = Answer(at(5), PAYPAL, "jana", None)
    assert mails(told(wish(), facts, at(60 * 72), [known])) == [("opened", at(0))]
    assert len(mails(told(wish(), facts, at(60 * 72)))) == 4, "else it reminds once a day"


@pytest.mark.parametrize(
    ("slots", "after", "due"),
    [
        (Slots(frequency="15min"), "2026-11-23T08:14:59+00:00", "2026-11-23T08:15:00+00:00"),
        (Slots(frequency="hourly"), "2026-11-23T08:00:00+00:00", "2026-11-23T09:00:00+00:00"),
        (Slots(frequency="hourly"), "2026-10-25T00:30:00+00:00", "2026-10-25T01:00:00+00:00"),  # it comes twice
        (Slots(frequency="daily", at=time(7)), "2026-11-23T06:00:00+00:00", "2026-11-24T06:00:00+00:00"),
        (Slots(frequency="daily", at=time(2, 30)), "2026-03-28T12:00:00+00:00", "2026-03-29T01:30:00+00:00"),  # is not
        (Slots(frequency="weekly", at=time(7), weekday=4), "2026-11-23T06:00:00+00:00", "2026-11-27T06:00:00+00:00"),
    ],
)  # fmt: skip
def test_slots_follow_the_clock_of_the_reader(slots: Slots, after: str, due: str) -> None:
    assert next_slot(slots, datetime.fromisoformat(after), BERLIN) == datetime.fromisoformat(due)


@given(
    moment=st.integers(0, 270 * 1440).map(
        lambda minutes: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    start=st.times(),
    end=st.times(),
    weekends=st.booleans(),
)
def test_quiet_ends_and_ends_once(moment: datetime, start: time, end: time, weekends: bool) -> None:
    hours = Hours(quiet_from=start, quiet_to=end, weekends=weekends)
    loud = loud_from(hours, moment, BERLIN)
    assert moment <= loud <= moment + timedelta(days=5)
    assert loud_from(hours, loud, BERLIN) == loud


def test_maintenance_is_told_afterwards_if_it_still_stands_and_ends_early_if_somebody_ends_it() -> None:
    window = Window(frozenset({"otto-de"}), at(-10), at(60))
    calendar = Calendar(windows=(window,))
    facts = [Fact(at(0), PAYPAL, 1, True, 1), Fact(at(1), AWAY, 1, news=1), Fact(at(5), AWAY)]
    decisions = plan.advance(wish(), Plan(), lived(facts, at(90)), (), at(90), calendar)
    assert mails(decisions) == [("opened", at(60))]
    assert [one.what for one in decisions] == [
        Silence.MAINTENANCE, Silence.MAINTENANCE, Silence.HEALED, Mailing.OPENED
    ]  # fmt: skip
    state = Plan()
    assert mails(plan.advance(wish(), state, lived(facts[:1], at(2)), (), at(2), calendar)) == []
    ended = Calendar(windows=(Window(frozenset({"otto-de"}), at(-10), at(20)),))
    assert mails(plan.advance(wish(), state, (), (), at(30), ended)) == [("opened", at(20))]


def test_free_days_of_the_business_calendar_are_quiet_for_those_who_asked() -> None:
    calendar = Calendar(frozenset({START.date()}), zone=BERLIN)
    facts = [Fact(at(0), PAYPAL, 1, True, 1)]
    for hours, sent in ((Hours(), at(0)), (Hours(calendar=True), datetime(2026, 11, 23, 23, 0, tzinfo=UTC))):
        decisions = plan.advance(wish(hours=hours), Plan(), lived(facts, at(1000)), (), at(1000), calendar)
        assert mails(decisions) == [("opened", sent)]


CAUSES = [
    PAYPAL,
    AWAY,
    PAYPAL._replace(interface="otto-at"),
    Cause("otto-de", "order-import", plan.DUE_SOON, ""),
    Cause("otto-de", "order-import", "orders-silent", ""),
    Cause("otto-at", "stock", "stock-drifted", ""),
    Cause("otto-de", "stock", "records-too-old", ""),
]
calendars = st.sampled_from(
    [
        Calendar(),
        Calendar(frozenset({START.date()}), zone=BERLIN),
        Calendar(windows=(Window(frozenset({"otto-de"}), at(300), at(900)), Window(frozenset(), at(800), at(1300)))),
        Calendar(windows=(Window(weekday=1, at=time(22), until=time(6)),), zone=BERLIN),
    ]
)
facts_of_two_days = st.lists(
    st.builds(
        Fact,
        st.integers(0, 60 * 48).map(at),
        st.sampled_from(CAUSES),
        open=st.integers(0, 2),
        error=st.booleans(),
        news=st.integers(0, 2),
        remarks=st.integers(0, 1),
    ),
    max_size=40,
)
answers_to_them = st.lists(
    st.builds(
        Answer,
        st.integers(0, 60 * 48).map(lambda n: at(n + 0.5)),
        st.sampled_from(CAUSES),
        st.just("jana"),
        st.none() | st.integers(0, 60 * 60).map(at),
    ),
    max_size=4,
)
wishes = st.builds(
    wish,
    st.sampled_from(["immediately", "15min", "hourly", "daily", "weekly"]),
    st.sampled_from([BOTH, frozenset({Severity.ERROR})]),
    hours=st.sampled_from(
        [Hours(), Hours(quiet_from=time(22), quiet_to=time(6)), Hours(weekends=True), Hours(calendar=True)]
    ),
    interfaces=st.sampled_from([frozenset(), frozenset({"otto-de"})]),
)


@given(
    facts_of_two_days,
    answers_to_them,
    wishes,
    st.lists(st.floats(0, 60 * 60), max_size=12),
    calendars,
    st.integers(-2, 60 * 40),
)
def test_the_look_back_says_what_the_service_sent(
    facts: list[Fact], answers: list[Answer], wish: Wish, stops: list[float], calendar: Calendar, made: int
) -> None:
    """Also of an alarm that is made while incidents are open, with maintenance, and of causes of every kind."""
    facts.sort(key=lambda one: one.at)
    end, begin = at(60 * 60), at(made)
    stands = Incidents()
    incidents.advance(stands, [one for one in facts if one.at <= begin], begin)
    said = [one for one in answers if one.at > begin]
    whole = Plan()
    once = plan.advance(wish, whole, plan.beginning(stands, begin), (), begin, calendar)
    happened = incidents.advance(stands, [one for one in facts if one.at > begin], end)
    once += plan.advance(wish, whole, happened, said, end, calendar)
    standing, state, bit_by_bit = Incidents(), Plan(), []
    before = at(-3)
    for stop in sorted([*(at(minutes) for minutes in stops), begin, end]):
        new = [one for one in facts if before < one.at <= stop]
        happened = incidents.advance(standing, _telling(standing, new), stop)
        if state.begun or stop >= begin:
            first = not state.begun
            happened = plan.beginning(standing, stop) if first else happened
            heard = [] if first else [one for one in said if before < one.at <= stop]
            bit_by_bit += plan.advance(wish, state, happened, heard, stop, calendar)
            state = _kept(state)
        before = stop
    assert bit_by_bit == once


def _kept(state: Plan) -> Plan:
    ids = {(one.cause, one.since): number for number, one in enumerate(state.incidents)}
    return plans.from_json(
        json.loads(json.dumps(plans.to_json(state, ids))), {number: which for which, number in ids.items()}
    )


def test_a_plan_is_read_back_as_it_was_kept_and_incidents_that_stand_alike_are_kept_as_one() -> None:
    alike = [Told(PAYPAL._replace(interface=f"otto-{n}"), at(n), Severity.ERROR, at(5)) for n in range(3)]
    answered = Told(
        AWAY,
        at(0),
        Severity.WARNING,
        at(1),
        at(2),
        Mailing.REMINDER,
        at(3),
        at(4),
        at(5),
        known=True,
        by="jana",
        over=True,
    )
    assert all(getattr(answered, one.name) for one in fields(Told)), "every field says something"
    state = Plan([*alike[:2], answered, alike[2]], True, "mark", Storm([at(1), at(2)], at(0)))
    assert _kept(state) == state, "in their order, too"
    ids = {(one.cause, one.since): number for number, one in enumerate(state.incidents)}
    assert [one["of"] for one in plans.to_json(state, ids)["incidents"]] == [[0, 1], [2], [3]]


def _telling(standing: Incidents, facts: list[Fact]) -> list[Fact]:
    """Like a round: one fact at most is left out, for those after it may tell because of it."""
    return facts[1:] if facts and not incidents.tells(standing, facts[0]) else facts
