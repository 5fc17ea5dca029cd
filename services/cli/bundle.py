"""`connect debug bundle`: one file for whoever helps, with what there is to know, and nobody's data."""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.bundle_parts import Part, logs_of_up, parts, places_of_metrics
from services.cli.printing import Printer, as_json
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from services.cli.watching import Mark, bar

app = typer.Typer(help="For whoever helps when something is wrong.")

EACH_SECONDS = 20.0
ALL_SECONDS = 120.0
EACH_BYTES = 4_000_000


@app.callback()
def group() -> None:
    """Keeps `bundle` a word of its own although it is the only command here."""


@app.command()
def bundle(
    ctx: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--to", help="the file to write; without it connect-debug-TIME.zip here")
    ] = None,
    log: Annotated[list[Path] | None, typer.Option(help="a service's log in JSON; repeatable")] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(help="NAME=URL of a service's metrics; repeatable. Without it the usual ports")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what it would hold")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """Write a zip with versions, settings without secrets, sizes, counts, queues, metrics, log lines; nobody's data.

    It says what it holds before it writes. Each look has 20 seconds, all of them two minutes; what could not be
    looked at is named in it, so it works while something is down.

    \b
    connect debug bundle --dry-run
    connect debug bundle --to bundle.zip --log /var/log/connect/importer.log
    """
    session: Session = ctx.obj
    target = to or Path(f"connect-debug-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    if target.exists():
        raise Trouble(f"{target} is there already: name a new file.", USAGE)
    for path in log or ():
        if not path.is_file():
            raise Trouble(f"{path} is no file.", USAGE)
    wanted = parts(session, log or logs_of_up(session), _places(session, metrics))
    printer = Printer()
    if not as_json_:
        _say(printer, wanted, target, dry_run=dry_run)
    if dry_run:
        if as_json_:
            printer.json({"dry_run": True, "parts": [{"file": one.file, "what": one.what} for one in wanted]})
        return
    told = _write(target, wanted)
    if as_json_:
        printer.json({"file": str(target), "bytes": target.stat().st_size, "parts": told})
        return
    for one in told:
        if one["failed"]:
            printer.line((f"{one['file']}: {one['failed']}", "remark"))
    printer.line(f"{target}: {target.stat().st_size} bytes. Have a look into it before you hand it on.")


def _places(session: Session, given: Sequence[str] | None) -> dict[str, str]:
    if not given:
        return places_of_metrics(session)
    found = {}
    for one in given:
        name, _, url = one.partition("=")
        if not url.startswith(("http://", "https://")) or not name.isidentifier():
            raise Trouble(f"--metrics {one}: write NAME=http://…, e.g. importer=http://10.1.2.3:9401/metrics.", USAGE)
        found[name] = url
    return found


def _say(printer: Printer, wanted: Sequence[Part], target: Path, *, dry_run: bool) -> None:
    printer.line(f"{target} {'would hold' if dry_run else 'will hold'}:")
    printer.table(("file", "what"), [(one.file, one.what) for one in wanted])


def _write(target: Path, wanted: Sequence[Part]) -> list[dict[str, Any]]:
    """Look, pack, and give the file its name when it is whole; only its owner may read it."""
    until = time.monotonic() + ALL_SECONDS
    told: list[dict[str, Any]] = []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file, bar("looking") as show:
        for at, part in enumerate(wanted):
            show(Mark(at, len(wanted), finished=False))
            text, failed = _looked(part, min(EACH_SECONDS, until - time.monotonic()))
            body = text.encode("utf-8", "backslashreplace")
            if len(body) > EACH_BYTES:
                body, failed = body[:EACH_BYTES], "was longer and is cut off"
            if body:
                file.writestr(part.file, body)
            told.append({"file": part.file, "what": part.what, "bytes": len(body), "failed": failed})
        file.writestr("README.json", as_json({"made_at": datetime.now(UTC), "parts": told}))
    draft = target.with_name(f".{target.name}.unfinished")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(packed.getvalue())
    draft.rename(target)
    return told


def _looked(part: Part, seconds: float) -> tuple[str, str | None]:
    """What a part holds, and why it does not. A look that hangs is left behind: its thread ends with the process."""
    if seconds <= 0:
        return "", "there was no time left"
    found: dict[str, Any] = {}

    def look() -> None:
        try:
            found["value"] = part.look()
        except Exception as error:  # its text may quote data
            found["error"] = type(error).__name__

    thread = threading.Thread(target=look, name=part.file, daemon=True)
    thread.start()
    thread.join(seconds)
    if "value" in found:
        value = found["value"]
        return (value if isinstance(value, str) else as_json(value)), None
    return "", f"could not be looked at: {found.get('error', 'no answer in time')}"
