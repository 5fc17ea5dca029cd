"""Texts, times and amounts, without a server: both languages say everything, and say it right."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import journal
from services.journal.batch import cut
from services.journal.icons import ICONS
from services.journal.language import Speaker, preferred, texts
from services.journal.pages.quick import quick
from services.journal.pages.saying import sentence
from shared import moments
from shared.events.orders import OrderChanged
from shared.records.filter import parse
from shared.records.resources import RESOURCES
from shared.records.states import State

ROOT = Path(journal.__file__).parent
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BUILT = (
    "accounting.", "acts.", "alarms.day_", "alarms.frequency_", "alarms.instead_", "alarms.kind_", "alarms.mail_",
    "alarms.on_", "alarms.what_", "app.role_", "app.room_", "app.theme_", "article.type_", "attempt.part_",
    "card.same_", "drafted.", "edit.", "errand.title_", "error.", "export.status", "export.tracking", "groups.none_",
    "groups.unit_", "held.", "interfaces.check_", "interfaces.flow_", "interfaces.item_", "interfaces.says_",
    "left.", "list.of_", "list.span_", "mail_link.", "mappings.about_", "mappings.kind_", "mappings.wrong_",
    "me.done_", "owner.", "privacy.kind_", "privacy.place_",
    "privacy.stays_", "privacy.wrong_", "quick.", "receipt.", "rejections.outcome_", "rejections.state_", "room.",
    "runs.", "says.", "settings.", "state.", "status.broker_", "status.error", "status.fine",
    "status.flow_", "status.mode_", "status.warning", "status.weekday_",
    "users.language_", "users.made_",
)  # fmt: skip
LISTS = tuple(resource.name for resource in RESOURCES)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_german_and_english_have_the_same_texts_with_the_same_values() -> None:
    german, english = texts("de"), texts("en")
    assert german.keys() == english.keys()
    ones = {name for name in german if name.endswith("_one") and "count" in _fields(german.get(name[:-4], ""))}
    assert {name for name in ones if _fields(german[name]) - _fields(german[name[:-4]])} == set(), "what is not given"
    assert {name for name in german if _fields(german[name]) != _fields(english[name])} == set()
    assert {name for name in german if not german[name].strip()} == set()


def test_every_text_that_is_said_is_written_and_every_written_one_is_said() -> None:
    files = [*ROOT.glob("templates/*.html"), *ROOT.glob("**/*.py")]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    said = set(re.findall(r"""\bsay\(\s*["']([^"']+)["']\s*[,)]""", source))
    own = set(re.findall(r"""\bown\(\s*["']([^"']+)["']\s*[,)]""", source))
    said |= {f"{name}.{text}" for name in LISTS for text in own} | {f"app.{name}" for name in LISTS}
    written = set(texts("en"))
    assert said - written == set()
    named = said | set(re.findall(r"""["']([a-z_]+\.[a-z0-9_-]+)["']""", source))
    found = {name for name in written if name not in named and not name.startswith(BUILT)}
    assert {name for name in found if name.removesuffix("_one") not in named or not name.endswith("_one")} == set()


@pytest.mark.parametrize(
    ("name", "german", "english"),
    [
        ("acts.selected", "1 ausgewählte Zeile", "1 selected row"),
        ("orders.retry_question", "Diesen einen Auftrag noch einmal versuchen?", "Try this one order again?"),
        ("errand.differs", "1 Artikel weicht ab", "1 article differs"),
        ("status.open", "1 offener Vorfall.", "1 open incident."),
    ],
)
def test_a_single_one_is_spoken_of_as_one(name: str, german: str, english: str) -> None:
    for count in (1, "1"):
        assert (Speaker("de").say(name, count=count), Speaker("en").say(name, count=count)) == (german, english)
    assert Speaker("de").say(name, count=21) == texts("de")[name].format(count=21)


def test_what_is_said_of_a_record_or_offered_with_a_list_is_written() -> None:
    for resource in RESOURCES:
        offered = [one.name for one in quick(resource, parse("", ZoneInfo("UTC")))]
        assert {f"quick.{name}" for name in offered} <= texts("en").keys()
    statuses = get_args(OrderChanged.model_fields["status"].annotation)
    assert {f"export.status_{status}" for status in statuses} == {t for t in texts("en") if "export.status_" in t}


def test_every_state_has_a_word_and_an_icon() -> None:
    for state in State:
        assert texts("de")[f"state.{state}"]
        assert ICONS[state]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr,de;q=0.5,en;q=0.4", "de"),
        ("de;q=0,en;q=0.1", "en"),
        ("fr", "en"),
        ("", "en"),
        ("*;q=nonsense,,;;", "en"),
    ],
)
def test_the_browsers_preference_is_followed(header: str, language: str) -> None:
    assert preferred(header) == language


@given(st.text(max_size=200))
def test_any_header_gives_a_language(header: str) -> None:
    assert preferred(header) in ("de", "en")


def test_amounts_and_times_are_written_as_people_write_them() -> None:
    assert moments.money("1149", "EUR", "de") == "1.149,00 €"
    assert moments.money("1149.5", "EUR", "en") == "€1,149.50"
    assert moments.money("3", "CHF", "en") == "3.00 CHF"
    assert moments.money("abc", "EUR", "de") == "abc"
    assert moments.money(None, None, "de") == ""
    assert moments.number(12345, "de") == "12.345"
    assert moments.relative(NOW - timedelta(minutes=4), NOW, "de") == "vor 4 Min"
    assert moments.relative(NOW + timedelta(hours=3), NOW, "en") == "in 3 h"
    assert moments.lasting(NOW - timedelta(days=2), NOW, "de") == "seit 2 Tg"
    assert moments.seconds(0.434, "de") == "0,43 s"
    berlin = ZoneInfo("Europe/Berlin")
    assert moments.day(datetime(2026, 12, 31, 23, 30, tzinfo=UTC), berlin, "de") == "01.01.2027"
    assert moments.clock(NOW, berlin, seconds=True) == "11:00:00"


def test_a_row_says_what_happens_next() -> None:
    item = {"flow": "order-import", "reason": None, "state": "pending", "due_at": NOW}
    item["updated_at"] = NOW - timedelta(minutes=2)
    reader = Speaker("de")
    item["erp_number"] = item["away_since"] = None

    def said(**over: object) -> str:
        return sentence(item | over, "Xentral", reader, NOW)

    assert said() == "An der Reihe seit 2 Min"
    assert said(due_at=NOW + timedelta(hours=6)) == "Wird in 6 Std geprüft"
    assert said(state="running") == "Wird in Xentral angelegt seit 2 Min"
    assert said(state="done", erp_number="200417") == "In Xentral als 200417 angelegt"
    waits = {
        "state": "waiting",
        "reason": {"sentence": "Xentral antwortet nicht."},
        "due_at": NOW + timedelta(minutes=5),
    }
    assert said(**waits) == "Xentral antwortet nicht. Neuer Versuch in 5 Min"
    assert said(**waits, held={"sentence": "Wartet: angehalten."}) == "Xentral antwortet nicht. Wartet: angehalten."
    for state in ("pending", "waiting"):
        away = {**waits, "state": state, "away_since": NOW - timedelta(minutes=4)}
        assert said(**away) == "Wartet auf Xentral, antwortet seit 4 Min nicht"


def test_an_article_says_what_the_marketplace_accepted_and_shows() -> None:
    item = {"flow": "stock", "reason": None, "state": "done", "due_at": None, "updated_at": NOW, "type": "simple"}
    item["away_since"] = None

    def said(**over: object) -> str:
        return sentence(item | over, "OTTO Market", Speaker("de"), NOW)

    assert said(sent=1240, shown=None, confirmed=None) == "OTTO Market hat 1.240 angenommen, noch nicht bestätigt"
    assert said(sent=5, shown=5, confirmed=True) == "OTTO Market zeigt 5"
    assert said(sent=5, shown=None, confirmed=False) == "OTTO Market zeigt –, angenommen waren 5"
    assert said(sent=None, shown=None, confirmed=None, type="parent") == "Seine Varianten sind an der Reihe gewesen"
    assert said(state="never") == "Noch nicht exportiert"


VALUES = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 2]))
def test_a_batch_is_cut_where_its_events_are(events: list[object], indent: int | None) -> None:
    parts = cut(json.dumps(events, indent=indent).encode())
    assert parts is not None
    assert [json.loads(part) for part in parts] == events


@given(st.binary(max_size=60))
def test_any_bytes_are_cut_or_refused(body: bytes) -> None:
    parts = cut(b"[" + body + b"]")
    assert parts is None or all(part in body for part in parts)


def test_cutting_a_long_string_without_an_end_takes_no_longer_than_reading_it() -> None:
    assert cut(b'["' + b"\\a" * 1_000_000) is None
    assert cut(b"[" * 1_000_000) is None
