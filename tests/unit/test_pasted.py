"""Pasted lists of numbers become one term; everything else stays what it was."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journal.pages.rewrite import between, choose, numbers
from services.journal.pages.tokens import tokens
from shared.records.filter import parse
from shared.records.pasted import as_filter, as_term

ZONE = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("pasted", "filter"),
    [
        ("4711, 4712,4713", "4711|4712|4713"),
        ("4711\n4712\r\n4713\n", "4711|4712|4713"),
        ("A\tB\tC", "A|B|C"),
        ("interface:otto-de 4711; 4712", "interface:otto-de 4711|4712"),
        ("4711,4711", "4711"),
        ("state:failed 4711 4712", "state:failed 4711 4712"),
        ("Muster, Erika", "Muster, Erika"),
        ('"4711, 4712"', '"4711, 4712"'),
        ("4711|4712", "4711|4712"),
        ("-4711, 4712", "-4711, 4712"),
        ("", ""),
    ],
)
def test_a_list_is_one_term(pasted: str, filter: str) -> None:
    assert as_filter(pasted) == filter


@given(st.text(max_size=60))
def test_what_is_pasted_is_read_without_loss(text: str) -> None:
    assert as_filter(as_filter(text)) == as_filter(text)
    term = as_term(text)
    assert all(number in term for number in text.split() if number.isascii() and number.isalnum())


def test_menus_write_into_the_filter_and_leave_the_rest() -> None:
    written = parse("state:failed interface:otto-de 4711|4712 ordered>=2026-11-01", ZONE)
    assert choose(written, "state", ["waiting", "failed"]).endswith("state:waiting|failed")
    assert choose(written, "state", []) == "interface:otto-de 4711|4712 ordered>=2026-11-01"
    between_days = between(written, "ordered", "2026-11-20T10:30", "2026-11-21")
    assert between_days == "state:failed interface:otto-de 4711|4712 ordered>=2026-11-20T10:30 ordered<=2026-11-21"
    assert numbers(written, "1\n2").endswith("ordered>=2026-11-01 1|2")
    assert "4711" not in numbers(written, "1\n2")
    first, *_, last = tokens(written)
    assert (first.word, first.value, first.without) == ("state:", "failed", written.text.removeprefix("state:failed "))
    assert last.without == "state:failed interface:otto-de 4711|4712"
