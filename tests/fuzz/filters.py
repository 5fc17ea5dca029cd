"""Any text is a filter or a named mistake; a filter's canonical spelling is the same filter, and becomes sound SQL."""

from __future__ import annotations

from random import Random
from zoneinfo import ZoneInfo

from shared.records.filter import CHOICES, DATES, WORDS, Filter, FilterError, parse
from shared.records.filter_sql import Told, searched_words, to_sql
from tests.fuzz.mutate import TEXTS
from tests.fuzz.target import Target, now_and_then, require, storable

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia")
FLOWS = (None, "order-import", "order-export", "stock")
OPERATORS = (":", "=", ">=", "<=", ">", "<")
GROUPS = ("payment-unmapped", "payment-unmapped-1f0a93bc", "ValueError-0123abcd")
DAYS = (
    "2026-11-01", "01.11.2026", "2026-11-01T10:30", "2026-10-25T02:30", "2026-03-29 02:30", "2026-11-01T10:30:05.5Z",
    "2026-11-01T10:30+05:45", "1900-01-01", "2900-12-31", "2011-12-30", "31.12.2900 23:59",
)  # fmt: skip
VALUES = (
    "4711", "otto-de", "Erika Muster", "sku-unknown", *GROUPS, *DAYS[:3], "Müller-STRASSE/1a", "a%b_c", r"a\b", 'a"b',
    "%s", "{}", "Zahlungsart", "e",
)  # fmt: skip
SIGNS = ('"', "|", "-", " ", ":", "\\", ">=", "=", "\t", "\u00a0", "\u3000", "\0", "\ud800", "(", "%", "'", ";")


def draw(chance: Random) -> bytes:
    """The zone's number, and some terms, now and then with a sign that does not belong there."""
    zone = chance.randrange(len(ZONES))
    text = " ".join(_term(chance) for _ in range(chance.choice((0, 1, 1, 2, 3, 8))))
    for _ in range(int(chance.expovariate(1.2)) if chance.random() < 0.4 else 0):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(SIGNS) + text[at + chance.choice((0, 0, 1)) :]
    return f"{zone}\n{text}".encode("utf-8", "surrogatepass")


def _term(chance: Random) -> str:
    return "-" * (chance.random() < 0.2) + "|".join(_atom(chance) for _ in range(chance.choice((1, 1, 1, 2, 4))))


def _atom(chance: Random) -> str:
    word = chance.choice((*WORDS, "", "", "")) if chance.random() < 0.97 else chance.choice(("stat", "Ünbekannt", "x"))
    if chance.random() < 0.2:
        word = word.upper()
    if not word:
        return _value(chance)
    sound = chance.random() < 0.95
    operators = OPERATORS if word.lower() in DATES or not sound else OPERATORS[:2]
    return word + chance.choice(operators) + (_of(word.lower(), chance) if sound else _value(chance))


def _of(word: str, chance: Random) -> str:
    if word in CHOICES:
        return chance.choice(CHOICES[word])
    if word in DATES:
        return _quoted(chance.choice(DAYS), chance)
    return {"interface": "otto-de", "error": "payment-unmapped", "group": chance.choice(GROUPS)}.get(word) or _value(
        chance
    )


def _value(chance: Random) -> str:
    return _quoted(chance.choice(VALUES if chance.random() < 0.9 else TEXTS), chance)


def _quoted(value: str, chance: Random) -> str:
    if chance.random() < 0.3 or (" " in value and chance.random() < 0.9):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value


def read(given: bytes) -> Filter | None:
    """The filter that an input says, None where it is none."""
    number, _, text = given.decode("utf-8", "surrogatepass").partition("\n")
    try:
        return parse(text, ZoneInfo(ZONES[int(number) % len(ZONES)]))
    except FilterError as error:
        storable([error.message, error.suggestion], "the mistake")
        require(error.message, "a mistake without a word")
        return None


def check(given: bytes) -> str:
    """Read it, spell it, read it again; and make SQL of it for everybody who asks."""
    found = read(given)
    if found is None:
        return "no filter"
    again = parse(found.text, found.zone)
    require(again == found, f"{found.text!r} is another filter")
    require(again.text == found.text, "its spelling is not canonical")
    for sql, values in statements(found) if now_and_then(given) else [to_sql(found)]:
        require(sql.count("%s") == len(values), f"{sql.count('%s')} places for {len(values)} values: {sql}")
        require(sql.replace("%s", "").count("%") == 0, f"a stray % in {sql}")
        storable([value for value in values if isinstance(value, str | list)], "a value")
    return f"filter of {len(found.terms)}"


def statements(found: Filter) -> list[tuple[str, list[object]]]:
    """The conditions that lists, runs and alarms ask for."""
    asked = [to_sql(found, one_by_one=alone, flow=flow) for alone in (True, False) for flow in FLOWS[:: 1 + 2 * alone]]
    searches = [term for term in found.terms if searched_words(term)]
    if searches:
        asked.append(to_sql(found, flow="order-import", told=Told(searches, [1, 2])))
    return asked


TARGET = Target("filter", draw, check)
