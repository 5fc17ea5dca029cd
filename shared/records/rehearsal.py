"""The checklist before going live, each item with its proof: connections, sample orders, mappings, stock, alarm mail.

What a look at both systems has found lies in `rehearsal_proofs` (`runtime.rehearse` looks); what was tried by hand is
read from the records. Nothing here calls a remote system.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from shlex import quote
from typing import Any, Literal

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.catalogue import explain
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.records.rehearsal_words import FIXES, SAYS, TITLES, word

ItemState = Literal["open", "done", "not-needed", "not-available"]
KINDS = ("payment", "shipping", "tax")
MOST_READ = 300
"""Of so many transferred orders, the newest, it is seen which kinds they had."""

FLOWS_OF: Mapping[str, tuple[str, ...]] = {
    "connection": ("order-import", "order-export", "stock"),
    "history": ("order-import",),
    **dict.fromkeys((*KINDS, "mappings"), ("order-import",)),
    "stock-sample": ("stock",),
    "alarm-mail": ("order-import", "order-export", "stock"),
}
"""Which flows an item is about: one that goes live alone needs no more."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist. name: e.g. `payment:PAYPAL`; fix: the next step where it is open, else empty."""

    name: str
    state: ItemState
    title: str
    says: str
    fix: str = ""
    proof: Mapping[str, Any] | None = None

    def concerns(self, flows: Sequence[str]) -> bool:
        """Whether it matters to any of these flows."""
        return bool(set(FLOWS_OF[self.name.partition(":")[0]]) & set(flows))

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "item": self.name, "state": self.state, "title": self.title, "says": self.says, "fix": self.fix or None,
            "proof": self.proof and dict(self.proof),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """What a look found."""

    ok: bool
    at: datetime
    detail: Mapping[str, Any]


def store_proof(conn: Connection, slug: str, item: str, ok: bool, detail: Mapping[str, Any]) -> None:
    """Store what a look found, in place of what the last one did."""
    conn.execute(
        "INSERT INTO rehearsal_proofs(interface, item, ok, detail) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (interface, item) DO UPDATE SET ok = excluded.ok, at = now(), detail = excluded.detail",
        (slug, item, ok, Jsonb(dict(detail))),
    )


def side_mark(conn: Connection, slug: str, side: str) -> str | None:
    """A mark of a side's settings and credentials: a proof holds as long as it is the same."""
    row = conn.execute(
        "SELECT md5(s.settings::text || coalesce(encode(s.sealed, 'hex'), '') || coalesce((SELECT"
        "  string_agg(c.name || encode(c.sealed, 'hex'), ',' ORDER BY c.name) FROM credentials c"
        "  WHERE c.interface = s.interface AND c.side = s.side), ''))"
        " FROM sides s WHERE s.interface = %s AND s.side = %s",
        (slug, side),
    ).fetchone()
    return row[0] if row else None


def kinds_of(order: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The kinds an order has: of payment, of shipping, and its tax rates. Pure."""
    found = {(kind, (order.get(kind) or {}).get("method")) for kind in ("payment", "shipping")}
    taxed = [*(order.get("lines") or ()), order.get("shipping") or {}, *(order.get("discounts") or ())]
    found |= {("tax", rate(part.get("tax_rate"))) for part in taxed if isinstance(part, Mapping)}
    return {(kind, str(value)) for kind, value in found if value not in (None, "")}


def rate(text: object) -> str | None:
    """A tax rate as people write it: 19.0 is 19."""
    try:
        return None if text is None else f"{Decimal(str(text)).normalize():f}"
    except InvalidOperation:
        return str(text)


def checklist(
    conn: Connection, slug: str, language: Language = "en", titles: Mapping[str, str] | None = None
) -> list[Item]:
    """Every item, the open ones with what to do. titles: connector key → what the system is called."""
    proofs = {
        item: Proof(ok, at, detail)
        for item, ok, at, detail in conn.execute(
            "SELECT item, ok, at, detail FROM rehearsal_proofs WHERE interface = %s", (slug,)
        ).fetchall()
    }
    items = [
        _connection(conn, slug, side, proofs.get(f"connection:{side}"), language, titles or {})
        for side in ("marketplace", "erp")
    ]
    items += _history(slug, proofs.get("history"), language)
    if (history := proofs.get("history")) is not None and history.ok:
        items += _samples(conn, slug, history, language)
        items.append(_mappings(conn, slug, history, language))
    items.append(_stock(conn, slug, proofs.get("stock-sample"), language))
    items.append(_alarm(conn, slug, proofs.get("alarm-mail"), language))
    return items


def still_open(items: Sequence[Item], flows: Sequence[str]) -> list[Item]:
    """What keeps these flows from going live."""
    return [item for item in items if item.state == "open" and item.concerns(flows)]


def _connection(
    conn: Connection, slug: str, side: str, proof: Proof | None, language: Language, titles: Mapping[str, str]
) -> Item:
    row = conn.execute(f"SELECT {side} FROM interfaces WHERE slug = %s", (slug,)).fetchone()  # noqa: S608 - one of two
    key = row[0] if row else side
    system = str(proof.detail["system"]) if proof else titles.get(key, key.title())
    name, title = f"connection:{side}", word(TITLES, "connection", language, system=system)
    look = word(FIXES, "look", language, slug=slug)
    if proof is None:
        return Item(name, "open", title, word(SAYS, "not-tested", language), look)
    shown = {"at": proof.at, "code": proof.detail.get("code")}
    if proof.ok and proof.detail.get("mark") == side_mark(conn, slug, side):
        return Item(name, "done", title, word(SAYS, "answered", language), proof=shown)
    if proof.ok:
        return Item(name, "open", title, word(SAYS, "changed", language), look, shown)
    said = explain(Problem(str(proof.detail["code"]), values={"system": system, "detail": ""}), language)
    return Item(name, "open", title, said.title, " ".join((*said.steps, look)), shown)


def _history(slug: str, proof: Proof | None, language: Language) -> list[Item]:
    title, look = word(TITLES, "history", language), word(FIXES, "look", language, slug=slug)
    if proof is None:
        return [Item("history", "open", title, word(SAYS, "not-read", language), look)]
    if not proof.ok:
        says = word(SAYS, "refused", language, code=proof.detail.get("code"))
        return [Item("history", "open", title, says, look, {"at": proof.at, "code": proof.detail.get("code")})]
    since, orders = str(proof.detail["since"])[:10], proof.detail["orders"]
    name = "none" if not orders else "read" if proof.detail["complete"] else "read-some"
    says = word(SAYS, name, language, orders=orders, since=since)
    shown = {"at": proof.at, "orders": orders, "since": proof.detail["since"], "complete": proof.detail["complete"]}
    return [Item("history", "done" if orders else "not-needed", title, says, proof=shown)]


def _samples(conn: Connection, slug: str, history: Proof, language: Language) -> Iterator[Item]:
    """One item for each kind that the shop's orders have."""
    proved = _proved(conn, slug)
    for kind in KINDS:
        for value, seen in sorted(history.detail["kinds"].get(kind, {}).items()):
            name, title = f"{kind}:{value}", word(TITLES, kind, language, value=value)
            record = proved.get((kind, value))
            if record is not None:
                says = word(SAYS, "proved", language, number=record[1])
                yield Item(name, "done", title, says, proof={"record": record[0], "number": record[1]})
            else:
                says = word(SAYS, "unproved", language, count=seen["count"], example=seen["example"])
                fix = word(FIXES, "import", language, slug=slug, example=quote(seen["example"]))
                yield Item(name, "open", title, says, fix)


def _proved(conn: Connection, slug: str) -> dict[tuple[str, str], tuple[int, str]]:
    """By kind, an order that has arrived in the ERP: (record id, number)."""
    rows = conn.execute(
        "SELECT r.id, r.key, p.body FROM records r JOIN payloads p ON p.record_id = r.id AND p.no = r.payload_no"
        " WHERE r.interface = %s AND r.flow = 'order-import' AND r.state IN ('done', 'warning')"
        " ORDER BY r.id DESC LIMIT %s",
        (slug, MOST_READ),
        binary=True,
    ).fetchall()
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for record_id, number, body in rows:
        order = json.loads(bytes(body)).get("data", {}).get("order") or {}
        for kind in kinds_of(order):
            found.setdefault(kind, (record_id, number))
    return found


def _mappings(conn: Connection, slug: str, history: Proof, language: Language) -> Item:
    """What the orders that were read lacked then, less what was mapped since."""
    there = set(
        conn.execute("SELECT kind, source FROM mappings WHERE interface = %s AND target <> ''", (slug,)).fetchall()
    )
    there |= {(kind, rate(source)) for kind, source in there if kind == "tax"}
    gaps = [
        (kind, source)
        for kind, _, source in (key.partition(":") for key in sorted(history.detail["gaps"]))
        if (kind, source) not in there and (kind, rate(source)) not in there
    ]
    title = word(TITLES, "mappings", language)
    missing = [f"{kind}:{source}" for kind, source in gaps]
    shown = {"at": history.at, "missing": missing}
    if not gaps:
        return Item("mappings", "done", title, word(SAYS, "mapped", language), proof=shown)
    says = word(SAYS, "gaps", language, gaps=", ".join(missing))
    commands = "; ".join(f"connect interfaces map {slug} {kind} {quote(source)} …" for kind, source in gaps)
    return Item("mappings", "open", title, says, word(FIXES, "map", language, commands=commands), shown)


def _stock(conn: Connection, slug: str, proof: Proof | None, language: Language) -> Item:
    title, look = word(TITLES, "stock-sample", language), word(FIXES, "look", language, slug=slug)
    row = conn.execute(
        "SELECT id, key FROM records WHERE interface = %s AND flow = 'stock' AND state IN ('done', 'warning')"
        " ORDER BY id DESC LIMIT 1",
        (slug,),
    ).fetchone()
    if proof is not None and proof.ok and proof.detail.get("none"):
        return Item("stock-sample", "not-needed", title, word(SAYS, "no-stock", language), proof={"at": proof.at})
    shown = None if proof is None else {"at": proof.at, **proof.detail}
    if proof is not None and proof.ok:
        says = word(SAYS, "compared", language, **proof.detail)
        return Item("stock-sample", "done", title, says, proof=shown)
    if row is not None:
        says = word(SAYS, "sent-by-hand", language, sku=row[1])
        return Item("stock-sample", "done", title, says, proof={"record": row[0], "number": row[1]})
    fix = f"{look} · {word(FIXES, 'sync', language, slug=slug)}"
    if proof is None:
        return Item("stock-sample", "open", title, word(SAYS, "not-read", language), fix)
    code = proof.detail.get("code")
    says = word(SAYS, "refused", language, code=code) if code else word(SAYS, "nothing-read", language)
    return Item("stock-sample", "open", title, says, fix, shown)


def _alarm(conn: Connection, slug: str, proof: Proof | None, language: Language) -> Item:
    """A mail of an alarm that watches this interface was taken by the mail server. Without an alarm it does not block:
    who wants none shall not be kept from going live."""
    title = word(TITLES, "alarm-mail", language)
    row = conn.execute(
        "SELECT count(DISTINCT s.id), max(m.sent_at) FROM subscriptions s"
        " LEFT JOIN recipients r ON r.subscription = s.id AND r.stopped_at IS NULL"
        " LEFT JOIN mails m ON m.recipient = r.id AND m.state = 'sent' AND m.kind <> 'confirm'"
        " WHERE s.active AND (s.interfaces = '{}' OR %s = ANY(s.interfaces))",
        (slug,),
    ).fetchone()
    alarms, sent_at = row if row else (0, None)
    at = sent_at or (proof.at if proof is not None and proof.ok else None)
    if at is not None:
        return Item("alarm-mail", "done", title, word(SAYS, "mailed", language), proof={"at": at})
    if not alarms:
        return Item("alarm-mail", "not-available", title, word(SAYS, "no-alarms", language, slug=slug))
    return Item("alarm-mail", "open", title, word(SAYS, "not-mailed", language), word(FIXES, "mail", language))
