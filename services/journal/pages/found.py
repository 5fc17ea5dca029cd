"""What a list shows: the rows of a page, counts per state, tokens, and what its menus offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.journal.language import Speaker
from services.journal.pages.missing import about_missing, first_steps
from services.journal.pages.quick import quick, quick_menu
from services.journal.pages.rewrite import offered, said, sides
from services.journal.pages.scope import scope
from services.journal.pages.tokens import tokens
from services.journal.pages.turn import turned
from services.journal.pages.view import View
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.errors.catalogue import catalogue
from shared.errors.entry import VARIABLE
from shared.people.actor import Actor
from shared.records.counts import Count, count_tests
from shared.records.facets import facets
from shared.records.filter import Filter, FilterError, Term, parse
from shared.records.resources import Resource
from shared.records.sorts import ListingError, sort_of
from shared.records.views import list_views

STATES = ("failed", "waiting", "pending", "running", "warning", "done", "skipped", "never")
"""As counters and menus show them: first what needs somebody, then what moves, then what has ended."""

MOST_CAUSES = 12


def found(
    conn: Connection,
    journal: Journal,
    reader: Speaker,
    resource: Resource,
    slug: str | None,
    view: View,
    actor: Actor,
) -> dict[str, Any]:
    """Values for `records.html`. Raises FilterError and ListingError."""
    wanted = scope(conn, journal, slug, view.filter)
    turn = turned(conn, resource.flow, wanted, view, reader, actor.at_least("operator"))
    page = turn.page
    written = parse(view.filter, journal.zone)
    other = replace(written, terms=tuple(term for term in written.terms if not _about_state(term)))
    stateless = replace(wanted, terms=tuple(term for term in wanted.terms if not _about_state(term)))
    of = facets(conn, resource.flow, wanted)
    counts = {state: of["state"].get(state, Count(0)) for state in STATES}
    about = [term for term in written.terms if _about_state(term)]
    chosen = about[0].atoms[0].value if len(about) == 1 and len(about[0].atoms) == 1 and not about[0].negated else None
    today = datetime.now(UTC).astimezone(journal.zone).date()
    return {
        "problem": None,
        "suggestion": None,
        "items": page.items,
        "next": turn.following,
        "previous": turn.previous,
        "count": page.count,
        "capped": page.capped,
        "effective": wanted.text,
        "sort": sort_of(view.sort, wanted).name,
        "views": list_views(conn, actor.name, resource.name),
        "counts": counts,
        "all": Count(sum(counts.values()), any(one.capped for one in counts.values())),
        "base": other.text,
        "chosen": chosen if about else "all",
        "quick": quick(resource, written),
        "quick_of": quick_menu(resource, written),
        "tests": count_tests(conn, resource.flow, stateless),
        "tokens": tokens(written),
        "sides": {word: sides(written, word) for word in ("ordered", "run")},
        "spans": {word: offered(written, word, today) for word in ("ordered", "run")},
        "states": _states(written, counts, reader),
        "causes": _causes(of["error"], written, reader),
        "steps": first_steps(conn, slug, reader, not page.items and not written.terms),
        **about_missing(conn, journal, reader, resource, slug, view, written, page),
    }


def not_understood(error: FilterError | ListingError) -> dict[str, Any]:
    """The same where the filter, the sort or the cursor cannot be understood."""
    said = error if isinstance(error, FilterError) else None
    return {
        "problem": str(error),
        "term": said and said.term,
        "detail": said and said.message,
        "suggestion": said and said.suggestion,
        "values": said.choices if said else (),
        "items": [],
        "next": None,
        "previous": None,
        "count": 0,
        "capped": False,
        "tokens": [],
        "sort": "-updated",
    }


def _states(written: Filter, counts: Mapping[str, Count], reader: Speaker) -> list[dict[str, Any]]:
    chosen = said(written, "state")
    return [
        {
            "value": state,
            "name": reader.say(f"state.{state}"),
            "icon": state,
            "count": counts[state],
            "on": state in chosen,
        }
        for state in STATES
    ]


def _causes(counts: Mapping[str, Count], written: Filter, reader: Speaker) -> list[dict[str, Any]]:
    chosen = said(written, "error")
    return [
        {"value": code, "name": cause(code, reader), "icon": None, "count": counts.get(code), "on": code in chosen}
        for code in dict.fromkeys((*list(counts)[:MOST_CAUSES], *chosen))
    ]


def cause(code: str, reader: Speaker) -> str:
    """A code in words, without the values of one case; a fingerprint stands for itself."""
    entry = catalogue().get(code)
    if entry is None:
        return code
    texts = entry.de if reader.language == "de" else entry.en
    return VARIABLE.sub("…", texts.title).rstrip(".")


def _about_state(term: Term) -> bool:
    return all(atom.word == "state" for atom in term.atoms)
