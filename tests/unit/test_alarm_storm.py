"""A storm of causes: a few mails each on their own, then one, then one every few minutes; each cause is told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from shared.alarms import incidents, plan
from shared.alarms.hours import Hours, Slots
from shared.alarms.incidents import Cause, Fact, Incidents, Severity
from shared.alarms.plan import Decision, Plan, Silence, Wish
from shared.alarms.told import Mailing

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PAYPAL = Cause("otto-de", "order-import", "payment-unmapped", "payment-unmapped-1")
AWAY = Cause("otto-de", "order-import", "connection-lost", "connection-lost-1")


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def wish(frequency: Any = "immediately", **more: Any) -> Wish:
    return Wish(on=frozenset(Severity), slots=Slots(frequency=frequency), zone="Europe/Berlin", **more)


def told(wish: Wish, facts: Sequence[Fact], until: datetime) -> list[Decision]:
    return plan.advance(wish, Plan(), incidents.advance(Incidents(), facts, until), (), until)


def mails(decisions: Sequence[Decision]) -> list[tuple[str, datetime]]:
    return [(str(one.what), one.at) for one in decisions if isinstance(one.what, Mailing)]


def many(count: int, of: Cause = PAYPAL) -> list[Cause]:
    """The same in so many interfaces."""
    return [of._replace(interface=f"shop-{n:02}") for n in range(count)]


def test_a_few_causes_at_once_are_a_few_mails_and_more_are_one() -> None:
    few = told(wish(), [Fact(at(0), cause, 1, True, 1) for cause in many(3)], at(1))
    assert mails(few) == [("opened", at(0))] * 3
    forty = told(wish(), [Fact(at(0), cause, 1, True, 1) for cause in many(40)], at(1))
    assert mails(forty) == [("digest", at(0))]
    assert {cause for cause, _ in forty[0].about} == set(many(40))


def test_causes_that_come_one_by_one_are_few_mails_and_each_is_told_once() -> None:
    """Forty within four minutes: ten at once, the eleventh begins the storm, the rest come with its next mail."""
    facts = [Fact(at(n / 10), cause, 1, True, 1) for n, cause in enumerate(many(40))]
    decisions = told(wish(), facts, at(60))
    assert mails(decisions) == [("opened", at(n / 10)) for n in range(11)] + [("digest", at(6))]
    sent = [cause for one in decisions if isinstance(one.what, Mailing) for cause, _ in one.about]
    assert sorted(sent) == many(40)
    waits = [one for one in decisions if one.what is Silence.COLLECTED]
    assert [one.until for one in waits] == [at(6)] * 29, "the ledger says why, and until when"


def test_while_a_storm_goes_on_there_is_a_mail_every_five_minutes_and_ten_calm_ones_end_it() -> None:
    facts = [Fact(at(0), cause, 1, True, 1) for cause in many(4)]
    facts += [Fact(at(1 + n / 6), cause, 1, True, 1) for n, cause in enumerate(many(120, AWAY))]  # until 20:50
    facts += [Fact(at(n), PAYPAL._replace(key=f"{n}"), 1, True, 1) for n in (33, 34, 48, 49, 50)]
    assert mails(told(wish(), facts, at(60))) == [
        *(("digest", at(n)) for n in range(0, 30, 5)),
        ("opened", at(33)),  # the storm goes on, and there was no mail for five minutes
        ("opened", at(38)),
        *(("opened", at(n)) for n in (48, 49, 50)),
    ]


def test_what_is_over_is_gathered_alike_and_so_is_what_is_reminded_of() -> None:
    begun = [Fact(at(0), cause, 1, True, 1) for cause in many(40)]
    over = [Fact(at(30), cause) for cause in many(39)]
    decisions = told(wish(), begun + over, at(60 * 25))
    assert mails(decisions) == [("digest", at(0)), ("resolved", at(32)), ("reminder", at(60 * 24))]
    assert [len(one.about) for one in decisions if isinstance(one.what, Mailing)] == [40, 39, 1]
    standing = told(wish("hourly"), begun, at(60 * 26))
    assert mails(standing) == [("digest", at(60)), ("reminder", at(60 * 25))], "of any frequency"


def test_news_and_all_clears_of_a_storm_are_one_mail_as_bad_as_what_still_stands() -> None:
    facts = [Fact(at(0), cause, 1, True, 1) for cause in many(4)]
    facts += [Fact(at(1), cause) for cause in many(4)] + [Fact(at(4), AWAY, 1, news=1)]
    decisions = [one for one in told(wish(), facts, at(9)) if isinstance(one.what, Mailing)]
    assert [(one.what, one.at, len(one.about)) for one in decisions] == [
        (Mailing.DIGEST, at(0), 4),
        (Mailing.DIGEST, at(5), 5),
    ]
    assert decisions[1].severity is Severity.WARNING


def test_a_night_of_causes_is_one_mail_in_the_morning() -> None:
    night = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    hours = Hours(quiet_from=time(22), quiet_to=time(6, 30))
    facts = [Fact(night + timedelta(minutes=n), cause, 1, True, 1) for n, cause in enumerate(many(40))]
    sent = mails(told(wish(hours=hours), facts, night + timedelta(hours=10)))
    assert sent == [("digest", datetime(2026, 11, 24, 5, 30, tzinfo=UTC))]


def test_what_a_storm_holds_back_into_the_quiet_waits_for_its_end() -> None:
    evening = datetime(2026, 11, 23, 20, 58, tzinfo=UTC)  # 21:58 in Berlin
    hours = Hours(quiet_from=time(22), quiet_to=time(6, 30))
    facts = [Fact(evening, cause, 1, True, 1) for cause in many(4)]
    facts.append(Fact(evening + timedelta(minutes=1), AWAY, 1, True, 1))
    decisions = told(wish(hours=hours), facts, evening + timedelta(hours=10))
    assert mails(decisions) == [("digest", evening), ("opened", datetime(2026, 11, 24, 5, 30, tzinfo=UTC))]
    assert decisions[1].what is Silence.QUIET
