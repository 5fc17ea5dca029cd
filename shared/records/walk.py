"""Walks through the records of some strands in the order of a sort, as far as needed: the strands are merged by index.

Called by `listing` and `counts`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shared.records.filter import Term
from shared.records.filter_sql import to_sql
from shared.records.sorts import Sort
from shared.records.strands import Strands

BY_ID = "(SELECT * FROM records WHERE id = ANY(%s::int8[]) OFFSET 0)"
"""The records with these ids, looked up by nothing else: other indexes have the id, too, behind all that is no help."""


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


def walk(strands: Strands, sort: Sort, steps: int, cursor: list[Any] | None = None) -> Walk:
    """At most so many steps, behind a cursor. There are strands; a sort by state goes one by one, see `listing`."""
    bounds = tuple(term for term in strands.rest.terms if _bounds(term, sort))
    rest = replace(strands.rest, terms=tuple(term for term in strands.rest.terms if term not in bounds))
    condition, values = to_sql(replace(strands.rest, terms=bounds))
    if cursor is not None:
        condition, values = f"{condition} AND {sort.behind()}", [*values, *cursor]
    keys = ", ".join(f"{key} AS sort_{n}" for n, (key, _) in enumerate(sort.keys))
    order = ", ".join(f"r.{name} {sort.way}" for name in (*(f"sort_{n}" for n in range(len(sort.keys))), "id"))
    pieces, given = [], []
    for interface, state in strands.strands if sort.by_state else [(one, None) for one in strands.interfaces]:
        of_state = " AND r.state = %s" if state else ""
        # The flow as a literal: an index that is about some flows needs to see it.
        pieces.append(
            f"SELECT r.*, {keys} FROM records r WHERE r.flow = '{strands.flow}' AND r.interface = %s{of_state}"
            f" AND {condition} ORDER BY {sort.order} LIMIT {steps}"
        )
        given += [interface, *([state] if state else []), *values]
    merged = " UNION ALL ".join(f"({piece})" for piece in pieces)
    left, asked = to_sql(rest, one_by_one=True, flow=strands.flow)
    if not sort.by_state and not strands.whole:
        left, asked = f"{strands.pairs} AND {left}", [strands.named, *asked]
    return Walk(f"(SELECT * FROM ({merged}) r ORDER BY {order} LIMIT {steps})", given, order, left, asked)


def _bounds(term: Term, sort: Sort) -> bool:
    """Whether it says where in the order to begin or to end."""
    return not term.negated and all(atom.word == sort.bound for atom in term.atoms)
