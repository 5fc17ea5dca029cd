"""The head of a mail: what it promises to other mail programs, and that nobody else writes in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.letter import Post, letter
from shared.alarms.contents import Contents, Row
from shared.alarms.incidents import Cause
from shared.alarms.queue import Taken

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
POST = Post("connect@example.org", "https://connect.example.org", lambda *_: "t0ken")
HEADS = [
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
    "X-Auto-Response-Suppress", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type",
]  # fmt: skip
TRICKS = [
    "\r\nBcc: x@y.z",
    "=?UTF-8?Q?=0ABcc:_x@y.z?=",
    "a\nBcc: x@y.z\n\nbody",
    "Bcc: x@y.z\r",
    "\u2028Bcc: x@y.z",
    "ü" * 300,
]


def mail(**changed: Any) -> Taken:
    values: dict[str, Any] = {
        "id": 1, "kind": "opened", "message_id": "7.ab.1", "thread": "6.ab.1", "tries": 1, "created_at": NOW,
        "address": "a@example.org", "recipient": 7, "language": "de", "time_zone": "Europe/Berlin", "subscription": 3,
        "name": "Nacht", "frequency": "hourly", "interfaces": ["otto-de"], "filter": "", "incidents": [1],
        "severity": "error", "at": NOW, "until": NOW + timedelta(days=1),
    }  # fmt: skip
    return Taken(**(values | changed))


def about(code: str = "payment-unmapped", interface: str = "otto-de", text: str = "PAYPAL", **changed: Any) -> Contents:
    problem = {"code": code, "field": text, "values": {"payment": text, "alert": text, "summary": text}}
    values: dict[str, Any] = {
        "id": 1, "cause": Cause(interface, "order-import", code, text), "title": text, "erp": text, "marketplace": text,
        "severity": "error", "since": NOW, "ended": None, "records": 2, "standing": 2, "due": 1, "sums": {},
        "rows": (Row(1, text, NOW, NOW, problem, None, None),), "problem": problem,
    }  # fmt: skip
    return Contents(**(values | changed))


def test_what_other_mail_programs_are_told() -> None:
    found = message_from_bytes(letter(mail(), [about()], POST, NOW).as_bytes(), policy=default)
    assert found.keys() == HEADS
    assert found["Subject"] == "[FEHLER] otto-de: Aufträge, payment-unmapped (2)"
    assert found["Message-ID"] == "<connect.7.ab.1@example.org>"
    assert found["References"] == found["In-Reply-To"] == "<connect.6.ab.1@example.org>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["List-Unsubscribe"] == "<https://connect.example.org/alarms/leave/t0ken>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]


def test_a_digest_tells_one_cause_after_the_other() -> None:
    both = [about(), about("shipping-unmapped", records=5, standing=5)]
    found = letter(mail(kind="digest", language="en"), both, POST, NOW)
    plain = found.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert found["Subject"] == "[ERROR] otto-de: 2 incidents"
    assert text.index("(payment-unmapped)") < text.index("(shipping-unmapped)")
    assert text.count("/alarms/answer/t0ken/") == 4, "each can be answered"


@given(
    st.sampled_from(TRICKS) | st.text(max_size=60), st.sampled_from(["opened", "resolved", "digest", "test", "confirm"])
)
def test_nobody_writes_in_the_head(text: str, kind: str) -> None:
    incidents = [] if kind in ("test", "confirm") else [about(interface=text, text=text)]
    sent = letter(mail(kind=kind, name=text), incidents, POST, NOW).as_bytes()
    found = message_from_bytes(sent, policy=default)
    expected = [head for head in HEADS if kind != "confirm" or not head.startswith("List-Unsubscribe")]
    assert found.keys() == expected
    assert found["To"] == "a@example.org"
    assert "x@y.z" not in str(found["Subject"])
    head = sent.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(b": " in line or line.startswith((b" ", b"\t")) for line in head.split(b"\r\n"))


@pytest.mark.parametrize("code", ["alert-fired", "monitoring-silent", "service-away"])
@pytest.mark.parametrize("language", ["de", "en"])
def test_what_is_about_the_system_itself_says_nothing_of_orders(code: str, language: str) -> None:
    one = about(code, "", "Broker", cause=Cause("", "infrastructure", code, "k"), rows=(), standing=0, records=1)
    one.problem["values"] |= {"minutes": "15", "service": "stock"}  # type: ignore[index]
    for ended in (None, NOW + timedelta(minutes=12)):
        found = letter(mail(language=language), [Contents(**{n: getattr(one, n) for n in Contents.__slots__} | {"ended": ended})], POST, NOW + timedelta(hours=1))  # fmt: skip  # noqa: E501
        plain = found.get_body(("plain",))
        assert plain is not None
        text = plain.get_content()
        assert "{" not in text
        assert " 0 " not in text
        assert "otto-de" not in text.partition("--")[0]
        assert ("/alarms/answer/" in text) == (ended is None)
