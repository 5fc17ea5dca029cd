"""Lists of records: a page by key (never by offset), how many there are in all, how many per state, or all in a stream.

Called by the API, the pages, and the CLI's `list`. Items are plain dicts, ready for JSON.
"""
# ruff: noqa: S608 - statements are put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.away import with_away
from shared.records.columns import columns, reason
from shared.records.filter import Filter
from shared.records.filter_sql import to_sql
from shared.records.held import held, said
from shared.records.modes import Standing, standings
from shared.records.parts import STAGE
from shared.records.states import WORST_FIRST

COUNTED_TO = 10_000
LARGEST_PAGE = 1_000
LONG_AGO = "'-infinity'::timestamptz"
SORTS = {
    "number": ('r.key COLLATE "C"', "text"),
    "ordered": (f"coalesce(r.ordered_at, {LONG_AGO})", "timestamptz"),
    "updated": ("r.updated_at", "timestamptz"),
    "state": (f"array_position('{{{','.join(WORST_FIRST)}}}'::text[], r.state)", "int"),
}
COLUMNS = (
    "id", "interface", "flow", "key", "stage", "state", "reason", "code", "updated_at", "received_at", "marketplace_id",
    "remote", "ordered_at", "ship_by", "due_at", "tries", "test", "changed_at", "payload_no", "forced",
)  # fmt: skip


class ListingError(ValueError):
    """The sort or the cursor is not one of ours; the message says what is possible."""


@dataclass(frozen=True, slots=True)
class Page:
    """items: dicts; next: the cursor of the page behind it, or None; count: exact, or COUNTED_TO where capped."""

    items: list[dict[str, Any]]
    next: str | None
    count: int
    capped: bool


def list_records(
    conn: Connection,
    flow: str,
    filter: Filter,
    *,
    sort: str = "-updated",
    cursor: str | None = None,
    limit: int = 50,
    reveal: bool = True,
    language: Language = "en",
) -> Page:
    """A page. sort: number, ordered, updated or state, with `-` for descending. Raises ListingError.

    reveal False shows initials instead of buyers' names.
    """
    expression, kind, descending = _sort(sort)
    limit = max(1, min(limit, LARGEST_PAGE))
    condition, values = to_sql(filter)
    query, parameters = f"r.flow = %s AND {condition}", [flow, *values]
    if cursor is not None:
        query += f" AND ({expression}, r.id) {'<' if descending else '>'} (%s::{kind}, %s::bigint)"
        parameters += _open_cursor(cursor, sort, kind)
    way = "DESC" if descending else "ASC"
    rows = conn.execute(
        _literal(
            f"SELECT {_columns()}, {expression}::text FROM records r WHERE {query}"
            f" ORDER BY {expression} {way}, r.id {way} LIMIT %s"
        ),
        [*parameters, limit + 1],
    ).fetchall()
    page, more = rows[:limit], len(rows) > limit
    count, capped = _count(conn, flow, condition, values)
    following = _cursor(sort, page[-1][-1], page[-1][0]) if more else None
    return Page(_items(conn, page, reveal, language), following, count, capped)


def counts_by_state(conn: Connection, flow: str, filter: Filter) -> dict[str, int]:
    """How many records of each state match; every state is named. Tests are no figures: only a filter that speaks of
    them counts them."""
    condition, values = to_sql(filter)
    found = _by_state(conn, flow, condition, values)
    # Taken off afterwards: with a look at each row for whether it is a test, the index would not do.
    tests = {} if about_tests(filter) else _by_state(conn, flow, f"({condition}) AND r.test", values)
    return {str(state): found.get(state, 0) - tests.get(state, 0) for state in WORST_FIRST}


def _by_state(conn: Connection, flow: str, condition: str, values: list[Any]) -> dict[str, int]:
    statement = f"SELECT r.state, count(*) FROM records r WHERE r.flow = %s AND {condition} GROUP BY r.state"
    return dict(conn.execute(_literal(statement), [flow, *values]).fetchall())


def count_tests(conn: Connection, flow: str, filter: Filter) -> int:
    """How many tests match, at most as many as are counted anywhere."""
    condition, values = to_sql(filter)
    return _count(conn, flow, f"({condition}) AND r.test", values)[0]


def about_tests(filter: Filter) -> bool:
    """Whether it says which of tests and others are meant."""
    return any(atom.word == "test" for term in filter.terms for atom in term.atoms)


def stream(
    conn: Connection,
    flow: str,
    filter: Filter,
    *,
    sort: str = "-updated",
    reveal: bool = True,
    language: Language = "en",
    chunk: int = 500,
) -> Generator[dict[str, Any], None, None]:
    """Every match, in one snapshot, read in chunks. Holds a transaction: close it when it is not read to its end.

    Raises ListingError.
    """
    expression, _, descending = _sort(sort)
    condition, values = to_sql(filter)
    way = "DESC" if descending else "ASC"
    statement = _literal(
        f"SELECT {_columns()} FROM records r WHERE r.flow = %s AND {condition} ORDER BY {expression} {way}, r.id {way}"
    )
    with conn.transaction(), conn.cursor(name="connect_stream") as rows:
        rows.execute(statement, [flow, *values])
        while found := rows.fetchmany(chunk):
            yield from _items(conn, found, reveal, language)


def _literal(text: str) -> sql.SQL:
    """Our own text; what people wrote travels as parameters."""
    return sql.SQL(text)


def _columns() -> str:
    return ", ".join(STAGE if name == "stage" else f"r.{name}" for name in COLUMNS)


def _count(conn: Connection, flow: str, condition: str, values: list[Any]) -> tuple[int, bool]:
    row = conn.execute(
        _literal(f"SELECT count(*) FROM (SELECT FROM records r WHERE r.flow = %s AND {condition} LIMIT %s) found"),
        [flow, *values, COUNTED_TO + 1],
    ).fetchone()
    count = int(row[0]) if row else 0
    return min(count, COUNTED_TO), count > COUNTED_TO


def _sort(sort: str) -> tuple[str, str, bool]:
    known = SORTS.get(sort.removeprefix("-"))
    if known is None:
        raise ListingError(f"“{sort}” is not something to sort by: {', '.join(SORTS)}, with - in front for descending.")
    return (*known, sort.startswith("-"))


def _cursor(sort: str, value: str, record_id: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort, value, record_id]).encode()).decode().rstrip("=")


def _open_cursor(cursor: str, sort: str, kind: str) -> list[Any]:
    try:
        of, value, record_id = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if of != sort or not isinstance(value, str) or type(record_id) is not int or "\0" in value:
            raise ValueError
        value.encode()
        if kind == "timestamptz" and value != "-infinity":
            datetime.fromisoformat(value)
        if (kind == "int" and not 0 < int(value) < 100) or not -(2**63) <= record_id < 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ListingError("This cursor belongs to no list with this sort: start again without one.") from None
    return [value, record_id]


def _items(conn: Connection, rows: Sequence[tuple[Any, ...]], reveal: bool, language: Language) -> list[dict[str, Any]]:
    items = with_away(conn, [dict(zip(COLUMNS, row, strict=False)) for row in rows])
    copies = staged(conn, [(item["id"], item["payload_no"]) for item in items])
    more, known = columns(conn, items, copies, reveal, language), standings(conn)
    return [_item(item, known, language) | more[item["id"]] for item in items]


def staged(conn: Connection, copies: Sequence[tuple[int, int]]) -> dict[int, dict[str, Any]]:
    """The data of staged events by record id; `copies` are (record id, payload number)."""
    rows = conn.execute(
        "SELECT p.record_id, p.body FROM unnest(%s::int8[], %s::int4[]) AS want(id, no)"
        " JOIN payloads p ON p.record_id = want.id AND p.no = want.no",
        ([record_id for record_id, _ in copies], [no for _, no in copies]),
    ).fetchall()
    return {record_id: _data(bytes(body)) for record_id, body in rows}


def _data(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}


def _item(row: dict[str, Any], known: Mapping[str, Standing], language: Language) -> dict[str, Any]:
    shown = {name: row[name] for name in COLUMNS if name not in (*_OURS, *_OF_AN_ORDER)}
    if row["flow"] != "stock":
        shown |= {name: row[name] for name in _OF_AN_ORDER}
    why, holds = said(reason(row["reason"], language), held(row, known), language)
    return shown | {"reason": why, "held": holds, "away_since": row["away_since"]}


_OURS = ("remote", "changed_at", "payload_no", "forced")
_OF_AN_ORDER = ("marketplace_id", "ordered_at", "ship_by")
