"""A search for words as SQL that the index of texts answers, and exact whatever the indexer has not read yet.

Two forms. `said` decides for one record at a time. `narrowed` is a superset of what matches, by index; it stands beside
`said` where every match is wanted. Called by `filter_sql`. Who writes the index: `indexer`.
"""
# ruff: noqa: S608 - put together from texts of ours

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from shared.records.search import SEARCHED, fold, patterns

LONGEST_WORD = 100
"""Characters of a word that are indexed: what is longer is looked for by its beginning, then in the record itself."""

MOST_BYTES = 300_000
"""A longer text is not indexed but read."""

LETTERS = {"order-import": "i", "order-export": "e", "stock": "a"}
"""Stands before each indexed word, so that what other flows say is never read."""

_LETTER = "CASE flow" + "".join(f" WHEN '{flow}' THEN '{letter}'" for flow, letter in LETTERS.items()) + " END"
WORDS = f"""CASE WHEN octet_length(text) <= {MOST_BYTES} THEN array_to_tsvector(ARRAY(
 SELECT ({_LETTER}) || left(part, {LONGEST_WORD}) FROM (
   SELECT word, lead(word) OVER (ORDER BY n) AS following
   FROM unnest(string_to_array(btrim(text), ' ')) WITH ORDINALITY AS w(word, n)) w,
 LATERAL (VALUES (word), (word || ' ' || following)) AS p(part) WHERE part <> '')) END"""
"""The SQL of what is indexed of a searched `text` of a `flow`: each word, and each with the one that follows it, so
that a name or a SKU with a dash is found as it stands."""


def said(words: Sequence[str], flow: str | None = None) -> tuple[str, list[Any]]:
    """Whether the record `r` says one of the words. The searched text is put together only where the index is behind,
    or where more than two words must follow each other. flow: all records asked about are of it."""
    simple, phrases = _sorted(words)
    every = _any((*simple, *phrases), flow)
    sure, values = "NULL::bool", [every]
    if simple:
        sure = "(SELECT t.words @@ %s::tsquery FROM search_texts t WHERE t.record_id = r.id)" if phrases else "x.hit"
        values += [_any(simple, flow)] if phrases else []
    return (
        "(SELECT CASE WHEN NOT x.stale AND NOT x.hit THEN false"
        f" WHEN NOT x.stale AND {sure} THEN true ELSE"
        # Looked up again, so that whoever goes along an index needs no more of the record than its id.
        f" (SELECT {SEARCHED} LIKE ANY(%s) FROM records r WHERE r.id = x.id) END"
        " FROM (SELECT r.id, EXISTS (SELECT FROM search_stale s WHERE s.record_id = r.id OFFSET 0) AS stale,"
        " (SELECT t.words @@ %s::tsquery FROM search_texts t WHERE t.record_id = r.id) AS hit OFFSET 0) x)",
        [*values[1:], patterns(list(words)), values[0]],
    )


def candidates(words: Sequence[str], flow: str | None = None) -> tuple[str, list[Any]]:
    """A query for the ids of all that may say one of the words: by index, and all that the index is behind with.

    flow: others are left out, as far as the index knows."""
    return candidates_named("").replace("%()s", "%s"), [query_of(words, flow)]


UNSURE = "SELECT t.record_id FROM search_texts t WHERE t.words IS NULL UNION ALL SELECT s.record_id FROM search_stale s"
"""The ids of those that the index knows nothing sure about: it is behind with them, or they say too much."""


def hits(searches: Sequence[Sequence[str]], flow: str) -> tuple[str, list[Any]]:
    """A query for the ids of those that say one of the words of each search, as far as the index knows."""
    asked = " & ".join(f"({query_of(words, flow)})" for words in searches)
    return "SELECT t.record_id FROM search_texts t WHERE t.words @@ %s::tsquery", [asked]


def candidates_named(parameter: str) -> str:
    """The same with a named parameter, which is a `query_of` words."""
    return f"SELECT t.record_id FROM search_texts t WHERE t.words @@ %({parameter})s::tsquery UNION ALL {UNSURE}"


def told_by_index(words: Sequence[str]) -> bool:
    """Whether a hit of the index says that the record says one of these words, unless the index is behind with it."""
    return not _sorted(words)[1]


def query_of(words: Sequence[str], flow: str | None = None) -> str:
    """What the index is asked for any of the words. Each has a letter or a digit."""
    return _any([fold(word) for word in words], flow)


def _any(folded: Sequence[str], flow: str | None) -> str:
    letters = LETTERS.values() if flow is None else [LETTERS[flow]]
    return " | ".join(_query(one, letter) for one in folded for letter in letters)


def _sorted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Folded: those that the index alone can tell, and those that it only leads to."""
    folded = [fold(word) for word in words]
    simple = [one for one in folded if one.count(" ") < 2 and len(one) <= LONGEST_WORD]
    return simple, [one for one in folded if one not in simple]


def _query(folded: str, letter: str) -> str:
    """All pairs of a phrase, of the last one its beginning. What is folded holds no sign that means something here."""
    words = folded.split(" ")
    pairs = [" ".join(pair) for pair in pairwise(words)] or words
    # Of a pair that was cut only the beginning is known, too.
    *before, last = (f"'{letter}{pair[:LONGEST_WORD]}'" + ":*" * (len(pair) >= LONGEST_WORD) for pair in pairs)
    return f"({' & '.join([*before, last.removesuffix(':*') + ':*'])})"
