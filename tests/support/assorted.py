"""Orders, exports and articles of all kinds, and filters that find some of them: for what must find the same."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from shared.db.connect import Connection
from shared.records.filter import CHOICES, STATES
from shared.records.indexer import Indexer
from tests.support.rows import changed_event, store_article, store_export, store_shipment
from tests.support.stored import NOW, order_event, store_interface, store_record

ERRORS = ("sku-unknown", "payment-unmapped", "remote-timeout")
NAMES = ("Müller", "Muster", "Meyer-Straße")
COUNT = 60
LATE, NEVER = NOW.replace(year=2020), NOW.replace(year=2090)


def fill(conn: Connection) -> None:
    """COUNT orders, exports and articles of two interfaces; some of their texts are indexed, some are not yet."""
    dice = random.Random(6)
    for slug in ("otto-de", "shop"):
        store_interface(conn, slug)
    for n in range(COUNT):
        if n == COUNT // 2:
            while Indexer().batch(conn, lambda _: None):
                pass
        at = NOW.replace(day=1 + n % 28)
        state = dice.choice(STATES)
        code = dice.choice(ERRORS) if state in ("failed", "waiting", "warning") else None
        row = {
            "interface": dice.choice(("otto-de", "shop")), "state": state, "ordered_at": dice.choice((None, at)),
            "ship_by": dice.choice((None, LATE, NEVER)),
            "updated_at": at, "test": n % 9 == 0, "code": code,
            "reason": [{"code": code, "field": "", "values": {"sku": f"S-{n}"}}] if code else None,
        }  # fmt: skip
        person = {"first_name": "Erika", "last_name": dice.choice(NAMES), "email": None}
        store_record(conn, f"47{n}", event=order_event(f"47{n}", customer=person), **row)
        parts = dice.choice(({}, {"tracking": "done"}, {"tracking": "failed", "status": "done"}))
        export = store_export(conn, f"47{n}", parts=parts, event=changed_event(f"47{n}"), **row)
        store_shipment(conn, export, "1", f"00340434{n}")
        more: dict[str, Any] = {name: value for name, value in row.items() if name not in ("ordered_at", "state")}
        store_article(conn, f"ABC-{n}", quantity=n, kind=CHOICES["type"][n % 3], name=f"Kleid {n}", **more)


WORDS = st.sampled_from(
    [
    *(f"{sign}state:{state}" for state in STATES for sign in ("", "-")), "state:failed|done", "interface:shop",
    "-interface:shop", "state:failed|interface:shop", "type:variant", "-type:parent", "tracking:exported",
    "tracking:open|failed", "-tracking:exported", "test:yes", "test:no", *(f"error:{code}" for code in ERRORS),
    "-error:sku-unknown", "ordered>=2026-11-10", "ordered<2026-11-20", "run>=2026-11-05", "run<=2026-11-15T10:00",
    "received<2026-12-01", "changed:2026-11-23", "-ordered>=2026-11-10", "47", "4711", "471|472", "muller",
    "due:24h", "-due:today", "due:overdue|24h", "due:24h|error:sku-unknown",
    "meyer-str", "-muster", "0034043412", "erika", "xe", "kleid", "s-1", "zahlungsart", "nowhere", "flow:stock",
    ]
)  # fmt: skip
FILTERS = st.lists(WORDS, max_size=3).map(" ".join)
