"""The mail that the German quick guide shows: an error that stops 31 orders, as the alert service writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.alerts.letter import Post, letter
from shared.alarms.contents import Contents, Row
from shared.alarms.incidents import Cause
from shared.alarms.queue import Taken

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
PROBLEM = {"code": "payment-unmapped", "field": "", "values": {"payment": "KLARNA"}}
SHOWN, ALL, DUE = 5, 31, 2


def example() -> str:
    """The HTML of the mail, in German."""
    since = NOW - timedelta(hours=3)
    rows = tuple(
        Row(n, f"47{n:02}", since, NOW + timedelta(hours=9 * n), PROBLEM, Decimal("39.88"), "EUR")
        for n in range(1, SHOWN + 1)
    )
    found = Contents(
        1, Cause("otto-de", "order-import", PROBLEM["code"], "payment-unmapped-5a3f5c51"), "OTTO", "xentral", "otto",
        "error", since, None, ALL, ALL, DUE, {"EUR": Decimal("1236.28")}, rows, PROBLEM,
    )  # fmt: skip
    taken = Taken(
        id=1, kind="opened", message_id="1.a.1", thread=None, tries=1, created_at=NOW, address="shop@example.org",
        recipient=1, language="de", time_zone="Europe/Berlin", subscription=1, name="Shop", frequency="hourly",
        interfaces=["otto-de"], filter="", incidents=[1], severity="error", at=NOW, until=NOW + timedelta(hours=2),
    )  # fmt: skip
    post = Post("connect@example.org", "https://connect.example.org", lambda *_: "link")
    body = letter(taken, [found], post, NOW).get_body(("html",))
    assert body is not None
    return str(body.get_content())
