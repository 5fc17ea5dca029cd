"""Why a number is not in a list: filtered out, refused, asked for and not found, left alone as too old, never received.

Looked up in the order in which it helps most; nothing remote is asked. Called by lists, API and `connect … why`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.diagnosis_words import say
from shared.records.filter import Atom, Filter, Term
from shared.records.listing import list_records
from shared.records.overview import interfaces
from shared.records.resources import Resource
from shared.records.search import fold
from shared.records.wording import sentence

NEWEST = 5_000
"""How many rejections are looked through, the newest first: their bodies are raw bytes without an index."""

MOST = 10
"""Numbers that a page explains at once."""

_REJECTED = """
SELECT id, interface, state, received_at, problems FROM (
  SELECT id, interface, state, received_at, problems, raw FROM rejections ORDER BY id DESC LIMIT %(newest)s
) newest
WHERE (%(interface)s::text IS NULL OR interface IN (%(interface)s, '?'))
  AND (position(%(quoted)s::bytea IN raw) > 0 OR position(%(subject)s::bytea IN raw) > 0)
ORDER BY state, id DESC LIMIT 1
"""
_ASKED = """
SELECT r.id, n.interface, n.result, r.created_at, r.created_by
FROM receipt_numbers n JOIN receipts r ON r.id = n.receipt
WHERE n.number = %(number)s AND r.verb = %(verb)s AND NOT r.dry_run
  AND (%(interface)s::text IS NULL OR n.interface = %(interface)s)
ORDER BY r.created_at DESC LIMIT 1
"""


def diagnose(
    conn: Connection,
    resource: Resource,
    number: str,
    zone: ZoneInfo,
    *,
    filter: Filter | None = None,
    interface: str | None = None,
    language: Language = "en",
) -> dict[str, Any]:
    """What became of one number.

    filter: what the list is narrowed by besides; interface: the one it is limited to. The answer: number, verdict
    (here, filtered, rejected, asking, not-found, older, never), a sentence with what else is known (detail), and where
    there is one the record, rejection, receipt and interface; polled: when each interface was read last.
    """
    answer: dict[str, Any] = {
        "number": number,
        "resource": resource.name,
        **dict.fromkeys(("record", "rejection", "receipt", "interface", "at", "why")),
        "polled": _polled(conn, interface),
    }
    answer |= (
        _listed(conn, resource, number, zone, filter, interface, language)
        or _rejected(conn, number, interface, language)
        or _asked(conn, resource, number, interface)
        or {"verdict": "never"}
    )
    return answer | say(answer, language)


def missing(numbers: Sequence[str], items: Sequence[dict[str, Any]]) -> list[str]:
    """Which of the numbers none of these items bears."""
    borne = " ".join(
        str(item.get(name) or "").casefold()
        for item in items
        for name in ("key", "marketplace_id", "erp_number", "tracking_numbers", "foreign_sku")
    )
    return [number for number in numbers if number.casefold() not in borne]


def asked_for(filter: Filter) -> list[str]:
    """The numbers that a filter asks for by bare words: what looks like one holds a digit."""
    words = [atom.value for term in filter.terms if not term.negated for atom in term.atoms if not atom.word]
    return [word for word in dict.fromkeys(words) if len(word) >= 3 and any(char.isdigit() for char in word)]


def _listed(
    conn: Connection,
    resource: Resource,
    number: str,
    zone: ZoneInfo,
    filter: Filter | None,
    interface: str | None,
    language: Language,
) -> dict[str, Any] | None:
    """It is there: perhaps under another filter, perhaps at another interface."""
    if not fold(number):  # signs alone are no word: nothing could be found by them
        return None
    word = Term((Atom("", "", number),))
    found = list_records(conn, resource.flow, Filter((word,), zone), limit=1, reveal=False, language=language).items
    if not found:
        return None
    (item,) = found
    hidden = _hiding(conn, resource, item, word, filter, interface)
    older = item["code"] == "older-than-go-live"
    return {
        "verdict": "older" if older else "filtered" if hidden else "here",
        "record": item["id"],
        "interface": item["interface"],
        "state": item["state"],
        "at": item["updated_at"],
        "why": item["reason"]["sentence"] if item["reason"] else None,
        "hidden_by": hidden,
    }


def _hiding(
    conn: Connection, resource: Resource, item: dict[str, Any], word: Term, filter: Filter | None, interface: str | None
) -> list[str]:
    """The terms of the filter that this record does not meet."""
    hiding = [f"interface:{interface}"] if interface and item["interface"] != interface else []
    for term in filter.terms if filter else ():
        if any(not atom.word for atom in term.atoms) and not term.negated:
            continue
        only = replace(filter, terms=(word, term)) if filter else None
        if only is not None and not list_records(conn, resource.flow, only, limit=1, reveal=False).items:
            hiding.append(term.text)
    return list(dict.fromkeys(hiding))


def _rejected(conn: Connection, number: str, interface: str | None, language: Language) -> dict[str, Any] | None:
    values = {
        "newest": NEWEST,
        "interface": interface,
        "quoted": f'"{number}"'.encode(),
        "subject": f'orders/{number}"'.encode(),
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_REJECTED, values).fetchone()
    if row is None:
        return None
    return {
        "verdict": "rejected" if row["state"] == "open" else "resubmitted",
        "rejection": row["id"],
        "interface": row["interface"] if row["interface"] != "?" else None,
        "at": row["received_at"],
        "why": sentence(row["problems"], language),
    }


def _asked(conn: Connection, resource: Resource, number: str, interface: str | None) -> dict[str, Any] | None:
    values = {"number": number, "verb": resource.verb, "interface": interface}
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_ASKED, values).fetchone()
    if row is None:
        return None
    verdict = {"queued": "asking", "taken-in": "asking", "not-found": "not-found"}.get(row["result"])
    if verdict is None:
        return None
    return {
        "verdict": verdict,
        "receipt": str(row["id"]),
        "interface": row["interface"],
        "at": row["created_at"],
        "by": row["created_by"],
    }


def _polled(conn: Connection, interface: str | None) -> list[dict[str, Any]]:
    return [
        {name: one[name] for name in ("slug", "mode", "from_date", "polled_ok_at", "poll_code")}
        for one in interfaces(conn)
        if interface in (None, one["slug"])
    ]
