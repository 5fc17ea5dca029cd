"""A shop's ordinary day, as the pictures of the pages show it: 1,234 orders, 47 failed, 31 of them of one cause.

Enters: a connection to an empty, migrated database. Leaves: three interfaces with orders, exports, articles, history,
refusals, receipts, an audit and books that balance. The same rows each time, at times counted back from now.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from shared.alarms.signed import LASTS_DAYS
from shared.alarms.subscriptions import add
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.people.audit import audit
from shared.people.tokens import create_token
from shared.people.users import add_user
from shared.privacy.subject import subject
from shared.records.actions import request
from shared.records.bulk import How, start
from shared.records.errands import ask_errand, finish_errand, take_errand
from shared.records.interfaces import save_mapping
from shared.records.rejections import Refusal, refuse
from tests.support.rows import changed_event, store_article, store_export, store_shipment
from tests.support.seed_words import ARTICLES, CAUSES, HOSTILE, PEOPLE, STREETS, TOWNS
from tests.support.site import LINKS
from tests.support.stored import order_event, store_interface, store_record

SLUG = "otto-de"
PASSWORD = "correct-horse-battery"
STATES = {"done": 1062, "waiting": 59, "failed": 47, "skipped": 29, "pending": 28, "warning": 6, "running": 3}
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass
class Seeded:
    """Ids that tests and pictures ask for by name, e.g. `failed` for an order that failed."""

    ids: dict[str, str] = field(default_factory=dict)


def seed(conn: Connection, orders: int = sum(STATES.values()), say: Callable[[int], None] = lambda _: None) -> Seeded:
    """Fill the database; `orders` scales the day, `say` hears how many records are stored."""
    day = _Day(conn, orders / sum(STATES.values()), say)
    # An order at a time: no transaction lasts longer than the database allows.
    for part in (day.interfaces, day.orders, day.articles, day.rejections, day.people):
        part()
    conn.execute("ANALYZE")
    return Seeded(day.ids)


class _Day:
    def __init__(self, conn: Connection, scale: float, say: Callable[[int], None]) -> None:
        self._conn, self._scale, self._say = conn, scale, say
        self._chance = random.Random(4711)  # the same day each time
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._stored = 0
        self.ids: dict[str, str] = {}

    def interfaces(self) -> None:
        """One that is live and busy, one that is paused, one in test."""
        for slug in (SLUG, "otto-outlet", "shopify-b2b"):
            store_interface(self._conn, slug)
            for side in ("marketplace", "erp"):
                self._conn.execute(
                    "INSERT INTO sides(interface, side, settings, calls_per_second) VALUES (%s, %s, %s, 10)"
                    " ON CONFLICT DO NOTHING",
                    (slug, side, Jsonb({"base_url": "https://example.org"})),
                )
        self._conn.execute("UPDATE interfaces SET title = 'OTTO Outlet', mode = 'paused' WHERE slug = 'otto-outlet'")
        self._conn.execute(
            "UPDATE interfaces SET title = 'Shopify B2B', marketplace = 'shopify', mode = 'test'"
            " WHERE slug = 'shopify-b2b'"
        )
        for kind, source, target in (
            ("payment", "INVOICE_SINGLE", "Rechnung"),
            ("shipping", "DELIVERY_FEE_STANDARD", "DHL Paket"),
            ("tax", "19.0", "normal"),
        ):
            save_mapping(self._conn, SLUG, kind, source, target, "Mara Kern")

    def orders(self) -> None:
        """The states in a fixed mix, each with its history; what is done has an export too."""
        causes = [cause for cause in CAUSES for _ in range(cause.orders)]
        minute = 0
        for state, count in STATES.items():
            for number in range(max(1, round(count * self._scale))):
                minute += 1
                cause = causes[number % len(causes)] if state == "failed" else None
                with self._conn.transaction():
                    self._order(state, cause, timedelta(minutes=3 + self._chance.randrange(600), seconds=minute % 60))

    def _order(self, state: str, cause: Any, ago: timedelta) -> None:
        key = "wsbk4" + "".join(self._chance.choices(ALPHABET, k=5))
        while key in self.ids:
            key = "wsbk4" + "".join(self._chance.choices(ALPHABET, k=5))
        first, last = self._chance.choice(PEOPLE)
        if self._stored < len(HOSTILE):
            last = HOSTILE[self._stored]
        sku, title, price = self._chance.choice(ARTICLES)
        quantity = self._chance.choice((1, 1, 1, 2, 3))
        number = str(200000 + self._stored)
        values = {
            "sku": sku, "number": key, "remote": number, "ids": f"{number}, {number}9", "interface": SLUG,
            "since": "10:31", "system": "Xentral",
        }  # fmt: skip
        at, ordered = self._now - ago, self._now - ago - timedelta(minutes=12)
        columns = self._columns(state, cause, values, number, at)
        address = {
            "name": f"{first} {last}", "street": self._chance.choice(STREETS), "house_number": str(number[-2:]),
            "zip_code": "22179", "city": self._chance.choice(TOWNS), "country": "DE",
        }  # fmt: skip
        record = store_record(
            self._conn, key,
            event=order_event(
                key,
                marketplace_id=str(uuid.UUID(int=self._chance.getrandbits(128))),
                ordered_at=ordered.isoformat(),
                customer={"first_name": first, "last_name": last, "email": f"{first.lower()}@example.org"},
                billing_address=address, shipping_address=address,
                lines=[{"id": "1", "sku": sku, "title": title, "quantity": quantity, "unit_price": price,
                        "tax_rate": "19.0"}],
                payment={"method": "PAYPAL" if cause else "INVOICE_SINGLE"},
                total=f"{float(price) * quantity:.2f}",
            ),
            marketplace_id=str(uuid.UUID(int=self._chance.getrandbits(128))),
            ordered_at=ordered, received_at=at, input_at=at, changed_at=at,
            ship_by=self._now + timedelta(hours=self._chance.choice((6, 30, 54))) if state != "done" else None,
            **columns,
        )  # fmt: skip
        self.ids.setdefault(state, str(record))
        self._history(record, "erp", state, columns.get("code"), columns.get("reason"), columns["updated_at"])
        if cause and cause.code == "payment-unmapped":
            self._conn.execute("UPDATE records SET blocked = true WHERE id = %s", (record,))
            self._conn.execute("INSERT INTO blocks VALUES (%s, 'payment:PAYPAL', %s)", (SLUG, record))
        if cause or state in ("waiting", "warning"):
            # Now that the staged copy is there, with the order's amount.
            self._conn.execute("UPDATE records SET state = state WHERE id = %s", (record,))
            self._conn.execute(
                "UPDATE troubles SET entered_at = %s, seen_at = %s WHERE record_id = %s", (at, at, record)
            )
        self._booked(record, key, "order-imported", at)
        if state in ("done", "warning"):
            self._export(key, number, columns["updated_at"])
        elif state == "failed":
            store_export(self._conn, key, marketplace_id=None, ordered_at=ordered, updated_at=at)
        self._count()

    def _columns(self, state: str, cause: Any, values: dict[str, str], number: str, at: datetime) -> dict[str, Any]:
        told = {name: (code, field) for name, code, field in (
            ("waiting", "waits-for-erp", ""), ("warning", "total-differs", "total"), ("skipped", "already-in-erp", ""),
        )}  # fmt: skip
        code, where = (cause.code, cause.where) if cause else told.get(state, (None, ""))
        values |= {"total": "39.88", "computed": "39.89", **(cause.values if cause else {})}
        return {
            "state": state,
            "updated_at": min(at + timedelta(minutes=2), self._now),
            "code": code,
            "reason": [{"code": code, "field": where, "values": values}] if code else None,
            "remote": number if state in ("done", "warning", "skipped") else None,
            "due_at": self._now + timedelta(minutes=5) if state in ("pending", "running", "waiting") else None,
            "tries": 2 if state in ("failed", "waiting") else 1,
            "claim_no": 0 if state == "pending" else 2 if state in ("failed", "waiting") else 1,
        }

    def _history(self, record: int, stage: str, state: str, code: str | None, reason: Any, at: datetime) -> None:
        path = {"pending": ["pending"], "running": ["pending", "running"]}.get(state, ["pending", "running", state])
        if state == "failed":
            path = ["pending", "running", "failed", "pending", "running", "failed"]
        before = None
        for seq, to in enumerate(path, 1):
            final = to == state and to not in ("pending", "running")
            self._conn.execute(
                "INSERT INTO transitions(record_id, seq, at, stage, from_state, to_state, claim_no, code, reason,"
                " actor) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (record, seq, at - timedelta(seconds=3 * (len(path) - seq)), stage, before, to, (seq + 2) // 3,
                 code if final else None, Jsonb(reason) if final and reason else None,
                 "Mara Kern" if (seq, state) == (4, "failed") else None),
            )  # fmt: skip
            if before == "running":
                self._conn.execute(
                    "INSERT INTO attempts(record_id, claim_no, stage, started_at, ended_at, outcome, code, called)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                    (record, seq // 3, stage, at - timedelta(seconds=2), at, to, code, state != "failed"),
                )
            before = to
        self._conn.execute("UPDATE records SET seq = %s WHERE id = %s", (len(path), record))

    def _export(self, key: str, number: str, at: datetime) -> None:
        odd = self._stored % 250 == 0
        state = "failed" if odd else "done"
        reason = [{"code": "carrier-unknown", "field": "", "values": {"carrier": "Fahrradkurier", "system": "OTTO"}}]
        export = store_export(
            self._conn, key, event=changed_event(key, erp_number=number), state=state, marketplace_id=None,
            code="carrier-unknown" if odd else None, reason=reason if odd else None, updated_at=at,
            received_at=at, input_at=at, parts={"status": "done", "tracking": state},
        )  # fmt: skip
        self.ids.setdefault(f"export-{state}", str(export))
        if not odd:
            store_shipment(self._conn, export, "1", f"0034{number}{self._stored:08d}", state="confirmed")
        self._history(export, "marketplace", state, "carrier-unknown" if odd else None, reason if odd else None, at)
        self._booked(export, key, "order-changed", at)

    def articles(self) -> None:
        """A parent with variants, articles that agree, differ, failed, and one that nobody ever synced."""
        parent = store_article(self._conn, "TSH-0815", kind="parent", name="T-Shirt Classic", marketplace_id=None)
        self.ids["article-parent"] = str(parent)
        for size in ("S", "M", "L", "XL"):
            store_article(
                self._conn, f"TSH-0815/{size}", kind="variant", parent_sku="TSH-0815",
                name=f"T-Shirt Classic {size}", quantity=12, sent=12, shown=12 if size != "L" else 9,
            )  # fmt: skip
        for place, (sku, title, _price) in enumerate(ARTICLES):
            failed, at = place == 3, self._now - timedelta(minutes=20)
            reason = [{"code": "sku-not-listed", "field": "", "values": {"sku": sku, "system": "OTTO"}}]
            more = {"state": "failed", "code": "sku-not-listed", "reason": reason} if failed else {}
            told = None if place in (3, 5) else 7 * place
            article = store_article(
                self._conn, sku, name=title, quantity=None if place == 5 else 7 * place, sent=told, shown=told,
                received_at=at, input_at=at, updated_at=at, **more,
            )  # fmt: skip
            self.ids.setdefault("article-failed" if failed else "article", str(article))
            self._booked(article, sku, "stock-changed", at)
            self._count()

    def rejections(self) -> None:
        """Three inputs that were refused, one of them unreadable."""
        bodies = (
            (b'{"specversion":"1.0","id":"5f0c', "?", (Problem("not-json"),)),
            (b'{"specversion":"1.0","data":{"interface":"otto-de","order":{"currency":"EURO","lines":[]}}}', SLUG, (
                Problem("field-invalid", "data.order.currency", {"message": "EURO"}),
                Problem("field-invalid", "data.order.number", {"message": "-"}),
            )),
            (b'{"specversion":"1.0","data":{"interface":"otto-fr"}}', "?",
             (Problem("interface-unknown", "data.interface", {"interface": "otto-fr"}),)),
        )  # fmt: skip
        for body, interface, problems in bodies:
            rejection, _ = refuse(self._conn, _refusal(body, interface, problems))
            self.ids["rejection"] = str(rejection)
            self._conn.execute(
                "INSERT INTO arrivals(event, interface, inputs) VALUES ('order-imported', %s, 1)", (interface,)
            )

    def people(self) -> None:
        """What shop staff did today: a receipt, an errand, lines of the audit."""
        receipt = request(self._conn, "import", SLUG, ["wsbk9zzzzz", "4711,,", "wsbk9yyyyy"], "Mara Kern")
        self.ids["receipt"] = str(receipt)
        self.ids["errand"] = str(ask_errand(self._conn, "drift", SLUG, "Mara Kern"))
        taken = take_errand(self._conn, 60)
        if taken is not None:
            finish_errand(self._conn, taken, {"articles": 12})
        self.ids["group"] = str(self._one("SELECT cause FROM troubles WHERE code = 'payment-unmapped' LIMIT 1"))
        self._alarm()
        self._looked_up()
        chosen = self._conn.execute("SELECT id FROM records WHERE state = 'failed' ORDER BY id DESC LIMIT 3").fetchall()
        slowly = How(per_minute=60, undo_seconds=60)
        run = start(self._conn, "order-import", "retry", "Mara Kern", ids=[row[0] for row in chosen], how=slowly)
        self.ids["bulk"] = str(run["id"])
        self.ids["user"] = str(add_user(self._conn, "Mara Kern", PASSWORD, "operator", language="de"))
        add_user(self._conn, "Jana Vogt", PASSWORD, "admin", time_zone="Europe/Berlin")
        add_user(self._conn, "Tim Brandt", PASSWORD, "viewer")
        create_token(self._conn, "shop-events", "publisher", [SLUG])
        again = {"filter": "error:payment-unmapped", "count": 31}
        audit(self._conn, "Mara Kern", "orders.retry", again, "Zuordnung ergänzt")
        audit(self._conn, "Jana Vogt", "interfaces.mode", {"interface": "otto-outlet", "mode": "paused"}, "Inventur")

    def _alarm(self) -> None:
        alarm = Alarm(name="Team Fulfillment", interfaces=(SLUG,), recipients=("team@example.net",))
        self.ids["alarm"] = str(add(self._conn, alarm, "Mara Kern", "Europe/Berlin", verified=True))
        recipient = int(self._one("SELECT id FROM recipients LIMIT 1"))
        for deed in LASTS_DAYS:
            self.ids[f"link-{deed}"] = LINKS.sign(deed, recipient, self._now)
        self.ids["incident"] = str(
            self._one(
                "INSERT INTO incidents(interface, flow, code, key, severity, since, records)"
                " VALUES (%s, 'order-import', 'payment-unmapped', 'payment:PAYPAL', 'error', %s, 31) RETURNING id",
                SLUG, self._now - timedelta(hours=2),
            )
        )  # fmt: skip

    def _looked_up(self) -> None:
        """A person was found, in an order that is over and one that is not."""
        who, places = subject(email="erika.muster@example.org"), {"orders": 3, "views": 1}
        self.ids["deed"] = str(
            self._one(
                "INSERT INTO privacy_deeds(kind, subject, reason, created_by, state, phase, counts, finished_at)"
                " VALUES ('find', %s, 'Ticket 812', 'Jana Vogt', 'done', 'over', %s, now()) RETURNING id",
                Jsonb(who.as_json()), Jsonb(places),
            )
        )  # fmt: skip
        for state in ("done", "failed"):
            record = self._one("SELECT id FROM records WHERE flow = 'order-import' AND state = %s LIMIT 1", state)
            self._conn.execute(
                "INSERT INTO privacy_found(deed, place, ref) VALUES (%s, 'orders', %s)",
                (self.ids["deed"], Jsonb(record)),
            )
        self._conn.execute(
            "INSERT INTO privacy_holds(interface, key, reason, held_by) VALUES (%s, %s, 'Az. 12/26', 'Jana Vogt')",
            (SLUG, self._one("SELECT key FROM records WHERE state = 'done' LIMIT 1")),
        )

    def _one(self, statement: str, *values: Any) -> Any:
        row = self._conn.execute(statement.encode(), values or None).fetchone()
        assert row is not None
        return row[0]

    def _booked(self, record: int, key: str, event: str, at: datetime) -> None:
        hash_ = uuid.UUID(int=self._chance.getrandbits(128))
        self._conn.execute(
            "INSERT INTO events(hash, source, id, event, interface, key, data_hash, outcome, record_id, received_at)"
            " VALUES (%s, '/seed', %s, %s, %s, %s, %s, 'applied', %s, %s)",
            (hash_, f"{event}-{key}", event, SLUG, key, hash_, record, at),
        )
        self._conn.execute(
            "INSERT INTO arrivals(event, interface, inputs, received_at) VALUES (%s, %s, 1, %s)", (event, SLUG, at)
        )

    def _count(self) -> None:
        self._stored += 1
        if self._stored % 25 == 0:
            self._say(self._stored)


def _refusal(body: bytes, interface: str, problems: tuple[Problem, ...]) -> Refusal:
    return Refusal(
        "order-imported", "queue", "order-imported", interface, None, None, body, "application/json",
        "order-imported.v1.otto-de", problems,
    )  # fmt: skip
