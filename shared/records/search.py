"""What a bare word is looked for in, and how texts are made comparable: the same rules in Python and in SQL.

The rules name their characters one by one, so they do not depend on the locale of a database. The SQL of the searched
text stands here alone; `indexer` writes its words down, `indexed` searches by them. Called by `filter`.
"""
# ruff: noqa: S608 - SQL is put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from shared.errors.catalogue import catalogue
from shared.errors.entry import VARIABLE

MARKS = r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
"""Accents, as NFKD leaves them behind their letter."""

BREAKS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02b9-\u02df\u2000-\u206f"
    r"\u20a0-\u20cf\u2190-\u2bff\u3000-\u303f\ufffd]+"
)
"""Punctuation, signs and blanks: what separates words."""

UPPER = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩςАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЂЄЅІЈЉЊЋЏҐЁЇØøĐđŁłĦħŦŧıÐ"
LOWER = "αβγδεζηθικλμνξοπρστυφχψωσабвгдежзийклмнопрстуфхцчшщъыьэюяђєѕіјљњћџґёїooddllhhttið"
"""Letters that have another case, or a stroke that NFKD does not take off."""

SPELT = (("ß", "ss"), ("ẞ", "ss"), ("æ", "ae"), ("Æ", "ae"), ("œ", "oe"), ("Œ", "oe"))

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_LETTERS = str.maketrans(UPPER, LOWER)
_MARKS = re.compile(MARKS)
_BREAKS = re.compile(BREAKS)


def fold(text: str) -> str:
    """Small letters without accents, words separated by one blank: "Müller-Straße 1a" is "muller strasse 1a"."""
    text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).translate(_ASCII_LOWER).translate(_LETTERS)
    for letter, letters in SPELT:
        text = text.replace(letter, letters)
    return _BREAKS.sub(" ", text).strip()


def fold_sql(expression: str) -> str:
    """The SQL of `fold`, with a blank in front, so that ` % word%` finds the start of any word."""
    text = f"regexp_replace(normalize({expression}, NFKD) COLLATE \"C\", '{MARKS}', '', 'g')"
    text = f"translate(lower({text}), '{UPPER}', '{LOWER}')"
    for letter, letters in SPELT:
        text = f"replace({text}, '{letter}', '{letters}')"
    return f"' ' || regexp_replace({text}, '{BREAKS}', ' ', 'g')"


def _all(path: str) -> str:
    return f"(SELECT string_agg(found #>> '{{}}', E'\\n') FROM jsonb_path_query(copy.data, '{path}') found)"


_OF_THE_COPY = ", ".join(
    [f"copy.data #>> '{{order,customer,{part}}}'" for part in ("first_name", "last_name", "company", "email")]
    + [f"copy.data #>> '{{order,{part},name}}'" for part in ("billing_address", "shipping_address")]
    + ["copy.data ->> 'erp_number'", "copy.data ->> 'sku'", _all("$.order.lines[*].sku")]
    + [_all(f"$.shipments[*].{part}") for part in ("tracking_number", "return_tracking_number", "lines[*].sku")]
)


def staged_copy(record: str) -> str:
    """The SQL of the data of the event that is staged for a record; record: the table's alias."""
    return (
        "(SELECT convert_from(payloads.body, 'UTF8')::jsonb -> 'data' AS data FROM payloads"
        f" WHERE payloads.record_id = {record}.id AND payloads.no = {record}.payload_no OFFSET 0)"
    )


def _said(record: str) -> str:
    """The texts of a record's staged event."""
    return f"(SELECT concat_ws(E'\\n', {_OF_THE_COPY}) FROM {staged_copy(record)} copy)"


_OF_THE_FLOW = f"""CASE r.flow
 WHEN 'order-export' THEN concat_ws(E'\\n',
   (SELECT string_agg(s.tracking_number, E'\\n') FROM shipments s WHERE s.record_id = r.id),
   (SELECT string_agg(n.number, E'\\n') FROM return_numbers n WHERE n.record_id = r.id),
   (SELECT concat_ws(E'\\n', o.remote, {_said("o")}) FROM records o
    WHERE o.interface = r.interface AND o.flow = 'order-import' AND o.key = r.key))
 WHEN 'order-import' THEN
   (SELECT concat_ws(E'\\n', {_said("e")},
      (SELECT string_agg(s.tracking_number, E'\\n') FROM shipments s WHERE s.record_id = e.id)) FROM records e
    WHERE e.interface = r.interface AND e.flow = 'order-export' AND e.key = r.key)
 ELSE (SELECT concat_ws(E'\\n', a.name, a.foreign_sku, a.parent_sku) FROM articles a WHERE a.record_id = r.id) END"""
"""An order and its export are found by what either of them says; an article by what the interface lists it as."""

SEARCHED = fold_sql(
    f"concat_ws(E'\\n', r.key, r.marketplace_id, r.remote, {_said('r')}, {_OF_THE_FLOW},"
    " (SELECT string_agg(said #>> '{}', E'\\n') FROM jsonb_path_query(r.reason, '$[*].values.*') said))"
)
"""The folded text of the record `r`: numbers, ids, SKUs, tracking numbers, customer, and the values in its message."""


def patterns(words: Sequence[str]) -> list[str]:
    """LIKE patterns over `SEARCHED`; what is folded holds no wildcard."""
    return [f"% {fold(word)}%" for word in words]


def codes_that_say(words: Sequence[str]) -> list[str]:
    """The codes of the catalogue whose sentence, in either language, contains a word that starts so."""
    starts = [f" {fold(word)}" for word in words]
    return sorted(code for code, pieces in _sentences().items() if any(s in piece for s in starts for piece in pieces))


@cache
def _sentences() -> dict[str, tuple[str, ...]]:
    """Code → the folded pieces of its titles, cut where a value stands: those are looked for in the record."""
    return {
        code: tuple(
            f" {fold(piece)}" for texts in (entry.de, entry.en) for piece in VARIABLE.sub("\0", texts.title).split("\0")
        )
        for code, entry in catalogue().items()
    }
