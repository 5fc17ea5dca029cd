"""How many records match, in all and by state. What is counted is exact up to a bound and says so behind it.

Called by `listing`, the pages, and `facets`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.db.connect import Connection
from shared.records.few import Few, few
from shared.records.filter import Atom, Filter, Term
from shared.records.sample import sample
from shared.records.states import WORST_FIRST
from shared.records.strands import Strands, strands

COUNTED_TO = 10_000
TEST = Term((Atom("test", ":", "yes"),))
NO_TEST = Term((Atom("test", ":", "no"),))

_BY_STATE = """
SELECT s.state, n.n FROM unnest(%(states)s::text[]) AS s(state), LATERAL (SELECT count(*) AS n FROM (
  SELECT FROM records r WHERE r.flow = %(flow)s AND r.interface = ANY(%(interfaces)s) AND r.state = s.state
    AND (%(tests)s OR NOT r.test) LIMIT %(most)s) c) n
"""
_BY_STRAND = """
SELECT l.interface, l.state, n.n FROM unnest(%(of_interfaces)s::text[], %(of_states)s::text[]) AS l(interface, state),
  LATERAL (SELECT count(*) AS n FROM (SELECT FROM records r WHERE r.flow = %(flow)s AND r.interface = l.interface
    AND r.state = l.state AND (%(tests)s OR NOT r.test) LIMIT %(most)s) c) n
"""


class Count(int):
    """A number of records. capped: there are at least so many."""

    capped: bool

    def __new__(cls, value: int, capped: bool = False) -> Count:
        """As it is shown: at most COUNTED_TO."""
        made = super().__new__(cls, min(value, COUNTED_TO))
        made.capped = capped or value > COUNTED_TO
        return made

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"count": int(self), "capped": self.capped}


def count(conn: Connection, meant: Strands, found: Few) -> Count:
    """How many match. found: what an index leads to."""
    if not meant.rest.terms:
        return Count(sum(by_state(conn, meant, tests=True).values()))
    if found.at_least >= COUNTED_TO:
        return Count(found.at_least, capped=True)
    some = sample(conn, meant, (), found.ids, found.told)
    return Count(max(sum(some.groups.values()), found.at_least), not some.complete)


def counts_by_state(conn: Connection, flow: str, filter: Filter) -> dict[str, Count]:
    """How many records of each state match; every state is named. Tests are no figures: only a filter that speaks of
    them counts them."""
    meant, found = strands(conn, flow, filter), dict.fromkeys(map(str, WORST_FIRST), 0)
    tests, capped = about_tests(filter), False
    if not meant.rest.terms:
        found |= by_state(conn, meant, tests=tests)
    else:
        near = few(conn, meant)
        some = sample(conn, meant if tests else meant.also(NO_TEST), ("r.state",), near.ids, near.told)
        capped = not some.complete
        found |= {state: n for (state,), n in some.groups.items()}
    return {state: Count(n, capped) for state, n in found.items()}


def by_state(conn: Connection, meant: Strands, *, tests: bool) -> dict[str, int]:
    """How many records the strands of each state have, counted to one more than COUNTED_TO."""
    if len(meant.strands) != len(meant.interfaces) * len(meant.states):  # not each state of each interface
        found = dict.fromkeys(meant.states, 0)
        for (_, state), n in by_strand(conn, meant, tests=tests).items():
            found[state] += n
        return found
    return dict(conn.execute(_BY_STATE, _given(meant, tests)).fetchall())


def by_strand(conn: Connection, meant: Strands, *, tests: bool) -> dict[tuple[str, str], int]:
    """How many records each strand has, counted to one more than COUNTED_TO."""
    return {(interface, state): n for interface, state, n in conn.execute(_BY_STRAND, _given(meant, tests))}


def _given(meant: Strands, tests: bool) -> dict[str, Any]:
    return {
        "interfaces": list(meant.interfaces),
        "states": list(meant.states),
        "of_interfaces": [interface for interface, _ in meant.strands],
        "of_states": [state for _, state in meant.strands],
        "flow": meant.flow,
        "tests": tests,
        "most": COUNTED_TO + 1,
    }


def count_tests(conn: Connection, flow: str, filter: Filter) -> Count:
    """How many tests match."""
    meant = strands(conn, flow, replace(filter, terms=(*filter.terms, TEST)))
    return count(conn, meant, few(conn, meant))


def about_tests(filter: Filter) -> bool:
    """Whether it says which of tests and others are meant."""
    return any(atom.word == "test" for term in filter.terms for atom in term.atoms)
