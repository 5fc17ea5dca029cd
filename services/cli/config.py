"""`connect config show`: every setting as it is in effect, secrets masked."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer
from pydantic import SecretStr

from services.cli.printing import Printer
from services.cli.session import Session
from shared.settings import PREFIX, Settings, unknown

app = typer.Typer(help="The settings in effect.")
MASK = "••••••••"
BY_PATH = {"heartbeat_url"}
"""Addresses whose path is the secret: whoever knows it may say that all is well."""


@app.callback()
def group() -> None:
    """Keeps `show` a word of its own although it is the only command here."""


@app.command()
def show(
    ctx: typer.Context, as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False
) -> None:
    """Every setting: its name in the environment, its value, what it is for. Secrets are masked."""
    session: Session = ctx.obj
    settings, odd = session.settings, unknown(session.environment)
    shown = {PREFIX + name.upper(): masked(getattr(settings, name), name in BY_PATH) for name in Settings.model_fields}
    printer = Printer()
    if as_json_:
        printer.json({"settings": shown, "unknown": odd, "borrowed_from": _borrowed(session)})
        return
    rows = [
        (name, "–" if shown[name] is None else str(shown[name]), field.description or "")
        for name, field in zip(shown, Settings.model_fields.values(), strict=True)
    ]
    printer.table(("setting", "value", "for"), rows)
    if borrowed := _borrowed(session):
        printer.line((f"Database and broker are those of the `connect up` that runs in {borrowed}.", "faint"))
    for name in odd:
        printer.line((f"{name} is no setting of Connect: is it misspelt?", "remark"))


def _borrowed(session: Session) -> str | None:
    taken = session.own.database_url is None and session.running is not None
    return str(session.running["folder"]) if taken and session.running else None


_URL_LOGIN = re.compile(r"://[^/@]*@")


def masked(value: Any, path: bool = False) -> Any:
    """The value without its secret: that is dots; a URL loses its password, and its path where that is the secret."""
    if value is None or isinstance(value, int | bool):
        return value
    if isinstance(value, SecretStr):
        return MASK
    text = str(value)
    try:
        parts = urlsplit(text) if "://" in text else None
    except ValueError:  # several hosts, one of them an IPv6 address
        return _URL_LOGIN.sub(f"://{MASK}@", text) if not path else MASK
    if parts is not None and path:
        parts = parts._replace(path=f"/{MASK}", query="", fragment="")
        text = urlunsplit(parts)
    if parts is None or parts.password is None:
        return text
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{place}"))
