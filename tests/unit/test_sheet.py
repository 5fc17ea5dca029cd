"""A list as CSV and XLSX: nothing that came from outside is a formula, types are right, memory is not needed."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.records.resources import ORDERS
from shared.records.sheet import Sheet, is_formula
from shared.records.sheet_csv import csv_lines
from shared.records.sheet_xlsx import SheetTooLong, write_xlsx

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
EVIL = ("=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "  =1", "＝1", '=HYPERLINK("http://x")')


def _order(**given: Any) -> dict[str, Any]:
    return {
        "id": 7, "interface": "otto-de", "key": "4711", "marketplace_id": None, "stage": "erp", "state": "failed",
        "reason": {"sentence": "Zahlungsart „PAYPAL“"}, "code": "payment-unmapped", "ordered_at": AT, "ship_by": None,
        "total": "39.88", "currency": "EUR", "updated_at": AT, "received_at": AT, "erp_number": None,
        "customer": "Erika", **given,
    }  # fmt: skip


def _csv(sheet: Sheet, *items: dict[str, Any]) -> list[dict[str, str]]:
    text = b"".join(csv_lines(sheet, items)).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline=""), delimiter=";" if sheet.language == "de" else ","))


def test_programs_get_names_of_the_api_and_people_get_words_of_their_clock() -> None:
    (row,) = _csv(Sheet(ORDERS, None, BERLIN), _order())
    assert (row["id"], row["key"], row["state"], row["total"]) == ("7", "4711", "failed", "39.88")
    assert row["ordered_at"] == "2026-11-23T22:30:00Z"
    (row,) = _csv(Sheet(ORDERS, "de", BERLIN), _order())
    assert (row["Status"], row["Betrag"]) == ("Fehlerhaft", "39,88")
    assert row["Bestelldatum (Europe/Berlin)"] == "2026-11-23 23:30:00"
    assert Sheet(ORDERS, "de", BERLIN).name("csv", AT) == "orders-2026-11-23.csv"


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_is_a_formula(evil: str) -> None:
    item = _order(key=evil, customer=evil, total=evil, reason={"sentence": evil})
    (row,) = _csv(Sheet(ORDERS, None, BERLIN), item)
    for name in ("key", "customer", "total", "reason"):
        assert row[name] == f"'{evil}"
    file = io.BytesIO()
    assert write_xlsx(file, Sheet(ORDERS, "en", BERLIN), [item]) == 1
    page = zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in page
    assert "hyperlink" not in page
    assert not is_formula("4711-A")


def test_a_workbook_has_dates_and_numbers_and_stops_at_its_deadline() -> None:
    file = io.BytesIO()
    write_xlsx(file, Sheet(ORDERS, "en", BERLIN), [_order(customer="x" * 40_000)])
    page = zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml").decode()
    assert re.search(r"<v>46349\.97916\d+</v>", page)  # 2026-11-23 23:30 as a spreadsheet counts days
    assert "<v>39.88</v>" in page
    assert "x" * 32_766 + "…" in page
    assert "x" * 32_767 not in page
    with pytest.raises(SheetTooLong):
        write_xlsx(io.BytesIO(), Sheet(ORDERS, "en", BERLIN), [_order()], at_most=-1)
