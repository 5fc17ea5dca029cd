"""`connect orders|exports|articles facets`: how many there are by state, interface, error, and what their flow has."""

from __future__ import annotations

import typer

from services.cli.printing import Printer
from services.cli.record_words import Words, examples
from services.cli.records import FilterText, Interface, Json
from services.cli.session import Session
from shared.records.counts import Count
from shared.records.facets import as_json, facets


def add_facets(app: typer.Typer, words: Words) -> None:
    """Add the command to a group."""
    resource = words.resource
    text = f"How many {resource.name} each value of a facet would leave; each facet ignores its own terms."

    @app.command("facets", help=text + examples(f"connect {resource.name} facets --filter 'ordered>=2026-11-01'"))
    def facets_(
        ctx: typer.Context, filter: FilterText = None, interface: Interface = None, as_json_: Json = False
    ) -> None:
        session: Session = ctx.obj
        with session.database() as conn:
            found = facets(conn, resource.flow, session.filter(conn, filter or "", interface))
        printer = Printer()
        if as_json_:
            printer.json({"facets": as_json(found)})
            return
        rows = [(f"{name}:{value}", _said(many)) for name, values in found.items() for value, many in values.items()]
        printer.table(("filter", resource.name), rows)


def _said(many: Count) -> str:
    return f"at least {int(many):,}" if many.capped else f"{int(many):,}"
