"""What lists are sorted by, and the cursor that says where a page ended. Called by `listing` and `walk`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.records.filter import Filter
from shared.records.filter_sql import ORDERED
from shared.records.states import WORST_FIRST

RANK = f"array_position('{{{','.join(WORST_FIRST)}}}'::text[], r.state)"


class ListingError(ValueError):
    """The sort or the cursor is not one of ours; the message says what is possible."""


@dataclass(frozen=True, slots=True)
class Sort:
    """keys: (SQL over `records r`, type), the id stands behind them; bound: the word of the filter that is about the
    first key; by_state: whether an index has the order within a state, and else within an interface."""

    name: str
    keys: tuple[tuple[str, str], ...]
    descending: bool = False
    bound: str | None = None
    by_state: bool = False

    @property
    def way(self) -> str:
        """The direction in SQL."""
        return "DESC" if self.descending else "ASC"

    @property
    def order(self) -> str:
        """What stands behind ORDER BY, over `records r`."""
        return ", ".join(f"{key} {self.way}" for key, _ in (*self.keys, ("r.id", "bigint")))

    def going(self, descending: bool) -> Sort:
        """The same, up or down."""
        return replace(self, name="-" * descending + self.name.removeprefix("-"), descending=descending)

    def behind(self, names: Sequence[str] = ()) -> str:
        """The condition that a record comes behind the cursor whose `values` are the parameters. names: of columns with
        the keys, where these were read before."""
        row = ", ".join([*names, "id"] if names else [*(key for key, _ in self.keys), "r.id"])
        values = ", ".join(f"%s::{kind}" for _, kind in (*self.keys, ("", "bigint")))
        return f"({row}) {'<' if self.descending else '>'} ({values})"


_UPDATED = ("r.updated_at", "timestamptz")
SORTS = {
    "number": Sort("number", (("r.key", "text"),)),
    "ordered": Sort("ordered", ((ORDERED, "timestamptz"),), bound="ordered"),
    "updated": Sort("updated", (_UPDATED,), bound="run", by_state=True),
    "state": Sort("state", ((RANK, "int"), _UPDATED), by_state=True),
}


def sort_of(text: str | None, filter: Filter) -> Sort:
    """The sort that is asked for. None: by last run, newest first; by order date where the filter is about that.

    Raises ListingError.
    """
    if text is None:
        about = any(atom.word == "ordered" for term in filter.terms for atom in term.atoms if not term.negated)
        text = "-ordered" if about else "-updated"
    known = SORTS.get(text.removeprefix("-"))
    if known is None:
        raise ListingError(f"“{text}” is not something to sort by: {', '.join(SORTS)}, with - in front for descending.")
    return known.going(text.startswith("-"))


def cursor_of(sort: Sort, values: Sequence[str], record_id: int) -> str:
    """Where a page ended: the keys of its last record, as texts, and its id."""
    said = json.dumps([sort.name, list(values), record_id])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def read_cursor(cursor: str, sort: Sort) -> list[Any]:
    """The parameters of `Sort.behind`. Raises ListingError."""
    try:
        of, values, record_id = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if of != sort.name or not isinstance(values, list) or len(values) != len(sort.keys):
            raise ValueError
        for value, (_, kind) in zip(values, sort.keys, strict=True):
            _check(value, kind)
        if type(record_id) is not int or not -(2**63) <= record_id < 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ListingError("This cursor belongs to no list with this sort: start again without one.") from None
    return [*values, record_id]


def _check(value: object, kind: str) -> None:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode()
    if kind == "timestamptz" and value != "-infinity":
        datetime.fromisoformat(value)
    if kind == "int" and not 0 < int(value) < 100:
        raise ValueError
