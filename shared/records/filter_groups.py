"""`group:` and `assignee:` of the filter as SQL over `records r`. Called by `filter_sql`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.errors.catalogue import catalogue

NOBODY = "none"
"""`assignee:none` is what nobody was told to take care of."""

_IN_GROUP = "r.id IN (SELECT t.record_id FROM troubles t WHERE t.left_at IS NULL AND t.cause = ANY(%s))"
_CARED_FOR = (
    "r.id IN (SELECT t.record_id FROM troubles t JOIN causes c USING (cause) WHERE t.left_at IS NULL"
    " AND c.assignee IS NOT NULL"
)


def in_groups(said: Sequence[str]) -> tuple[str, list[Any]]:
    """Records of these groups, also those on their way again; a code of the catalogue stands for all of its groups."""
    codes = [value for value in said if value in catalogue()]
    names = [value for value in said if value not in catalogue()]
    parts = [part for part, given in (("r.code = ANY(%s)", codes), (_IN_GROUP, names)) if given]
    return " OR ".join(parts), [given for given in (codes, names) if given]


def assigned(said: Sequence[str]) -> tuple[str, list[Any]]:
    """Records whose group one of these takes care of, or nobody."""
    names = [name.lower() for name in said if name.lower() != NOBODY]
    parts = [f"{_CARED_FOR} AND lower(c.assignee) = ANY(%s))"] if names else []
    parts += [f"NOT {_CARED_FOR})"] if len(names) < len(said) else []
    return " OR ".join(parts), [names] if names else []
