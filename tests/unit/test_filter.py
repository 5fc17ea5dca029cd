"""The filter language: what is understood, how it is spelt canonically, and how it says what it does not understand."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records import dates
from shared.records.filter import WORDS, Atom, FilterError, Term, parse
from shared.records.filter_sql import to_sql
from shared.records.search import codes_that_say, fold

BERLIN = ZoneInfo("Europe/Berlin")


def one(text: str) -> Term:
    (term,) = parse(text, BERLIN).terms
    return term


def test_the_example_of_the_contract_is_understood_term_by_term() -> None:
    found = parse("state:failed interface:otto-de ordered>=2026-11-01 error:sku-unknown 4711", BERLIN)
    assert [term.atoms[0] for term in found.terms] == [
        Atom("state", ":", "failed"),
        Atom("interface", ":", "otto-de"),
        Atom("ordered", ">=", "2026-11-01"),
        Atom("error", ":", "sku-unknown"),
        Atom("", "", "4711"),
    ]


def test_no_terms_match_everything() -> None:
    assert to_sql(parse(" \n", BERLIN)) == ("true", [])


def test_alternatives_share_the_word_in_front_or_bring_their_own() -> None:
    assert one("-state:failed|waiting") == Term((Atom("state", ":", "failed"), Atom("state", ":", "waiting")), True)
    assert one("state:failed|error:sku-unknown").atoms[1] == Atom("error", ":", "sku-unknown")
    assert one("4711|4712") == Term((Atom("", "", "4711"), Atom("", "", "4712")))


def test_quotes_hold_blanks_and_signs_of_the_language() -> None:
    assert one('"Erika Muster"').atoms == (Atom("", "", "Erika Muster"),)
    assert one(r'"a\"b\\c|state:x"').atoms == (Atom("", "", r'a"b\c|state:x'),)
    assert one('assignee:"a b"|"c d"').atoms == (Atom("assignee", ":", "a b"), Atom("assignee", ":", "c d"))


def test_words_and_states_may_be_written_in_capitals_and_with_equals() -> None:
    assert one("State=FAILED") == one("state:failed")


@pytest.mark.parametrize(
    ("text", "term", "suggestion"),
    [
        ("state:faild", "state:faild", "state:failed"),
        ("4711 stat:failed", "stat:failed", "state:failed"),
        ("error:sku-unknow", "error:sku-unknow", "error:sku-unknown"),
        ("interface:oto-de", "interface:oto-de", "interface:otto-de"),
        ("state>failed", "state>failed", "state:failed"),
        ("ordered>=2026-13-01", "ordered>=2026-13-01", None),
        ("ordered:yesterday", "ordered:yesterday", None),
        ("run:2026-02-30", "run:2026-02-30", None),
        ("state:", "state:", None),
        ("a|", "a|", None),
        ('"open', '"open', None),
        ('"a"b', '"a"b', None),
        ("--", "-", None),
        ("x\0y", "U+0000", None),
        ("\ud800", "U+D800", None),
        ("type:child", "type:child", None),
        ("due:todai", "due:todai", "due:today"),
        ("due>=24h", "due>=24h", "due:24h"),
    ],
)
def test_what_is_not_understood_is_named_with_the_nearest(text: str, term: str, suggestion: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, BERLIN, {"otto-de", "shop"})
    assert (caught.value.term, caught.value.suggestion) == (term, suggestion)
    assert term in str(caught.value)


def test_every_word_of_the_contract_is_known() -> None:
    contract = "state stage interface flow type tracking error group assignee ordered received changed run"
    ours = "drift due test"
    assert set(WORDS) == {*contract.split(), *ours.split()}


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-11-01", "2026-10-31T23:00", "2026-11-01T23:00"),
        ("01.11.2026", "2026-10-31T23:00", "2026-11-01T23:00"),
        ("2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("2026-11-01T10:30", "2026-11-01T09:30", "2026-11-01T09:31"),
        ("2026-11-01 10:30:05", "2026-11-01T09:30:05", "2026-11-01T09:30:06"),
        ("2026-11-01T10:30Z", "2026-11-01T10:30", "2026-11-01T10:31"),
    ],
)
def test_a_date_is_a_stretch_of_time_in_the_zone_of_the_installation(text: str, start: str, end: str) -> None:
    found = dates.read(text, BERLIN)
    assert found.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert found.end == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_a_time_that_the_clocks_show_twice_names_both() -> None:
    found = dates.read("2026-10-25T02:30", BERLIN)
    assert found.twice is not None
    assert (found.start.hour, found.twice[0].hour) == (0, 1)


def test_folding_takes_away_case_accents_and_punctuation() -> None:
    assert fold("Müller-STRASSE/1a") == "muller strasse 1a"
    assert fold("Straße") == fold("STRASSE")
    assert fold("Łódź ﬁne Ἀθήνα Ёлка") == "lodz fine αθηνα елка"


def test_a_word_of_a_message_finds_its_code_in_both_languages() -> None:
    assert "payment-unmapped" in codes_that_say(["Zahlungsart"])
    assert "payment-unmapped" in codes_that_say(["payment meth"])
    assert "payment-unmapped" not in codes_that_say(["ayment"])


WORDLIKE = st.sampled_from(
    ["state:", "-", "|", '"', "\\", " ", "failed", "ordered>=", "2026-11-01", ":", "é", "a", "1"]
)


@given(st.one_of(st.text(), st.lists(WORDLIKE).map("".join)))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        found = parse(text, BERLIN)
    except FilterError:
        return
    to_sql(found)
    assert parse(found.text, BERLIN) == found
    assert parse(found.text, BERLIN).text == found.text
