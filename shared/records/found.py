"""The records that a search leads to, where they are few: then everything else is asked of them alone.

Called by `listing` and `counts`.
"""

from __future__ import annotations

from shared.db.connect import Connection
from shared.records.filter import Filter
from shared.records.filter_sql import candidates, searched_words
from shared.records.search import fold

FEW = 20_000
SHORTEST = 3
"""Letters of a word whose beginning is looked up in the index first. What begins with two of them is much."""


def found_by_search(conn: Connection, filter: Filter) -> list[int] | None:
    """A superset of the ids that match, of any flow. None: nothing is searched for, or too much is found."""
    searches = [words for term in filter.terms if (words := searched_words(term))]
    rare = [words for words in searches if all(len(fold(word).split(" ")[-1]) >= SHORTEST for word in words)]
    for words in sorted(rare, key=lambda words: (len(words), -min(map(len, words)))):
        query, values = candidates(words)
        rows = conn.execute(f"SELECT DISTINCT f.* FROM ({query} LIMIT %s) f".encode(), [*values, FEW + 1]).fetchall()
        if len(rows) <= FEW:
            return [row[0] for row in rows]
    return None
