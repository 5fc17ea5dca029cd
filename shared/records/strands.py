"""Strands: the records of one flow, interface and state. What of a filter only says which strands are meant.

Called by `walk` and `counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from shared.db.connect import Connection
from shared.records import filter_due
from shared.records.filter import STATES, Filter, Term

OF_STRANDS = {"state", "interface", "flow"}

_INTERFACES = """
WITH RECURSIVE i AS (
  (SELECT interface FROM records WHERE flow = %(flow)s ORDER BY interface LIMIT 1)
  UNION ALL
  SELECT (SELECT r.interface FROM records r WHERE r.flow = %(flow)s AND r.interface > i.interface
          ORDER BY r.interface LIMIT 1) FROM i WHERE i.interface IS NOT NULL)
SELECT interface FROM i WHERE interface IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Strands:
    """What a filter leaves of a flow. strands: (interface, state); rest: the terms about something else; all: there are
    no others."""

    flow: str
    strands: tuple[tuple[str, str], ...]
    rest: Filter
    all: bool = False

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Those that have a strand."""
        return tuple(dict.fromkeys(interface for interface, _ in self.strands))

    @property
    def states(self) -> tuple[str, ...]:
        """Those that have a strand."""
        return tuple(dict.fromkeys(state for _, state in self.strands))

    @property
    def whole(self) -> bool:
        """Whether of each interface every state is meant."""
        return len(self.strands) == len(self.interfaces) * len(STATES)

    pairs: ClassVar[str] = "r.interface || '/' || r.state = ANY(%s)"
    """The condition that a record is in one of the strands; its parameter is `named`."""

    @property
    def named(self) -> list[str]:
        """The strands as texts."""
        return [f"{interface}/{state}" for interface, state in self.strands]

    def also(self, term: Term) -> Strands:
        """With a term more, which is not about strands."""
        return replace(self, rest=replace(self.rest, terms=(*self.rest.terms, term)))

    def of_states(self, states: Sequence[str]) -> Strands:
        """Only the strands of these states."""
        return replace(self, strands=tuple(strand for strand in self.strands if strand[1] in states), all=False)


def strands(conn: Connection, flow: str, filter: Filter) -> Strands:
    """The strands that a filter leaves, of interfaces that have records."""
    about = [term for term in filter.terms if all(atom.word in OF_STRANDS for atom in term.atoms)]
    rest = replace(filter, terms=tuple(term for term in filter.terms if term not in about))
    # Also of interfaces that are gone: a few looks into the index, however many records there are.
    interfaces = [row[0] for row in conn.execute(_INTERFACES, {"flow": flow})]
    found = [(interface, state) for interface in interfaces for state in STATES]
    if flow == "stock" and _only_about(rest, "ordered"):  # an article has no order date
        found = []
    if _only_about(rest, "due"):
        found = [one for one in found if flow == filter_due.FLOW and one[1] in filter_due.OPEN]
    held = tuple(one for one in found if all(_holds(term, flow, *one) for term in about))
    return Strands(flow, held, rest, not about)


def _only_about(filter: Filter, word: str) -> bool:
    """Whether a term wants this word and nothing else."""
    return any(not term.negated and all(atom.word == word for atom in term.atoms) for term in filter.terms)


def _holds(term: Term, flow: str, interface: str, state: str) -> bool:
    is_ = {"flow": flow, "interface": interface, "state": state}
    return any(is_[atom.word] == atom.value for atom in term.atoms) is not term.negated
