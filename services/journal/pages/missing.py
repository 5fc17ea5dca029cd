"""What a list says about numbers that are not in it, and about a list without any record yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.journal.language import Speaker
from services.journal.pages.view import View
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.records.diagnosis import MOST, asked_for, diagnose, missing
from shared.records.filter import Filter
from shared.records.listing import Page
from shared.records.rehearsal import checklist
from shared.records.resources import Resource


def about_missing(
    conn: Connection,
    journal: Journal,
    reader: Speaker,
    resource: Resource,
    slug: str | None,
    view: View,
    written: Filter,
    page: Page,
) -> dict[str, Any]:
    """diagnoses of numbers that were asked for and are not there; unexplained: how many more there are."""
    asked = asked_for(written)
    if not asked or view.cursor is not None or view.before is not None or page.next is not None:
        return {"asked": len(asked), "diagnoses": [], "unexplained": 0}
    lost = missing(asked, page.items)
    said = [
        diagnose(
            conn, resource, number, journal.zone, filter=_others(written), interface=slug, language=reader.language
        )
        for number in lost[:MOST]
    ]
    return {
        "asked": len(asked),
        "diagnoses": [one for one in said if one["verdict"] != "here"],
        "unexplained": len(lost) - len(said),
    }


def first_steps(conn: Connection, slug: str | None, reader: Speaker, empty: bool) -> Sequence[Any]:
    """What is left to do before the records of an interface come, where it has none yet."""
    return checklist(conn, slug, reader.language) if empty and slug else ()


def _others(written: Filter) -> Filter:
    """The filter without its bare words."""
    return replace(written, terms=tuple(term for term in written.terms if any(atom.word for atom in term.atoms)))
