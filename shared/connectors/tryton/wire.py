"""How Tryton writes in JSON what JSON has no word for: decimals, days, moments. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Wire = dict[str, Any]
PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def decimal(value: Decimal) -> Wire:
    """A `Decimal`; Tryton refuses plain numbers where it keeps money."""
    return {"__class__": "Decimal", "decimal": str(value)}


def day(value: date) -> Wire:
    """A `date`."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


def moment(value: datetime) -> Wire:
    """A `datetime`: Tryton's have no zone and mean UTC."""
    utc = value.astimezone(UTC)
    return {
        "__class__": "datetime",
        **{name: getattr(utc, name) for name in PARTS},
    }


def read_decimal(raw: Any) -> Decimal:
    """A number, however it is written. ValueError where it is none."""
    given = raw.get("decimal") if isinstance(raw, Mapping) else raw
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        raise ValueError(f"{str(given)[:40]!r} is not a number") from None
    if isinstance(given, bool) or not value.is_finite():
        raise ValueError(f"{str(given)[:40]!r} is not a number")
    return value


def read_day(raw: Any) -> datetime | None:
    """The beginning of a day in UTC, None for anything else."""
    if not isinstance(raw, Mapping) or raw.get("__class__") not in ("date", "datetime"):
        return None
    try:
        return datetime(raw["year"], raw["month"], raw["day"], tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def read_moment(raw: Any) -> datetime | None:
    """A moment in UTC, None for anything else."""
    if not isinstance(raw, Mapping) or raw.get("__class__") != "datetime":
        return None
    try:
        return datetime(*(raw.get(name, 0) for name in PARTS)).replace(tzinfo=UTC)  # noqa: DTZ001
    except (TypeError, ValueError, OverflowError):
        return None
