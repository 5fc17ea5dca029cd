"""A filter as SQL over `records r`: only parameters carry what a person wrote. Called by `listing` and `actions`."""
# ruff: noqa: S608 - put together from texts of ours

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from shared.records import dates, indexed
from shared.records.filter import DATES, Atom, Filter, Term
from shared.records.filter_due import due
from shared.records.filter_groups import assigned, in_groups
from shared.records.parts import STAGE
from shared.records.read_back import DIFFERS
from shared.records.search import codes_that_say, staged_copy

CODES = "jsonb_path_query_array(r.reason, '$[*].code')"
KIND = (
    "coalesce((SELECT a.kind FROM articles a WHERE a.record_id = r.id),"
    f" (SELECT copy.data ->> 'kind' FROM {staged_copy('r')} copy), 'simple')"
)
DRIFT = f"CASE WHEN EXISTS (SELECT FROM articles a WHERE a.record_id = r.id AND {DIFFERS}) THEN 'yes' ELSE 'no' END"
ORDERED = "coalesce(r.ordered_at, '-infinity'::timestamptz)"
"""The order date as it is indexed: what has none was ordered before all others."""
# The value and not EXISTS: that would be answered by reading all parts where many records are asked about.
_TRACKING = "coalesce((SELECT p.state FROM parts p WHERE p.record_id = r.id AND p.part = 'tracking'), 'open')"
TRACKING = {
    "exported": f"{_TRACKING} IN ('done', 'warning')",
    "failed": f"{_TRACKING} = 'failed'",
    "open": f"{_TRACKING} NOT IN ('done', 'warning', 'failed')",
}
COLUMNS = {
    "state": "r.state",
    "stage": STAGE,
    "interface": "r.interface",
    "flow": "r.flow",
    "type": f"CASE WHEN r.flow = 'stock' THEN {KIND} END",
    "drift": f"CASE WHEN r.flow = 'stock' THEN {DRIFT} END",
}


class Told(NamedTuple):
    """What an index says: its hits match the terms, and of others only these ids may, and of these it is not sure."""

    terms: Sequence[Term]
    unless: Sequence[int]


def to_sql(
    filter: Filter, *, one_by_one: bool = False, flow: str | None = None, told: Told | None = None
) -> tuple[str, list[Any]]:
    """A condition over `records r` with %s placeholders, and their values. Without terms it is `true`.

    It leads to all that match by index where there is one. one_by_one: only decides about each record, for whoever goes
    through them in an order and stops early, or asks about hits of `told` alone. flow: all of them are of it.
    """
    if not filter.terms:
        return "true", []
    conditions: list[str] = []
    values: list[Any] = []
    if told is not None and flow is not None and not one_by_one:
        found, values = hits([searched_words(term) for term in told.terms], flow)
        conditions.append(f"r.id = ANY(ARRAY({found} UNION ALL SELECT unnest(%s::int8[])))")
        values.append(list(told.unless))
    for term in filter.terms:
        condition, of_term = _term(term, filter, flow)
        if told is not None and term in told.terms:
            known = "true" if not told.unless else f"(r.id <> ALL(%s::int8[]) OR {condition})"
            condition, of_term = known, [list(told.unless), *of_term] if told.unless else []
        elif not one_by_one and (words := searched_words(term)):
            found, of_found = candidates(words, flow)
            # As an array: a semijoin would be planned by a guess, and may read all records.
            condition, of_term = f"r.id = ANY(ARRAY({found})) AND {condition}", [*of_found, *of_term]
        if condition != "true":
            conditions.append(condition)
            values += of_term
    return " AND ".join(conditions) or "true", values


def searched_words(term: Term) -> list[str]:
    """The words of a term that is a search and nothing else; [] of all others."""
    return [] if term.negated or any(atom.word for atom in term.atoms) else [atom.value for atom in term.atoms]


def candidates(words: Sequence[str], flow: str | None = None) -> tuple[str, list[Any]]:
    """A query for the ids of all that may match a search for one of these words, the sentences of errors included."""
    return _with_errors(words, *indexed.candidates(words, flow))


def hits(searches: Sequence[Sequence[str]], flow: str) -> tuple[str, list[Any]]:
    """A query for the ids of those that say a word of each search, as far as the index knows: see `indexed.UNSURE`. Of
    one search alone also those that have an error whose sentence says it."""
    found, values = indexed.hits(searches, flow)
    return _with_errors(searches[0], found, values) if len(searches) == 1 else (found, values)


def _with_errors(words: Sequence[str], found: str, values: list[Any]) -> tuple[str, list[Any]]:
    if codes := codes_that_say(words):
        found += f" UNION ALL SELECT r.id FROM records r WHERE {CODES} ?| %s"
        values = [*values, codes]
    return found, values


def _term(term: Term, filter: Filter, flow: str | None) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    for (word, op), atoms in groupby(term.atoms, key=lambda atom: (atom.word, atom.op)):
        part, of_part = _atoms(word, op, [atom.value for atom in atoms], filter, flow)
        parts.append(part)
        values += of_part
    condition = " OR ".join(f"({part})" for part in parts)
    # IS NOT TRUE: what has no order date was not ordered before a date either, so the negation must find it.
    return (f"({condition}) IS NOT TRUE" if term.negated else f"({condition})"), values


def _atoms(word: str, op: str, said: Sequence[str], filter: Filter, flow: str | None) -> tuple[str, list[Any]]:
    if word in DATES:
        parts = [_date(Atom(word, op, value), filter) for value in said]
        return " OR ".join(part for part, _ in parts), [value for _, values in parts for value in values]
    if word == "":
        codes, (searched, values) = codes_that_say(said), indexed.said(said, flow)
        return (f"{CODES} ?| %s OR {searched}", [codes, *values]) if codes else (searched, values)
    if word == "tracking":
        return _tracking(said), []
    if word == "test":
        return " OR ".join("r.test" if value == "yes" else "NOT r.test" for value in said), []
    if word == "due":
        return due(said, filter.zone)
    if word == "error":
        return f"{CODES} ?| %s", [list(said)]
    if word == "group":
        return in_groups(said)
    if word == "assignee":
        return assigned(said)
    return f"({COLUMNS[word]}) = ANY(%s)", [list(said)]


def _tracking(said: Sequence[str]) -> str:
    return f"r.flow = 'order-export' AND ({' OR '.join(TRACKING[value] for value in said)})"


def _date(atom: Atom, filter: Filter) -> tuple[str, list[datetime]]:
    column, stretch = f"r.{DATES[atom.word]}", dates.read(atom.value, filter.zone)
    if atom.word == "ordered":  # no order date is before no date
        condition, moments = _stretch(ORDERED, atom.op, stretch)
        return (f"{condition} AND r.ordered_at IS NOT NULL" if "<" in atom.op else condition), moments
    return _stretch(column, atom.op, stretch)


def _stretch(column: str, op: str, stretch: dates.Stretch) -> tuple[str, list[datetime]]:
    if op == ":":
        spans = [(stretch.start, stretch.end), *([stretch.twice] if stretch.twice else [])]
        condition = " OR ".join(f"({column} >= %s AND {column} < %s)" for _ in spans)
        return condition, [moment for span in spans for moment in span]
    side, moment = {
        ">=": (">=", stretch.start),
        "<": ("<", stretch.start),
        ">": (">=", stretch.last_end),
        "<=": ("<", stretch.last_end),
    }[op]
    return f"{column} {side} %s", [moment]
