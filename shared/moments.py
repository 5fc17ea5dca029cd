"""Times, amounts and spans as people read them, German or English. Pure; used by the templates."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from shared.errors.entry import Language

SIGNS = {"EUR": "€", "GBP": "£", "USD": "$"}
UNITS: tuple[tuple[int, str, str], ...] = ((86_400, "d", "Tg"), (3_600, "h", "Std"), (60, "min", "Min"), (1, "s", "s"))


def day(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """ "23.11.2026" or "2026-11-23"."""
    return at.astimezone(zone).strftime("%d.%m.%Y" if language == "de" else "%Y-%m-%d")


def utc_day(of: date | str, language: Language) -> str:
    """The same of a day that is no moment, e.g. one of the books."""
    found = date.fromisoformat(of) if isinstance(of, str) else of
    return found.strftime("%d.%m.%Y" if language == "de" else "%Y-%m-%d")


def clock(at: datetime, zone: ZoneInfo, seconds: bool = False) -> str:
    """ "10:38" or "10:38:12"."""
    return at.astimezone(zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def span(seconds: float) -> tuple[int, int]:
    """The largest unit that fits, as (how many, index into UNITS)."""
    whole = max(0, int(seconds))
    for index, (size, _, _) in enumerate(UNITS):
        if whole >= size:
            return whole // size, index
    return 0, len(UNITS) - 1


def relative(at: datetime, now: datetime, language: Language) -> str:
    """ "vor 4 Min", "in 10 s"; "4 min ago", "in 10 s"."""
    seconds = (now - at).total_seconds()
    count, index = span(abs(seconds))
    unit = UNITS[index][2 if language == "de" else 1]
    if seconds < 0:
        return f"in {count} {unit}"
    return f"vor {count} {unit}" if language == "de" else f"{count} {unit} ago"


def lasting(since: datetime, now: datetime, language: Language) -> str:
    """ "seit 4 Min"; "for 4 min"."""
    count, index = span((now - since).total_seconds())
    return f"seit {count} {UNITS[index][2]}" if language == "de" else f"for {count} {UNITS[index][1]}"


def length(seconds: float, language: Language) -> str:
    """ "4 Min"; "4 min"."""
    count, index = span(seconds)
    return f"{count} {UNITS[index][2 if language == 'de' else 1]}"


def short(at: datetime, now: datetime, zone: ZoneInfo, language: Language) -> str:
    """ "10:38" of today, else "23.11. 10:38" or "11-23 10:38"."""
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return clock(at, zone)
    return f"{local.strftime('%d.%m.' if language == 'de' else '%m-%d')} {clock(at, zone)}"


def seconds(value: float, language: Language) -> str:
    """ "0,43 s" or "0.43 s"."""
    text = f"{value:.2f} s"
    return text.replace(".", ",") if language == "de" else text


def number(value: int, language: Language) -> str:
    """ "1.234" or "1,234"."""
    text = f"{value:,}"
    return text.replace(",", ".") if language == "de" else text


def size(count: int, language: Language) -> str:
    """Bytes: "3,4 GB" or "3.4 GB"."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    text = f"{value:.0f}" if unit == "B" or value >= 100 else f"{value:.1f}"
    return f"{text.replace('.', ',') if language == 'de' else text} {unit}"


def percent(rate: str | None, language: Language) -> str:
    """ "19 %" or "19%"; what is not a number is shown as it is."""
    if rate is None:
        return ""
    try:
        text = f"{Decimal(rate).normalize():f}"
    except (InvalidOperation, ValueError):
        return rate
    return f"{text.replace('.', ',')} %" if language == "de" else f"{text}%"


def money(amount: str | None, currency: str | None, language: Language) -> str:
    """ "1.149,00 €" or "€1,149.00"; what is not a number is shown as it is."""
    if amount is None:
        return ""
    try:
        text = f"{Decimal(amount):,.2f}"
    except (InvalidOperation, ValueError):
        return amount
    sign = SIGNS.get(currency or "", currency or "")
    if language == "de":
        return f"{text.translate(str.maketrans(',.', '.,'))} {sign}".strip()
    return f"{sign}{text}" if sign in SIGNS.values() else f"{text} {sign}".strip()
