"""A list as a sheet: its columns, and what stands in a cell. Written as CSV by `sheet_csv`, as XLSX by `sheet_xlsx`.

For people (a language is given) heads and states are words and times are those of a clock; for programs (none) heads
are the names of the API, states its slugs, and times RFC 3339 UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from shared.errors.entry import Language
from shared.records.resources import Resource
from shared.records.wording import state_word

Kind = Literal["text", "time", "amount", "count", "state"]
Cell = str | datetime | Decimal | int | None

AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
STARTS = "=+-@\t\r\n＝＋－＠"
"""What a spreadsheet may take for the start of a formula. Blanks in front do not hide it from every program."""


@dataclass(frozen=True, slots=True)
class Column:
    """name: in the API; de, en: for people; kind: how its cells are written; of: where it stands in an item."""

    name: str
    de: str
    en: str
    kind: Kind = "text"
    of: Callable[[Mapping[str, Any]], Any] | None = None

    def head(self, language: Language | None) -> str:
        """Its head."""
        return self.name if language is None else self.de if language == "de" else self.en


@dataclass(frozen=True, slots=True)
class Sheet:
    """A resource's columns as one reader wants them; zone: of times, where a language is given."""

    resource: Resource
    language: Language | None
    zone: ZoneInfo

    @property
    def columns(self) -> tuple[Column, ...]:
        """From left to right."""
        return COLUMNS[self.resource.name]

    @property
    def heads(self) -> list[str]:
        """The first row; times say by which clock."""
        return [
            f"{column.head(self.language)} ({self.zone.key})"
            if column.kind == "time" and self.language
            else column.head(self.language)
            for column in self.columns
        ]

    def row(self, item: Mapping[str, Any]) -> Iterator[Cell]:
        """The cells of an item of `listing.stream`."""
        for column in self.columns:
            value = column.of(item) if column.of else item[column.name]
            yield self._cell(column.kind, value)

    def name(self, ending: str, now: datetime) -> str:
        """What the file is called, e.g. `orders-2026-11-26.csv`."""
        return f"{self.resource.name}-{now.astimezone(self.zone):%Y-%m-%d}.{ending}"

    def _cell(self, kind: Kind, value: Any) -> Cell:
        if value is None or value == "":
            return None
        if kind == "time":
            return value.astimezone(self.zone if self.language else UTC) if isinstance(value, datetime) else str(value)
        if kind == "amount":
            return Decimal(value) if AMOUNT.fullmatch(str(value)) else str(value)
        if kind == "count":
            return int(value)
        if kind == "state" and self.language:
            return state_word(str(value), self.language)
        return str(value)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run it."""
    return text.lstrip(" \u00a0\u200b\ufeff")[:1] in STARTS and text.strip() != ""


def _reason(item: Mapping[str, Any]) -> str | None:
    return item["reason"]["sentence"] if item["reason"] else None


def _tracking(item: Mapping[str, Any]) -> str:
    return ", ".join(item["tracking_numbers"])


_FIRST = (Column("id", "ID", "ID", "count"), Column("interface", "Schnittstelle", "Interface"))
_STATE = (
    Column("stage", "Stufe", "Stage"),
    Column("state", "Status", "Status", "state"),
    Column("reason", "Grund", "Reason", of=_reason),
    Column("code", "Ursache", "Cause"),
)
_TIMES = (
    Column("updated_at", "Letzter Lauf", "Last run", "time"),
    Column("received_at", "Empfangen", "Received", "time"),
)
_ORDERED = (
    Column("ordered_at", "Bestelldatum", "Order date", "time"),
    Column("ship_by", "Versand bis", "Ship by", "time"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "orders": (
        *_FIRST,
        Column("key", "Auftragsnummer", "Order number"),
        Column("marketplace_id", "Marktplatz-ID", "Marketplace ID"),
        *_STATE,
        *_ORDERED,
        Column("total", "Betrag", "Amount", "amount"),
        Column("currency", "Währung", "Currency"),
        *_TIMES,
        Column("erp_number", "ERP-Nummer", "ERP number"),
        Column("customer", "Kunde", "Customer"),
    ),
    "exports": (
        *_FIRST,
        Column("key", "Auftragsnummer", "Order number"),
        Column("marketplace_id", "Marktplatz-ID", "Marketplace ID"),
        *_STATE,
        Column("status", "Auftragsstatus", "Order status", "state", lambda item: item["parts"]["status"]["state"]),
        Column("tracking", "Tracking", "Tracking", "state", lambda item: item["parts"]["tracking"]["state"]),
        Column("tracking_numbers", "Sendungsnummern", "Tracking numbers", of=_tracking),
        *_ORDERED,
        *_TIMES,
        Column("erp_number", "ERP-Nummer", "ERP number"),
    ),
    "articles": (
        *_FIRST,
        Column("key", "Artikelnummer", "SKU"),
        Column("name", "Name", "Name"),
        Column("type", "Typ", "Type"),
        Column("parent_sku", "Hauptartikel", "Parent SKU"),
        *_STATE,
        Column("erp_quantity", "Bestand ERP", "Quantity ERP", "count"),
        Column("sent", "Angenommen", "Accepted", "count"),
        Column("shown", "Angezeigt", "Shown", "count"),
        *_TIMES,
    ),
}
