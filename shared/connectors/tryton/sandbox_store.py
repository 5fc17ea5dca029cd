"""What the stand-in keeps: records by model, in memory and behind it in SQLite, so that a kill loses nothing.

A record is a plain dictionary; times are seconds since 1970. Each call of the stand-in is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Raw = dict[str, Any]

_SCHEMA = """
create table if not exists records (
    model text not null, id integer not null, body text not null, primary key (model, id)
) without rowid;
create table if not exists numbers (model text primary key, last integer not null) without rowid;
"""


class Store:
    """Safe for many threads, one at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "tryton.sqlite3", check_same_thread=False, isolation_level=None)
        # A commit in the write-ahead log survives the death of the process, though not of the machine.
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self._models: dict[str, dict[int, Raw]] = {}
        self._load()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                self._load()
                raise
            self._db.execute("commit")

    def records(self, model: str) -> list[Raw]:
        """Every record of a model, in the order of the ids."""
        with self._lock:
            held = self._models.get(model, {})
            return [held[number] for number in sorted(held)]

    def get(self, model: str, number: Any) -> Raw | None:
        """One record, None where it is gone."""
        with self._lock:
            return self._models.get(model, {}).get(number)

    def add(self, model: str, values: Mapping[str, Any]) -> int:
        """A new record; its id."""
        with self._lock:
            query = "insert into numbers values (?, 1) on conflict (model) do update set last = last + 1 returning last"
            (number,) = self._db.execute(query, (model,)).fetchone()
            self._put(model, {**values, "id": number, "created": time.time(), "changed": None})
            return int(number)

    def change(self, model: str, number: int, values: Mapping[str, Any]) -> None:
        """New values of a record, and the time of its change."""
        with self._lock:
            self._put(model, {**self._models[model][number], **values, "changed": time.time()})

    def remove(self, model: str, numbers: list[int]) -> None:
        """Records go; those that are gone already stay so."""
        with self._lock:
            for number in numbers:
                self._models.get(model, {}).pop(number, None)
                self._db.execute("delete from records where model = ? and id = ?", (model, number))

    def _put(self, model: str, record: Raw) -> None:
        self._models.setdefault(model, {})[record["id"]] = record
        self._db.execute("insert or replace into records values (?, ?, ?)", (model, record["id"], json.dumps(record)))

    def _load(self) -> None:
        self._models = {}
        for model, number, body in self._db.execute("select model, id, body from records").fetchall():
            self._models.setdefault(model, {})[number] = json.loads(body)
