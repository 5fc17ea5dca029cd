"""Rows as parameters of a statement: arrays for many, plain values for one.

A lone row needs no arrays: psycopg looks into each for the type of its items, which takes longer than the statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def from_clause(types: Sequence[str], *, one: bool) -> str:
    """What to select from, with a placeholder for each type of PostgreSQL's in `types`; name it with AS x(a, b, …)."""
    if one:
        return f"(VALUES ({', '.join(f'%b::{name}' for name in types)}))"
    return f"unnest({', '.join(f'%b::{name}[]' for name in types)})"


def parameters(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Values for the placeholders of `from_clause`, which is the one for a lone row if there is just one."""
    if len(rows) == 1:
        return list(rows[0])
    return [list(column) for column in zip(*rows, strict=True)]
