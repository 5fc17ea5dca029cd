"""`connect interfaces export` and `import`: an interface as a TOML file without secrets. Added by `interfaces`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.entered import not_called, of_sides, print_remarks
from services.cli.interface_file import Change, changes, written
from services.cli.interface_store import checked, held_secrets, read_file, secret_names, store
from services.cli.printing import Printer
from services.cli.secret_values import asked_secrets, given_secrets
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.records.filter import SLUG
from shared.records.interfaces import read
from shared.records.masked import read_masked

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    ctx: typer.Context,
    slug: Slug,
    file: Annotated[Path | None, typer.Option("--file", help="where to write it; without, to standard output")] = None,
    as_json_: Json = False,
) -> None:
    """Write an interface as TOML: settings, limits, mappings, listing. Secrets are never in it, their names are.

    connect interfaces export otto-de --file otto-de.toml
    """
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read_masked(conn, slug)
    assert found is not None
    text = written(found, discover())
    if file is not None:
        file.write_text(text, encoding="utf-8")
    printer = Printer()
    if as_json_:
        printer.json({"slug": slug, "file": str(file) if file else None, "toml": text})
    elif file is None:
        printer.raw(text)
    else:
        printer.line(f"{slug} is in {file}, without its secrets.")


def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="TOML, as `connect interfaces export` writes it")],
    secrets: Annotated[list[str] | None, typer.Argument(help="a secret from a file: erp.token=@FILE")] = None,
    name: Annotated[str | None, typer.Option("--as", help="another name than the file's `slug`")] = None,
    secrets_file: Annotated[
        Path | None, typer.Option("--secrets-file", help="lines NAME=VALUE, e.g. ERP_TOKEN=…")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would change")] = False,
    as_json_: Json = False,
) -> None:
    """Bring in an interface, new or as a change of one that is there, and say what changes. Its mode stays; new: test.

    What the file leaves out stays; a table that it has is taken as a whole. Secrets that are not given stay.

    \b
    connect interfaces import otto-de.toml --dry-run
    connect interfaces import otto-de.toml client_secret=@secret.txt erp.token=@token.txt
    """
    session: Session = ctx.obj
    connectors, given = discover(), read_file(file)
    slug = name or str(given.get("slug") or "")
    if not SLUG.fullmatch(slug):
        raise Trouble(f'{file} names no interface: write slug = "otto-de" there, or give --as.', USAGE)
    with session.database() as conn:
        seal = session.seal
        old, masked = read(conn, seal, slug), read_masked(conn, slug)
        wanted = checked(given, old, connectors)
        known = secret_names(wanted.connectors)
        told = wanted.secrets | given_secrets(secrets or [], secrets_file, list(known))
        held = held_secrets(old)
        missing = [one for one, required in known.items() if required and one not in told and one not in held]
        if not dry_run:
            told |= asked_secrets(missing)
        whole = wanted.with_secrets(held | told, placeholders=missing if dry_run else ())
        found = changes(masked, whole.document(), [one for one, value in told.items() if held.get(one) != value])
        if found and not dry_run:
            store(conn, seal, slug, whole, old, session.actor)
    remarks = of_sides(whole.sides, lambda url: not_called(url, session.settings.networks(), session.language))
    _tell(slug, masked is None, found, missing if dry_run else [], remarks, dry_run, as_json_)


def _tell(
    slug: str,
    new: bool,
    found: list[Change],
    missing: list[str],
    remarks: list[str],
    dry_run: bool,
    as_json: bool,
) -> None:
    printer = Printer()
    if as_json:
        data: dict[str, Any] = {
            "slug": slug,
            "new": new,
            "dry_run": dry_run,
            "changes": [one.as_json() for one in found],
        }
        printer.json({**data, "missing_secrets": missing, "remarks": remarks})
        return
    for one in found:
        if one.old is None:
            printer.line("  ", (f"+ {one.what} = {one.new}", "ok"))
        elif one.new is None:
            printer.line("  ", (f"- {one.what} (was {one.old})", "wrong"))
        else:
            printer.line("  ", (f"~ {one.what} = {one.new}", "remark"), f" (was {one.old})")
    for secret in missing:
        printer.line("  ", (f"{secret} must be given: {secret}=@FILE", "remark"))
    print_remarks(printer, remarks)
    if not found:
        printer.line(f"{slug} is as the file says already.")
    elif dry_run:
        printer.line(f"{slug} would be {'added' if new else 'changed'}; nothing was done.")
    else:
        printer.line(f"{slug} is {'added, in test' if new else 'changed'}. Next: `connect interfaces ping {slug}`.")
