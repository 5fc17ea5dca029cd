"""`connect articles`: list, show, retry and sync articles, refresh what is listed, and look for drift (flow stock)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.bulk_commands import add_bulk_commands
from services.cli.facets import add_facets
from services.cli.printing import Printer
from services.cli.record_words import OF_ARTICLES, said
from services.cli.records import Json, group
from services.cli.requests import Timeout, Wait, add_request
from services.cli.session import Session
from services.cli.trouble import Trouble
from services.cli.watching import Mark, watch
from shared.people.audit import audit
from shared.records.errands import ErrandVerb, ask_errand, read_errand
from shared.records.listing import list_records
from shared.records.resources import ARTICLES
from shared.records.wording import remark

app = group(OF_ARTICLES)
add_bulk_commands(app, OF_ARTICLES)
add_facets(app, OF_ARTICLES)
add_request(app, OF_ARTICLES)

Of = Annotated[str, typer.Option("--interface", "-i", help="of which interface, e.g. otto-de")]
DIFFERS = "drift:yes"
SHOWN = 50


@app.command()
def listing(
    ctx: typer.Context, interface: Of, wait: Wait = False, timeout: Timeout = 600.0, as_json_: Json = False
) -> None:
    """Read from the ERP now which articles an interface lists; otherwise the night does it.

    \b
    connect articles listing --interface otto-de --wait
    connect interfaces listing otto-de --help     what of the ERP's articles is listed
    """
    found = _errand(ctx.obj, "listing", interface, timeout if wait else 0.0)
    if as_json_:
        Printer().json(found)
    elif found["finished_at"] is None:
        Printer().line(f"Asked for; {found['seen']} articles so far. The stock service reads them from the ERP.")
    elif found["code"] is None:
        Printer().line(f"{said(found['seen'], ARTICLES)} read; `connect articles list -i {interface}` shows them.")
    _exit(found)


@app.command()
def check(
    ctx: typer.Context, interface: Of, wait: Wait = False, timeout: Timeout = 600.0, as_json_: Json = False
) -> None:
    """Read back what the marketplace shows and list what differs from what it accepted. Exit 1 where something does.

    \b
    connect articles check --interface otto-de --wait
    connect articles sync --filter 'drift:yes interface:otto-de'     repairs all of it
    """
    session: Session = ctx.obj
    found = _errand(session, "drift", interface, timeout if wait else 0.0)
    with session.database() as conn:
        wanted = session.filter(conn, DIFFERS, interface)
        page = list_records(conn, ARTICLES.flow, wanted, sort="number", limit=SHOWN, language=session.language)
    printer = Printer()
    if as_json_:
        printer.json({**found, "differs": page.items, "total": {"count": page.count, "capped": page.capped}})
    elif found["finished_at"] is None:
        printer.line(f"Asked for; {found['seen']} articles so far. The stock service reads them from the marketplace.")
    elif found["code"] is None and not page.items:
        printer.line(f"{said(found['seen'], ARTICLES)} read; none differs.")
    elif found["code"] is None:
        rows = [
            (one["sku"], str(one["sent"]), "–" if one["shown"] is None else str(one["shown"])) for one in page.items
        ]
        printer.table(("SKU", "accepted", "shown"), rows)
        printer.line(
            f"{said(page.count, ARTICLES)} differ. `connect articles sync -i {interface} -f {DIFFERS}` repairs."
        )
    _exit(found)
    if found["finished_at"] is not None and page.count:
        raise typer.Exit(1)


def _errand(session: Session, verb: ErrandVerb, interface: str, patience: float) -> dict[str, Any]:
    with session.database() as conn:
        session.known_interface(conn, interface)
        with conn.transaction():
            errand = ask_errand(conn, verb, interface, session.actor)
            audit(conn, session.actor, f"articles.{verb}", {"interface": interface, "errand": str(errand)})
        return watch(lambda: read_errand(conn, errand) or {}, _mark, patience, "reading")


def _mark(errand: dict[str, Any]) -> Mark:
    return Mark(errand["seen"], None, errand["finished_at"] is not None)


def _exit(errand: dict[str, Any]) -> None:
    if errand["code"] is not None and errand["finished_at"] is not None:
        raise Trouble(remark(errand["code"]) or f"It could not be done: {errand['code']}.")
