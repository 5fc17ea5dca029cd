"""Texts that are of no order and may name somebody: notes, reasons, saved filters, drafts. By table and column.

Only the words that name the person are overwritten there, the rest of a text stays. A test asks that every column of
the database that can hold a text is either here, or of an order or rejection (`orders`, `rejections`), or named with
the reason why nobody's data is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Json, Jsonb

from shared.db.connect import Connection
from shared.events.erased import MARK


@dataclass(frozen=True, slots=True)
class Texts:
    """Columns of a table. key: its primary key, with the types; unique: of `columns`, those that must stay so."""

    table: str
    key: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    unique: tuple[str, ...] = ()


_ID = (("id", "bigint"),)
TEXTS = (
    Texts("audit", _ID, ("target", "reason")),
    Texts("views", _ID, ("name", "filter"), ("name",)),
    Texts("causes", (("cause", "text"),), ("note",)),
    Texts("bulk_runs", (("id", "uuid"),), ("filter", "why")),
    Texts("ignored", (("record_id", "bigint"),), ("why", "reason")),
    Texts("receipt_numbers", (("receipt", "uuid"), ("no", "integer")), ("number", "answer")),
    Texts("subscriptions", _ID, ("name", "filter", "plan"), ("name",)),
    Texts("incidents", _ID, ("problem",)),
    Texts("troubles", (("record_id", "bigint"), ("cause", "text")), ("problem",)),
    Texts("maintenance", _ID, ("note",)),
    Texts("received_alerts", (("key", "text"),), ("name", "summary")),
    Texts("mails", _ID, ("detail", "reply")),
    Texts("alarm_watch", (("one", "boolean"),), ("standing",)),
    Texts("errands", (("id", "uuid"),), ("result",)),
    Texts("rehearsal_proofs", (("interface", "text"), ("item", "text")), ("detail",)),
    Texts("mappings", (("interface", "text"), ("kind", "text"), ("source", "text")), ("target",)),
    Texts("privacy_deeds", (("id", "uuid"),), ("reason", "left_alone")),
    Texts("privacy_holds", (("interface", "text"), ("key", "text")), ("reason",)),
)
OF_TABLE = {one.table: one for one in TEXTS}


def names(texts: Sequence[str]) -> Callable[[str], bool]:
    """Whether a text names the person; texts: see `Subject.texts`."""
    wanted = _pattern(texts)
    return lambda text: wanted is not None and wanted.search(text) is not None


def without(value: Any, texts: Sequence[str]) -> Any:
    """A text, or the texts of a JSON value, with a mark where the person was named."""
    wanted = _pattern(texts)
    return value if wanted is None else _replaced(value, lambda text: wanted.sub(MARK, text))


def rows(conn: Connection, of: Texts, after: Sequence[Any], limit: int) -> list[tuple[list[Any], dict[str, Any]]]:
    """The next rows behind a key, [] for the beginning: their keys as JSON, and their columns."""
    key = sql.SQL(", ").join(sql.Identifier(name) for name, _ in of.key)
    given = sql.SQL(", ").join(sql.SQL("%s::" + kind) for _, kind in of.key)
    found = conn.execute(
        sql.SQL("SELECT {key}, {columns} FROM {table} WHERE {after} ORDER BY {key} LIMIT %s").format(
            key=key,
            columns=sql.SQL(", ").join(map(sql.Identifier, of.columns)),
            table=sql.Identifier(of.table),
            after=sql.SQL("({}) > ({})").format(key, given) if after else sql.SQL("true"),
        ),
        [*after, limit],
    ).fetchall()
    many = len(of.key)
    return [
        ([str(part) if kind == "uuid" else part for part, (_, kind) in zip(row, of.key, strict=False)],
         dict(zip(of.columns, row[many:], strict=True)))
        for row in found
    ]  # fmt: skip


def said(values: dict[str, Any]) -> str:
    """All texts of a row, as a search reads them."""
    return "\n".join(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for value in values.values()
        if value is not None
    )


def erase_texts(conn: Connection, table: str, ref: Sequence[Any], texts: Sequence[str]) -> bool:
    """Overwrite what names the person in one row; whether it was still there to be. In the caller's transaction."""
    of = OF_TABLE[table]
    where = sql.SQL(" AND ").join(sql.SQL("{} = %s::" + kind).format(sql.Identifier(name)) for name, kind in of.key)
    columns = sql.SQL(", ").join(map(sql.Identifier, of.columns))
    row = conn.execute(
        sql.SQL("SELECT {} FROM {} WHERE {} FOR UPDATE").format(columns, sql.Identifier(table), where)
        if table != "audit"
        else sql.SQL("SELECT {} FROM {} WHERE {}").format(columns, sql.Identifier(table), where),
        list(ref),
    ).fetchone()
    if row is None:
        return False
    now = {name: without(value, texts) for name, value in zip(of.columns, row, strict=True)}
    if list(now.values()) == list(row):
        return False
    for name in of.unique:
        if now[name] != row[of.columns.index(name)]:
            now[name] = f"{now[name][:60]} {ref[0]}"
    if table == "audit":
        conn.execute("SELECT erase_in_audit(%s, %s, %s)", (*ref, Jsonb(now["target"]), now["reason"]))
        return True
    kept = [Json(value) if isinstance(value, dict | list) else value for value in now.values()]
    settings = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in now)
    conn.execute(sql.SQL("UPDATE {} SET {} WHERE {}").format(sql.Identifier(table), settings, where), [*kept, *ref])
    return True


def _pattern(texts: Sequence[str]) -> re.Pattern[str] | None:
    """Whatever its case, and with any blanks between its words."""
    parts = [r"\s+".join(map(re.escape, text.split())) for text in sorted(texts, key=len, reverse=True) if text]
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def _replaced(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_replaced(one, change) for one in value]
    if isinstance(value, dict):
        return {change(str(name)): _replaced(one, change) for name, one in value.items()}
    return value
