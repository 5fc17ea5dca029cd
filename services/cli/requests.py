"""`orders import`, `exports export`, `articles sync`: ask for records by number or filter; the answer is a receipt."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli.drafted import print_drafted
from services.cli.printing import Printer
from services.cli.record_words import Words, examples
from services.cli.records import Except, FilterText, Json, Numbers, excepted, meant
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from services.cli.watching import Mark, watch
from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.people.audit import audit
from shared.records.actions import MOST_NUMBERS, request, request_selected
from shared.records.receipt import read_receipt

ON_THEIR_WAY = ("pending", "running")
Wait = Annotated[bool, typer.Option("--wait", help="wait for what comes of it, with a bar on a terminal")]
Timeout = Annotated[float, typer.Option(min=0, help="seconds to wait at most")]


def add_request(app: typer.Typer, words: Words) -> None:
    """Add the command of the resource's verb."""
    resource = words.resource
    name, verb = resource.name, resource.verb
    shown = [f"connect {name} {verb} --interface otto-de 4711,4712 --wait"]
    shown.append(f"connect {name} {verb} --interface otto-de 4711 --dry-run")
    if verb != "import":
        shown.append(f"connect {name} {verb} --filter '{words.filter} interface:otto-de' --except 4713")

    @app.command(verb, help=words.ask + examples(*shown))
    def ask(
        ctx: typer.Context,
        numbers: Numbers = None,
        interface: Annotated[
            str | None, typer.Option("--interface", "-i", help="of which interface, e.g. otto-de; numbers need it")
        ] = None,
        filter: FilterText = None,
        without: Except = None,
        wait: Wait = False,
        timeout: Timeout = 60.0,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="only show the very document that would be sent; changes nothing")
        ] = False,
        as_json_: Json = False,
    ) -> None:
        session: Session = ctx.obj
        wanted = meant(words, numbers, filter, without)
        if wanted and interface is None:
            raise Trouble("Say of which interface with --interface (`connect interfaces list`).", USAGE)
        if len(wanted) > MOST_NUMBERS:
            raise Trouble(f"{len(wanted)} numbers at once, {MOST_NUMBERS} are allowed: ask in several goes.", USAGE)
        with session.database() as conn:
            with conn.transaction():
                if interface is not None and wanted:
                    session.known_interface(conn, interface)
                    receipt_id = request(conn, verb, interface, wanted, session.actor, dry_run=dry_run)
                else:
                    parsed = session.filter(conn, filter or "", interface)
                    spared = excepted(session, conn, words, without, interface)
                    receipt_id = request_selected(
                        conn, verb, session.actor, filter=parsed, excepted=spared, dry_run=dry_run
                    )
                target: dict[str, Any] = {"interface": interface, "receipt": str(receipt_id)}
                audit(conn, session.actor, f"{name}.{verb}", target | ({"dry_run": True} if dry_run else {}))
            patience = timeout if wait or dry_run else 0.0
            receipt = watch(
                lambda: _read(conn, receipt_id, session.language),
                lambda found: _mark(found, verb),
                patience,
                f"{verb}ing",
            )
        if as_json_:
            Printer().json(receipt)
        elif dry_run:
            print_drafted(words, receipt)
        else:
            _print(words, receipt)
        if any(_wrong(one) for one in receipt["numbers"]):
            raise typer.Exit(1)


def _read(conn: Connection, receipt_id: UUID, language: Language) -> dict[str, Any]:
    receipt = read_receipt(conn, receipt_id, language=language)
    assert receipt is not None
    return receipt


def _mark(receipt: dict[str, Any], verb: str) -> Mark:
    """Imported is what the marketplace has answered for; exported and synced is what has been sent as well."""
    numbers = receipt["numbers"]
    answered = [one for one in numbers if one["result"] != "queued" or one["record_id"] is not None]
    finished = [one for one in answered if verb == "import" or one["state"] not in ON_THEIR_WAY]
    return Mark(len(finished), len(numbers), len(finished) == len(numbers))


def _wrong(one: dict[str, Any]) -> bool:
    failed = one["state"] == "failed" and one["result"] == "queued"
    failed = failed or (one["result"] == "drafted" and not one["documents"])
    return failed or one["result"] in ("not-found", "malformed", "failed")


def _print(words: Words, receipt: dict[str, Any]) -> None:
    said = {
        "queued": ("queued", "pending"),
        "exists": ("is in Connect already", "done"),
        "not-found": (words.not_found, "failed"),
        "malformed": (words.malformed, "failed"),
        "failed": ("failed", "failed"),
    }
    rows = [
        (
            one["number"],
            one["interface"],
            (one["state"], one["state"]) if one["result"] == "queued" and one["state"] else said[one["result"]],
            one["sentence"] or one["code"] or "",
        )
        for one in receipt["numbers"]
    ]
    printer = Printer()
    printer.table((words.resource.one, "interface", "result", "error"), rows)
    if not rows:
        printer.line("Nothing matches.")
    if not receipt["complete"]:
        printer.line(words.asked_of)
