"""Lists of records: a page by key (never by offset), how many there are in all, or all in a stream.

A page comes by the shortest way that there is for its filter (ADR 22): a walk through its strands in the order asked
for; the few records that an index leads to; or, where a walk comes by too few, all that match. Called by the API, the
pages, and the CLI's `list`. Items are plain dicts, ready for JSON.
"""
# ruff: noqa: S608 - statements are put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.away import with_away
from shared.records.columns import columns, reason
from shared.records.counts import COUNTED_TO, Count, about_tests, count, count_tests, counts_by_state
from shared.records.few import Few, few
from shared.records.filter import Filter
from shared.records.filter_sql import to_sql
from shared.records.held import held, said
from shared.records.modes import Standing, standings
from shared.records.parts import STAGE
from shared.records.sorts import SORTS, ListingError, Sort, cursor_of, read_cursor, sort_of
from shared.records.states import WORST_FIRST
from shared.records.strands import Strands, strands
from shared.records.walk import BY_ID, walk

__all__ = [
    "COUNTED_TO", "Count", "ListingError", "Page", "about_tests", "count_tests", "counts_by_state", "list_records",
    "stream",
]  # fmt: skip
LARGEST_PAGE = 1_000
STEPS = 10_000
"""So many records are looked at in their order before all that match are looked for."""

COLUMNS = (
    "id", "interface", "flow", "key", "stage", "state", "reason", "code", "updated_at", "received_at", "marketplace_id",
    "remote", "ordered_at", "ship_by", "due_at", "tries", "test", "changed_at", "payload_no", "forced",
)  # fmt: skip


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
    sort: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
    reveal: bool = True,
    language: Language = "en",
) -> Page:
    """A page. sort: number, ordered, updated or state, with `-` for descending; None: see `sort_of`.

    Raises ListingError. reveal False shows initials instead of buyers' names.
    """
    by = sort_of(sort, filter)
    limit = max(1, min(limit, LARGEST_PAGE))
    behind = None if cursor is None else read_cursor(cursor, by)
    meant = strands(conn, flow, filter)
    near = few(conn, meant, by.bound)
    rows, total = _rows(conn, meant, filter, by, behind, limit + 1, near)
    page, more = rows[:limit], len(rows) > limit
    total = count(conn, meant, near) if total is None else total
    following = cursor_of(by, page[-1][len(COLUMNS) :], page[-1][0]) if more else None
    return Page(_items(conn, page, reveal, language), following, total, total.capped)


def _rows(
    conn: Connection,
    meant: Strands,
    filter: Filter,
    sort: Sort,
    behind: list[Any] | None,
    limit: int,
    near: Few,
) -> tuple[list[tuple[Any, ...]], Count | None]:
    """The columns of a page's records and the texts of their keys, by the shortest way; and how many match, where that
    is known then."""
    if not meant.strands:
        return [], Count(0)
    if near.ids is not None:
        return _of_all(conn, meant.flow, filter, sort, behind, limit, near)
    rows, complete = _walked(conn, meant, sort, behind, limit)
    if complete or len(rows) == limit:
        return rows, None
    return _of_all(conn, meant.flow, filter, sort, behind, limit, near)


def _walked(
    conn: Connection, meant: Strands, sort: Sort, behind: list[Any] | None, limit: int
) -> tuple[list[tuple[Any, ...]], bool]:
    """What a walk comes by, and whether that is all there is in any case."""
    if sort.name.removeprefix("-") != "state":
        return _walk(conn, meant, sort, behind, limit)
    rows: list[tuple[Any, ...]] = []
    within, complete = SORTS["updated"].going(sort.descending), True
    states = WORST_FIRST[::-1] if sort.descending else WORST_FIRST
    first = 0 if behind is None else states.index(WORST_FIRST[min(int(behind[0]), len(WORST_FIRST)) - 1])
    for n, state in enumerate(states[first:]):
        one = meant.of_states([state])
        if one.strands and len(rows) < limit and complete:
            rank = str(WORST_FIRST.index(state) + 1)
            found, complete = _walk(conn, one, within, behind[1:] if behind and n == 0 else None, limit - len(rows))
            complete = complete or len(found) == limit - len(rows)
            rows += [(*row[: len(COLUMNS)], rank, *row[len(COLUMNS) :]) for row in found]
    return rows, complete


def _walk(
    conn: Connection, meant: Strands, sort: Sort, behind: list[Any] | None, limit: int
) -> tuple[list[tuple[Any, ...]], bool]:
    free = walk(meant, sort, limit, behind)
    way = free if free.free else walk(meant, sort, STEPS, behind)
    names = [f"sort_{n}" for n in range(len(sort.keys))]
    # The ids first: the index that is gone along has them, and most records on the way are not read.
    rows = conn.execute(
        _literal(
            f"WITH p AS MATERIALIZED (SELECT r.id, {', '.join(f'r.{name}' for name in names)} FROM {way.relation} r"
            f" WHERE {way.condition} ORDER BY {way.order} LIMIT %s)"
            f" SELECT {_columns()}, {', '.join(f'p.{name}::text' for name in names)}"
            f" FROM p JOIN records r ON r.id = p.id"
            f" ORDER BY {', '.join(f'p.{name} {sort.way}' for name in (*names, 'id'))}"
        ),
        [*way.values, *way.asked, limit],
    ).fetchall()
    return rows, way.free


def _of_all(
    conn: Connection,
    flow: str,
    filter: Filter,
    sort: Sort,
    behind: list[Any] | None,
    limit: int,
    near: Few,
) -> tuple[list[tuple[Any, ...]], Count | None]:
    """The first of all that match, and how many there are: None where none is behind the cursor."""
    few = near.ids is not None
    condition, values = to_sql(filter, one_by_one=few, flow=flow, told=near.told)
    if few:
        values = [near.ids, *values]
    keys = ", ".join(f"{key} AS sort_{n}" for n, (key, _) in enumerate(sort.keys))
    names = [f"sort_{n}" for n in range(len(sort.keys))]
    order = ", ".join(f"{name} {sort.way}" for name in (*names, "id"))
    after = "true" if behind is None else sort.behind(names)
    # In two steps: who expects to stop early goes through an index by the order, however few there are to find.
    rows = conn.execute(
        _literal(
            f"WITH f AS MATERIALIZED (SELECT r.id, {keys} FROM {BY_ID if few else 'records'} r"
            f" WHERE r.flow = '{flow}' AND {condition}),"
            f" p AS (SELECT * FROM f WHERE {after} ORDER BY {order} LIMIT %s)"
            f" SELECT {_columns()}, {', '.join(f'p.{name}::text' for name in names)}, (SELECT count(*) FROM f)"
            f" FROM p JOIN records r ON r.id = p.id"
            f" ORDER BY {', '.join(f'p.{name} {sort.way}' for name in (*names, 'id'))}"
        ),
        [*values, *(behind or ()), limit],
    ).fetchall()
    if not rows:
        return [], Count(0) if behind is None else None
    return [row[:-1] for row in rows], Count(rows[0][-1])


def stream(
    conn: Connection,
    flow: str,
    filter: Filter,
    *,
    sort: str | None = None,
    reveal: bool = True,
    language: Language = "en",
    chunk: int = 500,
) -> Generator[dict[str, Any], None, None]:
    """Every match, in one snapshot, read in chunks. Holds a transaction: close it when it is not read to its end.

    Raises ListingError.
    """
    by = sort_of(sort, filter)
    condition, values = to_sql(filter, flow=flow)
    statement = _literal(f"SELECT {_columns()} FROM records r WHERE r.flow = %s AND {condition} ORDER BY {by.order}")
    with conn.transaction(), conn.cursor(name="connect_stream") as rows:
        rows.execute(statement, [flow, *values])
        while found := rows.fetchmany(chunk):
            yield from _items(conn, found, reveal, language)


def _literal(text: str) -> sql.SQL:
    """Our own text; what people wrote travels as parameters."""
    return sql.SQL(text)


def _columns() -> str:
    return ", ".join(STAGE if name == "stage" else f"r.{name}" for name in COLUMNS)


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
        binary=True,
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
