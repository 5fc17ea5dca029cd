"""A mail as a person gets it: both twins say the same, in either language, and need nothing from outside."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

import pytest

from services.alerts.letter import Post, letter
from shared.alarms.contents import Contents, Row, in_order
from shared.alarms.incidents import Cause
from shared.alarms.queue import Taken

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
POST = Post("connect@example.org", "https://connect.example.org", lambda *_: "its-link")
UNMAPPED = {"code": "payment-unmapped", "field": "", "values": {"payment": "<b>PAYPAL</b>"}}


def row(number: int) -> Row:
    due = NOW + timedelta(hours=10 * number)
    return Row(number, f"A-{number}", NOW - timedelta(hours=1), due, UNMAPPED, Decimal("39.88"), "EUR")


FAILED = Contents(
    1, Cause("otto-de", "order-import", "payment-unmapped", "payment-unmapped-5a3f5c51"), "OTTO", "xentral", "otto",
    "error", NOW - timedelta(hours=3), None, 31, 31, 2, {"EUR": Decimal("4812.40")}, tuple(map(row, range(1, 11))),
    UNMAPPED,
)  # fmt: skip
AWAY = Contents(
    2, Cause("otto-de", "order-import", "remote-unavailable", "remote-unavailable-1f0a93bc"), "OTTO", "xentral", "otto",
    "warning", NOW - timedelta(minutes=14), None, 59, 59, 0, {}, (),
    {"code": "remote-unavailable", "field": "", "values": {"system": "Xentral", "detail": "503"}},
)  # fmt: skip
OVER = Contents(
    1, FAILED.cause, "OTTO", "xentral", "otto", "error", FAILED.since, NOW, 31, 0, 0, {}, (), UNMAPPED
)  # fmt: skip

ELSEWHERE = replace(FAILED, id=3, cause=FAILED.cause._replace(interface="otto-at"))
LATER_OVER = replace(OVER, id=4, cause=FAILED.cause._replace(interface="otto-ch"))


def mail(kind: str, language: str, *found: Contents, **more: Any) -> EmailMessage:
    values: dict[str, Any] = {
        "id": 1, "kind": kind, "message_id": "7.a.1", "thread": None, "tries": 1, "created_at": NOW,
        "address": "night@example.org", "recipient": 7, "language": language, "time_zone": "Europe/Berlin",
        "subscription": 4, "name": "Night", "frequency": "hourly", "interfaces": ["otto-de"], "filter": "",
        "incidents": [one.id for one in found], "severity": "error", "at": NOW, "until": NOW + timedelta(hours=2),
    }  # fmt: skip
    return letter(Taken(**values | more), found, POST, NOW)


def twins(message: EmailMessage) -> tuple[str, str]:
    """The plain twin, and the text of the HTML twin, both with single blanks."""
    texts = [message.get_body((kind,)) for kind in ("plain", "html")]
    plain, marked = (str(part.get_content()) for part in texts if part is not None)
    seen = re.sub(r"<style>.*?</style>|<[^>]+>", " ", marked, flags=re.DOTALL)
    return " ".join(plain.split()), " ".join(html.unescape(seen).replace("\xa0", " ").split())


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("opened", [FAILED]), ("reminder", [FAILED]), ("digest", [FAILED, AWAY]), ("opened", [AWAY]),
        ("resolved", [OVER]), ("confirm", []), ("test", []), ("digest", [FAILED, AWAY, ELSEWHERE, LATER_OVER]),
        ("resolved", [OVER, LATER_OVER]),
    ],
    ids=["opened", "reminder", "digest", "outage", "resolved", "confirm", "test", "storm", "storm-over"],
)  # fmt: skip
def test_both_twins_say_the_same_and_need_nothing_from_outside(language: str, kind: str, found: list[Contents]) -> None:
    message = mail(kind, language, *found)
    plain, seen = twins(message)
    marked = str(message.get_body(("html",)).get_content())  # type: ignore[union-attr]
    without = re.sub(r"https?://\S+|[-–—·:;,.()✕!✓]|\b\d\b", " ", plain)
    words = set(re.sub(r"[-–—·:;,.()✕!✓]|\b\d\b", " ", seen).split())
    assert {word for word in without.split() if word not in words} <= {"payment", "unmapped", "remote", "unavailable"}
    for link in re.findall(r"https?://[^\s)]+", plain):
        assert html.escape(link) in marked
    assert not re.search(r"<(img|script|link|iframe|form)\b|url\(|@import|position:", marked)
    assert "<b>PAYPAL" not in marked, "what a shop wrote is text"
    assert "{" not in plain


def test_a_first_mail_says_how_much_how_many_what_to_do_and_when_the_next_one_comes() -> None:
    plain, _ = twins(mail("opened", "de", FAILED))
    for said in (
        "Fehler, offen seit 23.11.2026 08:00", "31 Datensätze kommen deshalb nicht weiter.", "Warenwert: 4.812,40 €",
        "binnen 24 Std fällig: 2", "Die ersten 10 von 31, fällige zuerst", "So beheben Sie es",
        "/interfaces/otto-de/orders?filter=group%3Apayment-unmapped-5a3f5c51", "/alarms/answer/its-link/1/known",
        "/alarms/answer/its-link/1/later", "Die nächste Mail dazu kommt am 23.11.2026 13:00",
        "/alarms/leave/its-link (andere Empfänger bekommen ihn weiter.)",
    ):  # fmt: skip
        assert said in plain, said


def test_an_outage_says_that_it_heals_by_itself_and_the_all_clear_how_long_it_took() -> None:
    assert "59 records wait because of this. They go on by themselves" in twins(mail("opened", "en", AWAY))[0]
    plain, _ = twins(mail("resolved", "en", OVER))
    assert "Resolved after 3 h" in plain
    assert "31 records were concerned; none of them stands still any more." in plain
    assert "This was the last mail about this incident." in plain
    for left, german in ((0, "1 Datensatz war betroffen; er steht nicht mehr."), (1, "er wartet auf etwas anderes.")):
        alone = replace(OVER, records=1, standing=left)
        assert german in twins(mail("resolved", "de", alone))[0]
    assert "answer" not in plain


def test_a_mail_of_a_storm_says_how_many_stand_and_how_many_are_over_by_interface() -> None:
    storm = in_order([LATER_OVER, AWAY, ELSEWHERE, FAILED])
    assert [one.id for one in storm] == [1, 2, 3, 4], "an interface stands where its worst incident would"
    message = mail("digest", "de", *storm, frequency="immediately")
    assert message["Subject"] == "[FEHLER] otto-at, otto-ch, otto-de: 4 Vorfälle, davon 1 behoben"
    plain, seen = twins(message)
    for text in (plain, seen):
        places = [text.index(f"{place} {mark} ") for place, mark in (("otto-de", "✕"), ("otto-at", "✕"))]
        assert places == sorted(places)
        assert "Weiteres, auch die Entwarnungen, kommt gesammelt, höchstens alle 5 Minuten eine Mail." in text
    assert plain.count("So beheben Sie es") == 3, "each that stands says what to do"
    assert plain.count("Diese Zeilen öffnen: https://connect.example.org/interfaces/") == 4
    english = mail("resolved", "en", OVER, LATER_OVER)
    assert english["Subject"] == "[RESOLVED] otto-ch, otto-de: 2 incidents"
    assert "This was the last mail about these incidents." in twins(english)[0]
    assert "A lot is going on" not in twins(mail("digest", "en", FAILED, AWAY))[0], "an hourly mail collects anyway"
