"""Groups of the records that match, of so many that are looked at: all of them where there are no more.

Those that ran last come first. Called by `counts`, `facets` and `few`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.db.connect import Connection
from shared.records.filter_sql import Told, to_sql
from shared.records.sorts import SORTS
from shared.records.strands import Strands
from shared.records.walk import BY_ID, walk

LOOKED_AT = 10_000
LOOKED_AT_IN_SEARCH = 2_000
"""A search looks into a second table for each record."""


@dataclass(frozen=True, slots=True)
class Sample:
    """groups: the values → how many; complete: whether every match was looked at."""

    groups: dict[tuple[Any, ...], int]
    complete: bool


def sample(
    conn: Connection,
    meant: Strands,
    expressions: Sequence[str],
    ids: list[int] | None = None,
    told: Told | None = None,
    *,
    most: int = LOOKED_AT,
) -> Sample:
    """Matches grouped by expressions over `records r`. ids: the matches are among these; told: what is known of them;
    most: are looked at."""
    if not meant.strands:
        return Sample({}, True)
    words = {atom.word for term in meant.rest.terms for atom in term.atoms}
    looked_at = min(most, LOOKED_AT_IN_SEARCH) if "" in words else most
    relation, values, condition, asked = _source(meant, ids, told, looked_at)
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
    complete = ids is not None or sum(row[1] for row in rows) <= looked_at
    return Sample({tuple(row[2:]): row[1] for row in rows if row[0]}, complete)


def _source(
    meant: Strands, ids: list[int] | None, told: Told | None, most: int
) -> tuple[str, list[Any], str, list[Any]]:
    """A relation and its parameters, and what is asked of its records and the parameters of that."""
    if ids is not None:
        condition, asked = to_sql(meant.rest, one_by_one=True, flow=meant.flow, told=told)
        relation = f"(SELECT * FROM {BY_ID} r WHERE r.flow = '{meant.flow}')"
        return relation, [ids], f"{meant.pairs} AND {condition}", [meant.named, *asked]
    words = {atom.word for term in meant.rest.terms if not term.negated for atom in term.atoms}
    sort = SORTS["ordered" if "ordered" in words and meant.flow != "stock" else "updated"]
    way = walk(meant, sort.going(True), most + 1)
    return way.relation, way.values, way.condition, way.asked
