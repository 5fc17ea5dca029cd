"""A word that must be nowhere: orders that carry it in every text of the contract, and a search in whatever form it may
lie: as it is, as the hexadecimal of a dump, in base64, folded for the search, or packed."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from services.cli.local.postgres import find_programs
from shared.db.connect import connect
from shared.events.field_types import Text
from shared.events.orders import Order, OrderChanged, Part
from shared.records.exchanges import unpack

CANARY = "kanari7vogel"
EMAIL = f"{CANARY}@example.org"
NAME = f"Erika {CANARY}"
_KEPT = {"marketplace_ids", "carrier", "return_carrier", "method"}
"""Texts of the contract that stay: words of the marketplace that mappings and later events go by."""


_PARTITION = re.compile(r"_[0-9]{4}_[0-9]{2}(_[0-9]{2})?$")


def order_with_canaries(number: str) -> dict[str, Any]:
    """An `order-imported` event: whatever is a text holds the canary, so does what nobody knows."""
    order = {
        "number": number, "marketplace_id": f"m-{number}", "status": "open", "version": 1,
        "ordered_at": "2026-11-23T09:58:00Z", "currency": "EUR", "total": "44.88", "ship_by": "2027-11-23T09:58:00Z",
        **_texts(Order),
    }  # fmt: skip
    order["customer"] |= {"email": EMAIL, "first_name": "Erika", "last_name": CANARY}
    for place in ("billing_address", "shipping_address"):
        order[place] |= {"name": NAME, "zip_code": f"{CANARY[:4]}22179", "country": "DE"}
    order["lines"] = [order["lines"][0] | {"id": "1", "sku": "ABC-1", "quantity": 2, "unit_price": "19.99",
                                           "tax_rate": "19.0"}]  # fmt: skip
    order["shipping"] |= {"method": "DELIVERY_FEE_STANDARD", "price": "4.90", "tax_rate": "19.0"}
    order["payment"] |= {"method": "INVOICE_SINGLE"}
    order["discounts"] = []
    order["gift_note"] = f"for {CANARY}, with love"
    return {
        "specversion": "1.0", "id": f"{CANARY}-{number}", "source": "/tests", "subject": f"orders/{CANARY}",
        "type": "order-imported.v1", "time": "2026-11-23T10:00:00Z", "extension": CANARY,
        "data": {"interface": "otto-de", "order": order},
    }  # fmt: skip


def change_with_canaries(number: str) -> dict[str, Any]:
    """An `order-changed` event: a parcel whose number and address lead to the person."""
    data: dict[str, Any] = {"interface": "otto-de", "order_number": number, "erp_number": "77", "status": "shipped",
                            **_texts(OrderChanged)}  # fmt: skip
    data["shipments"] = [
        data["shipments"][0] | {"id": "s-1", "carrier": "DHL", "lines": [{"sku": "ABC-1", "quantity": 2}]}
    ]
    return {
        "specversion": "1.0", "id": f"{CANARY}-changed-{number}", "source": "/tests", "type": "order-changed.v1",
        "time": "2026-11-23T11:00:00Z", "data": data,
    }  # fmt: skip


def _texts(model: type[Part]) -> dict[str, Any]:
    """Every free text of a model with the canary in it, however deep; the rest is left out."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            many = "tuple" in str(field.annotation)
            found[name] = [_texts(inner)] if many else _texts(inner)
        elif _is_text(field) and name not in _KEPT:
            found[name] = f"{CANARY} {name}"
    return found


def _is_text(field: Any) -> bool:
    limits = {getattr(one, "max_length", None) for one in field.metadata}
    nested = [arg for arg in getattr(field.annotation, "__args__", ()) if arg is not type(None)]
    return Text in nested or (field.annotation is str and 10_000 in limits) or field.annotation is Text


def _model_in(annotation: Any) -> type[Part] | None:
    for one in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one  # type: ignore[return-value]
    return None


def forms(word: str = CANARY) -> list[str]:
    """Small letters of each form in which a dump may hold it."""
    raw = word.encode()
    # Wherever it begins within three bytes; the signs that depend on its neighbours are cut off.
    shifted = [base64.b64encode(b"x" * n + raw + b"x" * 3).decode() for n in range(3)]
    inside = [text[4 if n else 0 : (n + len(raw)) // 3 * 4] for n, text in enumerate(shifted)]
    return [word, raw.hex(), *(text.lower() for text in inside)]


def in_dump(database_url: str) -> dict[str, int]:
    """How often the canary is in each table of a whole dump of the database, packed calls among them."""
    dumped = subprocess.run(
        [find_programs() / "pg_dump", "--no-owner", "--dbname", database_url],
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout.decode("utf-8", "replace")
    found: dict[str, int] = {}
    table, wanted = "", forms()
    for line in dumped.splitlines():
        if line.startswith("COPY "):
            table = _PARTITION.sub("", line.split()[1].removeprefix("public."))
        many = sum(line.lower().count(form) for form in wanted)
        if many:
            found[table] = found.get(table, 0) + many
    with connect(database_url, "tests") as conn:
        for (body,) in conn.execute("SELECT body FROM exchanges").fetchall():
            many = json.dumps(unpack(bytes(body))).count(CANARY)
            if many:
                found["exchanges"] = found.get("exchanges", 0) + many
    return found


def in_files(paths: Iterator[Path]) -> dict[str, int]:
    """How often the canary is in each file."""
    found = {path.name: path.read_bytes().decode("utf-8", "replace").lower() for path in paths if path.is_file()}
    counts = {name: sum(text.count(form) for form in forms()) for name, text in found.items()}
    return {name: many for name, many in counts.items() if many}
