"""The records that an index leads to, where they are few: then everything else is asked of them alone.

Called by `listing`, `counts` and `facets`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.db.connect import Connection
from shared.records.filter import Atom, Filter, Term
from shared.records.filter_sql import Told, hits, searched_words, to_sql
from shared.records.indexed import LETTERS, UNSURE, told_by_index
from shared.records.sample import sample
from shared.records.search import codes_that_say, fold
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
OFTEN = 200_000
"""What the statistics say of a word, in records, from which on it is not looked up at all."""

_FREQUENCY = """
SELECT c.reltuples * coalesce((SELECT max(f) FROM pg_stats s,
    unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) AS e(word, f)
  WHERE s.schemaname = c.relnamespace::regnamespace::text AND s.tablename = c.relname AND s.attname = 'words'
    AND starts_with(e.word, %s)), 0)
FROM pg_class c WHERE c.oid = 'search_texts'::regclass
"""


@dataclass(frozen=True, slots=True)
class Few:
    """ids: a superset of those that match, of any flow; None: no index leads to few enough. told: what the index said
    of them already; at_least: so many match in any case."""

    ids: list[int] | None = None
    told: Told | None = None
    at_least: int = 0


def few(conn: Connection, meant: Strands, ordered_by: str | None = None) -> Few:
    """What an index leads to.

    ordered_by: a word whose terms are left out, because whoever asks walks along that.
    """
    at_least = 0
    for term in sorted(_searches(meant.rest), key=lambda one: (len(one.atoms), -min(map(_length, one.atoms)))):
        words = searched_words(term)
        if not _common(conn, meant, words):
            found = _said(conn, meant.flow, term, words)
            if found.ids is not None:
                return found
            if meant.all and meant.rest.terms == (term,):
                at_least = found.at_least
    terms = tuple(term for term in meant.rest.terms if _by_index(term, ordered_by))
    if not terms or not meant.strands:
        return Few(at_least=at_least)
    condition, values = to_sql(replace(meant.rest, terms=terms), flow=meant.flow)
    if any(atom.word in IN_STRANDS for term in terms for atom in term.atoms):
        condition = f"r.interface = ANY(%s) AND r.state = ANY(%s) AND {condition}"
        values = [list(meant.interfaces), list(meant.states), *values]
    rows = conn.execute(
        f"SELECT r.id FROM records r WHERE r.flow = '{meant.flow}' AND {condition} LIMIT %s".encode(),
        [*values, FEW + 1],
    ).fetchall()
    return Few([row[0] for row in rows] if len(rows) <= FEW else None, at_least=at_least)


def _said(conn: Connection, flow: str, term: Term, words: Sequence[str]) -> Few:
    # What is not sure is read first: what the indexer writes down meanwhile is then found by its words.
    unsure = {row[0] for row in conn.execute(f"{UNSURE} LIMIT %s".encode(), (FEW + 1,))}
    query, values = hits(words, flow)
    ids = {row[0] for row in conn.execute(f"{query} LIMIT %s".encode(), [*values, FEW + 1])}
    sure = ids - unsure if told_by_index(words) else set()
    if len(unsure) > FEW or len(ids | unsure) > FEW:
        # An error's sentence leads to other flows, too.
        return Few(at_least=0 if len(unsure) > FEW or codes_that_say(words) else len(sure))
    return Few(sorted(ids | unsure), Told(term, sorted(unsure)) if sure else None)


def _length(atom: Atom) -> int:
    return len(atom.value)


def _searches(filter: Filter) -> list[Term]:
    return [term for term in filter.terms if searched_words(term)]


def _common(conn: Connection, meant: Strands, words: Sequence[str]) -> bool:
    """Whether a word is found so often that looking it up would be reading everything."""
    if not meant.strands:
        return False
    short = [word for word in words if len(fold(word).split(" ")[-1]) < SHORTEST]
    if not short:
        return any(_often(conn, meant.flow, word) for word in words)
    terms = tuple(term for term in meant.rest.terms if searched_words(term) == list(words))
    alone = replace(meant, rest=replace(meant.rest, terms=terms))
    taste = sample(conn, alone, (), most=TASTE)
    return not taste.complete and sum(taste.groups.values()) >= COMMON


def _often(conn: Connection, flow: str, word: str) -> bool:
    """What the statistics say; of what is no common word they say nothing. Only the way depends on it."""
    first = LETTERS[flow] + fold(word)
    return any(frequency > OFTEN for (frequency,) in conn.execute(_FREQUENCY.encode(), (first,)))


def _by_index(term: Term, ordered_by: str | None) -> bool:
    return not term.negated and all(
        atom.word in INDEXED and atom.word != ordered_by and (atom.word, atom.value) != ("test", "no")
        for atom in term.atoms
    )
