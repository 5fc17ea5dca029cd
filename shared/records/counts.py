"""How many records match, in all and by state. What is counted is exact up to a bound and says so behind it.

Called by `listing`, the pages, and `facets`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.db.connect import Connection
from shared.records.filter import Atom, Filter, Term
from shared.records.found import found_by_search
from shared.records.lanes import Lanes, lanes
from shared.records.sample import sample
from shared.records.states import WORST_FIRST

COUNTED_TO = 10_000
TEST = Term((Atom("test", ":", "yes"),))
NO_TEST = Term((Atom("test", ":", "no"),))

_BY_LANE = """
SELECT l.interface, l.state, n.n FROM unnest(%(interfaces)s::text[], %(states)s::text[]) AS l(interface, state),
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


def count(conn: Connection, flow: str, filter: Filter, ids: list[int] | None = None) -> Count:
    """How many match. ids: they are among these, see `found_by_search`."""
    meant = lanes(conn, flow, filter)
    if not meant.rest.terms:
        return Count(sum(by_lane(conn, meant, tests=True).values()))
    found = sample(conn, meant, filter, (), ids)
    return Count(sum(found.groups.values()), not found.complete)


def counts_by_state(conn: Connection, flow: str, filter: Filter) -> dict[str, Count]:
    """How many records of each state match; every state is named. Tests are no figures: only a filter that speaks of
    them counts them."""
    meant, by_state = lanes(conn, flow, filter), dict.fromkeys(map(str, WORST_FIRST), 0)
    tests, capped = about_tests(filter), False
    if not meant.rest.terms:
        for (_, state), n in by_lane(conn, meant, tests=tests).items():
            by_state[state] += n
    else:
        wanted = filter if tests else replace(filter, terms=(*filter.terms, NO_TEST))
        found = sample(conn, lanes(conn, flow, wanted), wanted, ("r.state",), found_by_search(conn, wanted))
        capped = not found.complete
        by_state |= {state: n for (state,), n in found.groups.items()}
    return {state: Count(n, capped) for state, n in by_state.items()}


def by_lane(conn: Connection, meant: Lanes, *, tests: bool) -> dict[tuple[str, str], int]:
    """How many records each lane has, counted to one more than COUNTED_TO."""
    given = {
        "interfaces": [interface for interface, _ in meant.lanes],
        "states": [state for _, state in meant.lanes],
        "flow": meant.flow,
        "tests": tests,
        "most": COUNTED_TO + 1,
    }
    return {(interface, state): n for interface, state, n in conn.execute(_BY_LANE, given)}


def count_tests(conn: Connection, flow: str, filter: Filter) -> Count:
    """How many tests match."""
    return count(conn, flow, replace(filter, terms=(*filter.terms, TEST)))


def about_tests(filter: Filter) -> bool:
    """Whether it says which of tests and others are meant."""
    return any(atom.word == "test" for term in filter.terms for atom in term.atoms)
