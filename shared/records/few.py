"""The records that an index leads to, where they are few: then everything else is asked of them alone.

Called by `listing`, `counts` and `facets`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.db.connect import Connection
from shared.records.filter import Filter, Term
from shared.records.filter_sql import candidates, searched_words, to_sql
from shared.records.sample import sample
from shared.records.search import fold
from shared.records.strands import Strands

FEW = 10_000
INDEXED = {"error", "test", "ordered", "run", "received", "changed"}
"""Words of the filter that have an index; strands are told apart elsewhere."""
IN_STRANDS = {"ordered", "run"}
"""Of these it begins with the strands."""

SHORTEST = 3
"""Letters of a beginning that is looked up at once. What begins with two of them may be half of all, which the index
would have to read: then a TASTE of the records tells."""
TASTE = 300
COMMON = 3


def few(conn: Connection, meant: Strands, ordered_by: str | None = None) -> list[int] | None:
    """A superset of the ids that match, of any flow. None: no index leads to few enough.

    ordered_by: a word whose terms are left out, because whoever asks walks along that.
    """
    for words in sorted(_searches(meant.rest), key=lambda words: (len(words), -min(map(len, words)))):
        if not _common(conn, meant, words):
            query, values = candidates(words)
            rows = conn.execute(f"{query} LIMIT %s".encode(), [*values, FEW + 1]).fetchall()
            if len(rows) <= FEW:
                return sorted({row[0] for row in rows})
    terms = tuple(term for term in meant.rest.terms if _by_index(term, ordered_by))
    if not terms or not meant.strands:
        return None
    condition, values = to_sql(replace(meant.rest, terms=terms))
    if any(atom.word in IN_STRANDS for term in terms for atom in term.atoms):
        condition = f"r.interface = ANY(%s) AND r.state = ANY(%s) AND {condition}"
        values = [list(meant.interfaces), list(meant.states), *values]
    rows = conn.execute(
        f"SELECT r.id FROM records r WHERE r.flow = '{meant.flow}' AND {condition} LIMIT %s".encode(),
        [*values, FEW + 1],
    ).fetchall()
    return [row[0] for row in rows] if len(rows) <= FEW else None


def _searches(filter: Filter) -> list[list[str]]:
    return [words for term in filter.terms if (words := searched_words(term))]


def _common(conn: Connection, meant: Strands, words: Sequence[str]) -> bool:
    """Whether a word is so short, and found so often, that looking it up would be reading everything."""
    short = [word for word in words if len(fold(word).split(" ")[-1]) < SHORTEST]
    if not short or not meant.strands:
        return False
    terms = tuple(term for term in meant.rest.terms if searched_words(term) == list(words))
    alone = replace(meant, rest=replace(meant.rest, terms=terms))
    taste = sample(conn, alone, (), None, TASTE)
    return not taste.complete and sum(taste.groups.values()) >= COMMON


def _by_index(term: Term, ordered_by: str | None) -> bool:
    return not term.negated and all(
        atom.word in INDEXED and atom.word != ordered_by and (atom.word, atom.value) != ("test", "no")
        for atom in term.atoms
    )
