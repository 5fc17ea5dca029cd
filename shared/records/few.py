"""The records that an index leads to, where they are few: then everything else is asked of them alone.

Called by `listing`, `counts` and `facets`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from shared.db.connect import Connection
from shared.records.filter import Filter, Term
from shared.records.filter_sql import Told, hits, searched_words, to_sql
from shared.records.indexed import LETTERS, UNSURE, told_by_index
from shared.records.sample import sample
from shared.records.search import codes_that_say, fold
from shared.records.strands import Strands

FEW = 10_000
INDEXED = {"error", "test", "ordered", "run", "received", "changed", "due"}
"""Words of the filter that have an index; strands are told apart elsewhere."""
IN_STRANDS = {"ordered", "run", "due"}
"""Of these it begins with the strands."""

SHORTEST = 3
"""Letters of a beginning that is looked up at once. What begins with two of them may be half of all, which the index
would have to read: then a TASTE of the records tells."""
TASTE = 300
COMMON = 3
OFTEN = 50_000
"""What the statistics say of a word, in records, from which on it is not looked up at all."""

_FREQUENCY = """
WITH f AS (SELECT coalesce(max(f), 1) AS share FROM pg_stats s,
    unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS e(flow, f)
  WHERE s.tablename = 'records' AND s.attname = 'flow' AND e.flow = %s),
w AS (SELECT coalesce(sum(f), 0) AS share FROM pg_stats s,
    unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) AS e(word, f)
  WHERE s.tablename = 'search_texts' AND s.attname = 'words'
    AND EXISTS (SELECT FROM unnest(%s::text[]) AS first WHERE starts_with(e.word, first)
      AND (e.word LIKE '%% %%') = (first LIKE '%% %%')))
SELECT c.reltuples * f.share, least(1, w.share / f.share) FROM pg_class c, f, w WHERE c.oid = 'search_texts'::regclass
"""
"""How many texts a flow has, and the share of them that say a word that begins so."""


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
    at_least, told = 0, None
    for terms in _ways(meant.rest):
        searches = [searched_words(term) for term in terms]
        # Words that are frequent each may be rare together.
        if not (_often(conn, meant.flow, searches) if len(searches) > 1 else _common(conn, meant, searches[0])):
            found = _said(conn, meant.flow, terms)
            if found.ids is not None:
                return found
            told = told or found.told
            if meant.all and meant.rest.terms == terms:
                at_least = found.at_least
    terms = tuple(term for term in meant.rest.terms if _by_index(term, ordered_by))
    if not terms or not meant.strands:
        return Few(None, told, at_least)
    condition, values = to_sql(replace(meant.rest, terms=terms), flow=meant.flow)
    if any(atom.word in IN_STRANDS for term in terms for atom in term.atoms):
        condition = f"r.interface = ANY(%s) AND r.state = ANY(%s) AND {condition}"
        values = [list(meant.interfaces), list(meant.states), *values]
    rows = conn.execute(
        f"SELECT r.id FROM records r WHERE r.flow = '{meant.flow}' AND {condition} LIMIT %s".encode(),
        [*values, FEW + 1],
    ).fetchall()
    return Few([row[0] for row in rows]) if len(rows) <= FEW else Few(None, told, at_least)


def _ways(filter: Filter) -> list[tuple[Term, ...]]:
    """The searches that the index is asked for, one after the other: all together where that is possible, then each."""
    searches = [term for term in filter.terms if searched_words(term)]
    searches.sort(key=lambda one: (len(one.atoms), -min(len(atom.value) for atom in one.atoms)))
    together = [term for term in searches if not codes_that_say(searched_words(term))]
    return [*([tuple(together)] if len(together) > 1 else []), *((term,) for term in searches)]


def _said(conn: Connection, flow: str, terms: Sequence[Term]) -> Few:
    # What is not sure is read first: what the indexer writes down meanwhile is then found by its words.
    unsure = _ids(conn, UNSURE, [])
    searches = [searched_words(term) for term in terms]
    ids = _ids(conn, *hits(searches, flow))
    sure = all(map(told_by_index, searches))
    told = None if unsure is None or not sure else Told(terms, sorted(unsure))
    if unsure is not None and ids is not None and len(ids | unsure) <= FEW:
        return Few(sorted(ids | unsure), told)
    # More than FEW hits. Not of this flow alone where an error's sentence leads to some; and not all are sure.
    exact = told is not None and not told.unless and not any(map(codes_that_say, searches))
    return Few(None, told, FEW + 1 if exact and ids is None else 0)


def _ids(conn: Connection, query: str, values: list[Any]) -> set[int] | None:
    """What it leads to; None where that is more than FEW rows. A record may come more than once."""
    rows = conn.execute(f"{query} LIMIT %s".encode(), [*values, FEW + 1]).fetchall()
    return {row[0] for row in rows} if len(rows) <= FEW else None


def _common(conn: Connection, meant: Strands, words: Sequence[str]) -> bool:
    """Whether a word is found so often that looking it up would be reading everything."""
    if not meant.strands:
        return False
    short = [word for word in words if len(fold(word).split(" ")[-1]) < SHORTEST]
    if not short:
        return _often(conn, meant.flow, [words])
    terms = tuple(term for term in meant.rest.terms if searched_words(term) == list(words))
    alone = replace(meant, rest=replace(meant.rest, terms=terms))
    taste = sample(conn, alone, (), most=TASTE)
    return not taste.complete and sum(taste.groups.values()) >= COMMON


def _often(conn: Connection, flow: str, searches: Sequence[Sequence[str]]) -> bool:
    """Whether the statistics let expect so many that say a word of each search, were they to meet by chance alone. Of
    what is no common word they say nothing. Only the way depends on it."""
    firsts = [[LETTERS[flow] + fold(word) for word in words] for words in searches]
    told = [conn.execute(_FREQUENCY.encode(), (flow, some)).fetchone() or (0.0, 0.0) for some in firsts]
    return bool(told[0][0] * prod(share for _, share in told) > OFTEN)


def _by_index(term: Term, ordered_by: str | None) -> bool:
    words = {atom.word for atom in term.atoms}
    # Only `due` by itself leaves few strands: together with another word it may be anywhere.
    if term.negated or ("due" in words and words != {"due"}):
        return False
    return all(
        atom.word in INDEXED and atom.word != ordered_by and (atom.word, atom.value) != ("test", "no")
        for atom in term.atoms
    )
