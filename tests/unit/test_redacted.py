"""No secret of the settings ever stands in what is kept of a call, whatever it is and wherever it was said."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.exchange import Exchange, listening, note
from shared.connectors.redacted import MASK, cut, forms, redacted

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=60).filter(
    lambda text: text not in MASK and MASK not in text and text.strip()
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(secret=SECRETS, before=TEXTS, after=TEXTS, cap=st.integers(1, 400))
def test_a_secret_is_never_kept(secret: str, before: str, after: str, cap: int) -> None:
    known = forms([secret])
    said = [
        json.dumps({"said": before + secret + after}),
        json.dumps({"said": before + secret + after}, ensure_ascii=False),
        json.dumps({"said": before + secret + after}).replace("/", "\\/"),
        f"{before}{secret}{after}",
        f"/path?a={quote(secret)}&b={quote_plus(secret)}&c={quote(secret, safe='')}",
    ]
    for text in said:
        kept = cut(text.encode(), cap, known)["text"]
        assert len(kept) <= cap
        for form in known:
            # What stands around it may happen to spell a part of it; the whole must be gone.
            assert form not in kept
        assert not any(form in redacted(text, known) for form in known if form not in MASK)


@pytest.mark.parametrize(
    "text",
    [
        '{"access_token":"hush-hush","n":1}',
        '{"n":1, "X-Api-Key" : "hush-hush"}',
        '{"password": ["hush-hush", 1]}',
        '{"clientSecret":"hush-hush',
        '{"said":"{\\"refresh_token\\":\\"hush-hush\\"}"}',
        "grant_type=code&client_secret=hush-hush&x=1",
        '{"session_id":hush-hush}',
    ],
)
def test_fields_that_tell_by_their_name_are_taken_out(text: str) -> None:
    kept = redacted(text, ())
    assert "hush-hush" not in kept
    assert MASK in kept
    assert redacted('{"tokens_left": 1, "city": "Hamburg"}', ()).endswith('"city": "Hamburg"}')


def test_a_secret_across_the_cut_leaves_no_half() -> None:
    secret = "s3cr3t-0123456789"
    for place in range(150, 210):
        body = ("x" * place + secret + "y" * 400).encode()
        kept = cut(body, 100, forms([secret]))
        assert "s3c" not in kept["text"]
        assert len(kept["text"]) + kept["left_out"] >= 100


def test_what_is_kept_of_a_call() -> None:
    call = Exchange(
        "create", "POST", "/o?key=hush-hush", b'{"a":1}', True, False, forms(["hush-hush"]), 201, b"\x00\xff"
    )
    login = Exchange("login", "POST", "/t", b"user and password", True, True, (), 200, b"a token")
    with listening() as heard:
        note(call)
        with listening() as inner:
            note(login)
    note(call)
    assert heard == [call]
    assert inner == [login]
    told = call.told(100, 100)
    assert told["target"] == f"/o?key={MASK}"
    assert told["request"] == {"text": '{"a":1}', "left_out": 0}
    assert told["response"] == {"text": "\ufffd\ufffd", "left_out": 0}
    assert login.told(100, 100)["request"] is login.told(100, 100)["response"] is None
    assert call.told(0, 3)["request"] is None
