"""How many records each value of a facet would leave, beside what else is filtered. Called by the API, pages, the CLI.

Each facet ignores the terms that are about itself alone, as one chooses another value of it. Tests are left out unless
the filter speaks of them.
"""

from __future__ import annotations

import json
from dataclasses import replace

from shared.db.connect import Connection
from shared.records.counts import NO_TEST, Count, about_tests, by_strand
from shared.records.few import Few, few
from shared.records.filter import CHOICES, Filter
from shared.records.filter_sql import CODES, KIND
from shared.records.sample import sample
from shared.records.strands import Strands, strands

Facets = dict[str, dict[str, Count]]
"""Facet → value → how many; the values that occur, most first, of short lists all."""

LOOKED_AT = 2_500
_TRACKING = """CASE (SELECT p.state FROM parts p WHERE p.record_id = r.id AND p.part = 'tracking')
 WHEN 'done' THEN 'exported' WHEN 'warning' THEN 'exported' WHEN 'failed' THEN 'failed' ELSE 'open' END"""
_OWN = {"order-export": ("tracking", _TRACKING), "stock": ("type", KIND)}
"""What a flow has beside what all have, as SQL over `records r`."""

_EXPRESSIONS = {"state": "r.state", "interface": "r.interface", "error": f"({CODES})::text"}

_WITH_ERRORS = ("failed", "warning", "waiting", "skipped", "pending", "running")


def facets(conn: Connection, flow: str, filter: Filter) -> Facets:
    """Of state, interface and error, and tracking or type where the flow has it. What is capped is at least so many."""
    own = dict([_OWN[flow]]) if flow in _OWN else {}
    expressions = _EXPRESSIONS | own
    found: Facets = {}
    for others in {name: _without(filter, name) for name in expressions}.values():
        names = [name for name in expressions if name not in found and _without(filter, name) == others]
        if names:
            found |= _facets(conn, flow, others, {name: expressions[name] for name in names})
    return {name: _sorted(name, found[name]) for name in expressions}


def _facets(conn: Connection, flow: str, filter: Filter, expressions: dict[str, str]) -> Facets:
    """Of these, which have the same other terms."""
    found: Facets = {}
    meant = strands(conn, flow, filter)
    if not meant.rest.terms:
        # No more than how many records the strands have: that is exact, and needs no look at a record.
        by = by_strand(conn, meant, tests=False)
        for name, which in (("interface", 0), ("state", 1)):
            if name in expressions:
                sums: dict[str, int] = {}
                for strand, n in by.items():
                    sums[strand[which]] = sums.get(strand[which], 0) + n
                found[name] = {value: Count(n) for value, n in sums.items()}
    near = few(conn, meant)
    meant = meant if about_tests(filter) else meant.also(NO_TEST)
    free = len(meant.rest.terms) == 0 or meant.rest.terms == (NO_TEST,)
    left = {name: expression for name, expression in expressions.items() if name not in found}
    if free and "error" in left:
        # Few have an error, so they are looked at alone.
        found |= _sampled(conn, meant.of_states(_WITH_ERRORS), {"error": left.pop("error")}, near)
    return found | (_sampled(conn, meant, left, near) if left else {})


def _sampled(conn: Connection, meant: Strands, expressions: dict[str, str], near: Few) -> Facets:
    some = sample(conn, meant, list(expressions.values()), near.ids, near.told, most=LOOKED_AT)
    found: Facets = {}
    for n, name in enumerate(expressions):
        sums: dict[str, int] = {}
        for values, many in some.groups.items():
            said = json.loads(values[n] or "[]") if name == "error" else [values[n]]
            for value in dict.fromkeys(one for one in said if one is not None):
                sums[value] = sums.get(value, 0) + many
        found[name] = {value: Count(many, not some.complete) for value, many in sums.items()}
    return found


def _without(filter: Filter, name: str) -> Filter:
    about = [term for term in filter.terms if {atom.word for atom in term.atoms} == {name}]
    return replace(filter, terms=tuple(term for term in filter.terms if term not in about))


def _sorted(name: str, values: dict[str, Count]) -> dict[str, Count]:
    if name in CHOICES:
        return {value: values.get(value, Count(0)) for value in CHOICES[name]}
    return dict(sorted(values.items(), key=lambda one: (-one[1], one[0])))


def as_json(found: Facets) -> dict[str, dict[str, dict[str, object]]]:
    """For programs."""
    return {name: {value: many.as_json() for value, many in values.items()} for name, values in found.items()}
