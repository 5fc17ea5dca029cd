"""`retry`, `ignore` and `unignore`: the same for orders, exports and articles. A few run at once; many are a bulk run,
which the Journal's service carries out: `connect runs show` follows it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from services.cli.printing import Printer
from services.cli.record_words import Words, examples, said
from services.cli.records import Except, FilterText, Interface, Json, Numbers, excepted, meant, one
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.db.connect import Connection
from shared.records.bulk import BulkVerb, How, preview, start
from shared.records.ignoring import LONGEST_WHY

DryRun = Annotated[bool, typer.Option("--dry-run", help="only say how many would run, and why others would not")]
Why = Annotated[str | None, typer.Option("--why", help="the reason, for the audit")]
Now = Annotated[bool, typer.Option("--now", help="begin at once, without the 10 seconds in which many can be undone")]


def add_bulk_commands(app: typer.Typer, words: Words) -> None:
    """Add the three commands of a resource."""
    _add_retry(app, words)
    _add_ignore(app, words)
    _add_unignore(app, words)


def _add_retry(app: typer.Typer, words: Words) -> None:
    name = words.resource.name
    text = (
        f"Let {name} run again, by number or all that match a filter. Nothing is done twice. More than 25 begin after"
        " 10 seconds and go up a ramp of 1, 5, 25 and the rest, which stops by itself where too many fail again."
    )
    shown = (
        f"connect {name} retry 4711 4712",
        f"connect {name} retry --filter '{words.filter}' --except 4713 --dry-run",
        f"connect {name} retry --filter '{words.filter}' --leave hopeless --per-minute 60",
    )

    @app.command(help=text + examples(*shown))
    def retry(
        ctx: typer.Context,
        numbers: Numbers = None,
        filter: FilterText = None,
        without: Except = None,
        interface: Interface = None,
        dry_run: DryRun = False,
        now: Now = False,
        ramp: Annotated[bool | None, typer.Option("--ramp/--no-ramp", help="1, 5, 25, the rest")] = None,
        per_minute: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="at most so many a minute")] = None,
        leave: Annotated[
            list[str] | None,
            typer.Option(help="leave alone what is `finished`, or `hopeless`: would fail again until it is mended"),
        ] = None,
        why: Why = None,
        as_json_: Json = False,
    ) -> None:
        session: Session = ctx.obj
        if wrong := set(leave or ()) - {"finished", "hopeless"}:
            raise Trouble(f"--leave is finished or hopeless, not {', '.join(sorted(wrong))}.", USAGE)
        meant(words, numbers, filter, without)
        how = How(0.0 if now else None, ramp, per_minute, leave or (), why)
        printer = Printer()
        with session.database() as conn:
            chosen = _chosen(session, conn, words, numbers, filter, without, interface)
            if dry_run:
                plan = preview(conn, words.resource.flow, **chosen, leave=leave or ())
                printer.json(plan) if as_json_ else _print_preview(printer, words, plan)
                return
            run = start(conn, words.resource.flow, "retry", session.actor, **chosen, how=how)
        printer.json(run) if as_json_ else print_run(printer, words, run)


def _add_ignore(app: typer.Typer, words: Words) -> None:
    name = words.resource.name
    text = f"Leave {name} alone from now on, for a reason that is shown with each; `unignore` takes it back."
    shown = (f"connect {name} ignore 4711 --why 'test order'", f"connect {name} ignore -f 'error:…' --why '…'")

    @app.command(help=text + examples(*shown))
    def ignore(
        ctx: typer.Context,
        why: Annotated[str, typer.Option("--why", help="the reason, shown with each record")],
        numbers: Numbers = None,
        filter: FilterText = None,
        without: Except = None,
        interface: Interface = None,
        now: Now = False,
        as_json_: Json = False,
    ) -> None:
        if not 3 <= len(why.strip()) <= LONGEST_WHY:
            raise Trouble(f"Say why in 3 to {LONGEST_WHY} characters.", USAGE)
        how = How(0.0 if now else None, why=why.strip())
        _begin(ctx.obj, words, "ignore", (numbers, filter, without, interface), how, as_json_)


def _add_unignore(app: typer.Typer, words: Words) -> None:
    name = words.resource.name
    text = f"Bring ignored {name} back to what they were before."

    @app.command(help=text + examples(f"connect {name} unignore 4711"))
    def unignore(
        ctx: typer.Context,
        numbers: Numbers = None,
        filter: FilterText = None,
        without: Except = None,
        interface: Interface = None,
        now: Now = False,
        why: Why = None,
        as_json_: Json = False,
    ) -> None:
        how = How(0.0 if now else None, why=why)
        _begin(ctx.obj, words, "unignore", (numbers, filter, without, interface), how, as_json_)


Said = tuple[list[str] | None, str | None, str | None, str | None]
"""What a command line says of records: numbers, filter, except, interface."""


def _begin(session: Session, words: Words, verb: BulkVerb, given: Said, how: How, as_json_: bool) -> None:
    meant(words, *given[:3])
    with session.database() as conn:
        chosen = _chosen(session, conn, words, *given)
        run = start(conn, words.resource.flow, verb, session.actor, **chosen, how=how)
    Printer().json(run) if as_json_ else print_run(Printer(), words, run)


def _chosen(
    session: Session,
    conn: Connection,
    words: Words,
    numbers: list[str] | None,
    filter: str | None,
    without: str | None,
    interface: str | None,
) -> dict[str, Any]:
    wanted = meant(words, numbers, filter, without)
    if wanted:
        return {"ids": [one(session, conn, words, number, interface) for number in wanted], "filter": None}
    return {
        "ids": None,
        "filter": session.filter(conn, filter or "", interface),
        "excepted": excepted(session, conn, words, without, interface),
    }


def _print_preview(printer: Printer, words: Words, plan: dict[str, Any]) -> None:
    counts = plan["counts"]
    states = ", ".join(f"{count} {state}" for state, count in counts["by_state"].items()) or "none"
    match = "matches" if counts["matched"] == 1 else "match"
    printer.line(
        f"{said(counts['matched'], words.resource)} {match} ({states}); {counts['run']} would run,"
        f" {counts['already_on_their_way']} are on their way, {counts['nothing_to_send']} have nothing to send yet."
    )
    for code, count in plan["would_fail_again"].items():
        printer.line(f"  {count} would fail again until this is mended: {code}")
    if plan["ramp"]:
        printer.line("They begin after 10 seconds, with a ramp: 1, 5, 25, the rest.")


DONE: dict[Literal["retry", "ignore", "unignore"], str] = {
    "retry": "run again",
    "ignore": "are ignored",
    "unignore": "are ignored no more",
}


def print_run(printer: Printer, words: Words, run: dict[str, Any]) -> None:
    """What was begun, or done at once."""
    counts, verb = run["counts"], run["verb"]
    if run["state"] == "undo-window":
        many = "all that match" if counts["matched"] is None else said(counts["matched"], words.resource)
        printer.line(f"{many} begin shortly. Undo: connect runs cancel {run['id']}")
        printer.line(f"Follow it: connect runs show {run['id']} --wait")
        return
    if counts["matched"] is None or run["progress"]["to_come"]:
        printer.line(f"Begun. Follow it: connect runs show {run['id']} --wait")
        return
    matched = said(counts["matched"], words.resource)
    printer.line(f"{counts['done']} of {matched} {DONE[verb]}; {counts['skipped']} were left alone.")
    for record_id, why in list(run["skipped"].items())[:20]:
        printer.line(f"  {words.resource.one} with id {record_id} {why}")
