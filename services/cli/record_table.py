"""How a list of orders, exports or articles is shown to people: one table a resource. Called by `records`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from services.cli.printing import Cell, Printer
from services.cli.session import Session
from shared.errors.entry import Language
from shared.records.resources import Resource
from shared.records.wording import state_word

CHUNK = 500
HEADS: dict[str, dict[Language, tuple[str, ...]]] = {
    "orders": {
        "de": (
            "Auftrag",
            "Schnittstelle",
            "Status",
            "Bestellt",
            "Letzter Durchlauf",
            "ERP-Nummer",
            "Summe",
            "Grund",
        ),
        "en": ("order", "interface", "state", "ordered", "last run", "ERP number", "total", "reason"),
    },
    "exports": {
        "de": (
            "Auftrag",
            "Schnittstelle",
            "Zustand",
            "Status",
            "Tracking",
            "Bestellt",
            "Letzter Durchlauf",
            "Sendungen",
            "Grund",
        ),
        "en": ("order", "interface", "state", "status", "tracking", "ordered", "last run", "shipments", "reason"),
    },
    "articles": {
        "de": (
            "Artikel",
            "Schnittstelle",
            "Status",
            "Name",
            "Typ",
            "ERP",
            "Angenommen",
            "Angezeigt",
            "Letzter Durchlauf",
            "Grund",
        ),
        "en": ("SKU", "interface", "state", "name", "type", "ERP", "accepted", "shown", "last run", "reason"),
    },
}
NONE = {
    "orders": {"de": "Kein Auftrag passt.", "en": "No order matches."},
    "exports": {"de": "Kein Auftrag passt.", "en": "No order matches."},
    "articles": {"de": "Kein Artikel passt.", "en": "No article matches."},
}


def print_list(printer: Printer, session: Session, resource: Resource, items: Iterable[dict[str, Any]]) -> None:
    """A table; long lists come in pieces."""
    rest, count = iter(items), 0
    while chunk := list(islice(rest, CHUNK)):
        count += len(chunk)
        printer.table(HEADS[resource.name][session.language], [_ROWS[resource.name](session, item) for item in chunk])
    if not count:
        printer.line(NONE[resource.name][session.language])


def _state(session: Session, state: str, test: bool = False) -> Cell:
    """The word for a state; that of a test says so."""
    return state_word(state, session.language) + (" (Test)" if test else ""), state


def _reason(item: dict[str, Any]) -> str:
    return item["reason"]["sentence"] or "" if item["reason"] else ""


def _of_order(session: Session, item: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        item["key"],
        item["interface"],
        _state(session, item["state"], item["test"]),
        session.moment(item["ordered_at"]),
        session.moment(item["updated_at"]),
        item["erp_number"] or "",
        f"{item['total']} {item['currency']}" if item["total"] else "",
        _reason(item),
    )


def _of_export(session: Session, item: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        item["key"],
        item["interface"],
        _state(session, item["state"], item["test"]),
        *(_state(session, part["state"]) for part in item["parts"].values()),
        session.moment(item["ordered_at"]),
        session.moment(item["updated_at"]),
        ", ".join(item["tracking_numbers"]),
        _reason(item),
    )


def _of_article(session: Session, item: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        item["key"],
        item["interface"],
        _state(session, item["state"], item["test"]),
        item["name"] or "",
        item["type"],
        *("–" if item[name] is None else str(item[name]) for name in ("erp_quantity", "sent", "shown")),
        session.moment(item["updated_at"]),
        _reason(item),
    )


_ROWS: dict[str, Callable[[Session, dict[str, Any]], tuple[Cell, ...]]] = {
    "orders": _of_order,
    "exports": _of_export,
    "articles": _of_article,
}
