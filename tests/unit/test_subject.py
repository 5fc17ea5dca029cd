"""Who is looked for: what names a person, and whose order it is."""

from __future__ import annotations

from typing import Any

import pytest

from shared.privacy.subject import SubjectError, same_phone, subject, traces
from shared.privacy.texts import names, without

ORDER: dict[str, Any] = {
    "number": "4711",
    "customer": {
        "email": "Erika@Example.org",
        "first_name": "Erika",
        "last_name": "Müster",
        "phone": "+49 40 123456-7",
    },
    "billing_address": {"name": "Erika Müster", "zip_code": "22 179"},
    "shipping_address": {"name": "Packstation", "zip_code": None},
}


@pytest.mark.parametrize(
    ("said", "hers"),
    [
        ({"email": " erika@example.ORG "}, True),
        ({"email": "rika@example.org"}, False),
        ({"phone": "040/1234567"}, True),
        ({"phone": "0041 40 1234567"}, False),
        ({"name": "Muster, Erika", "zip_code": "22179"}, True),
        ({"name": "Erika Muster", "zip_code": "22178"}, False),
        ({"name": "Erika Karl Muster", "zip_code": "22179"}, False),
    ],
)
def test_whose_order_it_is(said: dict[str, str], *, hers: bool) -> None:
    assert subject(**said).knows(ORDER) is hers
    assert not subject(**said).knows({"customer": None, "billing_address": "?"})


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"email": "a@b.de", "number": "1"},
        {"email": "nobody"},
        {"phone": "12-34"},
        {"name": "Erika Muster"},
        {"name": "Muster", "zip_code": "22179"},
        {"zip_code": "22179"},
        {"number": "1", "also": ["Otto"]},
    ],
)
def test_what_names_nobody_is_refused_without_being_quoted(said: dict[str, Any]) -> None:
    with pytest.raises(SubjectError) as refused:
        subject(**said)
    assert "Muster" not in str(refused.value)


def test_phones_in_any_spelling() -> None:
    assert same_phone("0049 (0)40 1234567", "+49 40 1234567") is False, "nobody can know what a 0 within means"
    assert same_phone("1234567", "00494012345 67")
    assert not same_phone("", "")


def test_only_what_names_her_goes_out_of_a_text() -> None:
    who = subject(email="erika@example.org", also=["Erikas Laden"]).with_traces(traces(ORDER))
    named = names(who.texts)
    for text in ("ask ERIKA@example.org", "Müster, Erika", "call Erika  Müster now", "erikas laden"):
        assert named(text), text
    for text in ("Otto Müster", "Erika", "otto-de state:failed", ""):
        assert not named(text), text
    value = {"filter": "erika@example.org state:failed", "n": 3, "more": ["Erika Müster rang", None]}
    assert without(value, who.texts) == {"filter": "(erased) state:failed", "n": 3, "more": ["(erased) rang", None]}
    assert not names(())("anything")
