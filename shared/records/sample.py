"""Groups of the records that match, of so many that are looked at: all of them where there are no more. `counts`, `facets`.

What is looked at comes by an index where the filter has one (a search, an error, dates, tests), else the records that
ran last come first.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.db.connect import Connection
from shared.records.filter import Filter, Term
from shared.records.filter_sql import to_sql
from shared.records.lanes import Lanes
from shared.records.sorts import SORTS
from shared.records.walk import walk

LOOKED_AT = 20_000
BY_INDEX = ("error", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """groups: the values → how many; complete: whether every match was looked at."""

    groups: dict[tuple[Any, ...], int]
    complete: bool


def sample(conn: Connection, meant: Lanes, filter: Filter, expressions: Sequence[str], ids: list[int] | None) -> Sample:
    """Matches grouped by expressions over `records r`. ids: the matches are among these."""
    if not meant.lanes:
        return Sample({}, True)
    relation, values, condition, asked = _source(meant, filter, ids)
    names = [f"group_{n}" for n in range(len(expressions))]
    shown = "".join(
        f", CASE WHEN r.matches THEN {one} END AS {name}" for one, name in zip(expressions, names, strict=True)
    )
    rows = conn.execute(
        f"SELECT matches, count(*){''.join(f', {name}' for name in names)} FROM (SELECT r.matches{shown} FROM"
        f" (SELECT r.*, ({condition}) IS TRUE AS matches FROM {relation} r OFFSET 0) r) r"
        f" GROUP BY matches{''.join(f', {name}' for name in names)}".encode(),
        [*asked, *values],
    ).fetchall()
    complete = ids is not None or sum(row[1] for row in rows) <= LOOKED_AT
    return Sample({tuple(row[2:]): row[1] for row in rows if row[0]}, complete)


def _source(meant: Lanes, filter: Filter, ids: list[int] | None) -> tuple[str, list[Any], str, list[Any]]:
    """A relation and its parameters, and what is asked of its records and the parameters of that."""
    every, asked = to_sql(filter, one_by_one=True)
    of_flow = f"r.flow = '{meant.flow}'"
    if ids is not None:
        return f"(SELECT r.* FROM records r WHERE {of_flow} AND r.id = ANY(%s::int8[]))", [ids], every, asked
    words = {atom.word for term in filter.terms if not term.negated for atom in term.atoms}
    for term in filter.terms:
        if _by_index(term):
            condition, values = to_sql(replace(filter, terms=(term,)))
            relation = f"(SELECT r.* FROM records r WHERE {of_flow} AND {condition} LIMIT {LOOKED_AT + 1})"
            return relation, values, every, asked
    sort = SORTS["ordered" if "ordered" in words and meant.flow != "stock" else "updated"]
    way = walk(meant, sort.going(True), LOOKED_AT + 1)
    return way.relation, way.values, way.condition, way.asked


def _by_index(term: Term) -> bool:
    return not term.negated and all(
        atom.word in BY_INDEX and (atom.word, atom.value) != ("test", "no") for atom in term.atoms
    )
