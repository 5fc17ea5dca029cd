"""Walks through the records of some lanes in the order of a sort, as far as needed: the lanes are merged by index.

Called by `listing` and `counts`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shared.records.filter import Term
from shared.records.filter_sql import to_sql
from shared.records.lanes import Lanes
from shared.records.sorts import Sort


@dataclass(frozen=True, slots=True)
class Walk:
    """A relation to stand behind FROM, with the columns of records and `sort_0` …, in order; and its parameters.

    condition: what it leaves to be asked of each record, as it comes by; asked: the parameters of that.
    """

    relation: str
    values: list[Any]
    order: str
    condition: str
    asked: list[Any]

    @property
    def free(self) -> bool:
        """Whether every step is a match."""
        return self.condition == "true"


def walk(lanes: Lanes, sort: Sort, steps: int, cursor: list[Any] | None = None) -> Walk:
    """At most so many steps, behind a cursor. The lanes are not empty; by state: one after the other, see `listing`."""
    bounds = tuple(term for term in lanes.rest.terms if _bounds(term, sort))
    rest = replace(lanes.rest, terms=tuple(term for term in lanes.rest.terms if term not in bounds))
    condition, values = to_sql(replace(lanes.rest, terms=bounds))
    if cursor is not None:
        condition, values = f"{condition} AND {sort.behind()}", [*values, *cursor]
    keys = ", ".join(f"{key} AS sort_{n}" for n, (key, _) in enumerate(sort.keys))
    order = ", ".join(f"r.{name} {sort.way}" for name in (*(f"sort_{n}" for n in range(len(sort.keys))), "id"))
    pieces, given = [], []
    for interface, state in lanes.lanes if sort.by_state else [(one, None) for one in lanes.interfaces]:
        of_state = " AND r.state = %s" if state else ""
        # The flow as a literal: an index that is about some flows needs to see it.
        pieces.append(
            f"SELECT r.*, {keys} FROM records r WHERE r.flow = '{lanes.flow}' AND r.interface = %s{of_state}"
            f" AND {condition}"
        )
        given += [interface, *([state] if state else []), *values]
    merged = " UNION ALL ".join(f"({piece})" for piece in pieces)
    left, asked = to_sql(rest, one_by_one=True)
    if not sort.by_state and not lanes.whole:
        left = f"r.interface || '/' || r.state = ANY(%s) AND {left}"
        asked = [[f"{interface}/{state}" for interface, state in lanes.lanes], *asked]
    return Walk(f"(SELECT * FROM ({merged}) r ORDER BY {order} LIMIT {steps})", given, order, left, asked)


def _bounds(term: Term, sort: Sort) -> bool:
    """Whether it says where in the order to begin or to end."""
    return not term.negated and all(atom.word == sort.bound for atom in term.atoms)
