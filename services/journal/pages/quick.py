"""Terms that one click adds to the filter or takes away: tracking of exports, kind and drift of articles, tests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.records.filter import Filter, Term, parse
from shared.records.resources import Resource

OFFERED = {
    "orders": ("test:yes",),
    "exports": ("test:yes",),
    "articles": ("drift:yes", "test:yes"),
}
IN_A_MENU = {
    "orders": (),
    "exports": ("tracking:exported", "tracking:open", "tracking:failed"),
    "articles": ("type:variant", "-type:variant"),
}
"""What stands in a menu of its own, one of which holds."""


@dataclass(frozen=True, slots=True)
class Quick:
    """One of them. name: of its text; filter: what a click leads to; on: whether it holds now."""

    name: str
    filter: str
    on: bool


def quick(resource: Resource, written: Filter) -> list[Quick]:
    """What is offered beside this filter. A term takes the place of one with the same word."""
    return _offered(OFFERED[resource.name], written)


def quick_menu(resource: Resource, written: Filter) -> list[Quick]:
    """The same, for a menu."""
    return _offered(IN_A_MENU[resource.name], written)


def _offered(texts: tuple[str, ...], written: Filter) -> list[Quick]:
    found = []
    for text in texts:
        (term,) = parse(text, written.zone).terms
        others = tuple(one for one in written.terms if _word(one) != _word(term))
        on = term in written.terms
        name = text.replace(":", "-").replace("-type", "no-type", text.startswith("-"))
        found.append(Quick(name, replace(written, terms=others if on else (*others, term)).text, on))
    return found


def _word(term: Term) -> str:
    return term.atoms[0].word
