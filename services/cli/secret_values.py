"""Where a command takes secrets from: NAME=@FILE, a file of NAME=VALUE lines, or a prompt without echo.

Never from its own arguments, which every process of the machine can read. For `interfaces import`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import typer

from services.cli.trouble import USAGE, Trouble


def given_secrets(arguments: Iterable[str], file: Path | None, known: Collection[str]) -> dict[str, str]:
    """`erp.token` → its value. known: the full names that there are; a name is short where only one side has it."""
    found: dict[str, str] = {}
    if file is not None:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if not equals:
                raise Trouble(f"Line {number} of {file} is not NAME=VALUE.", USAGE)
            found[_full(name, known)] = _unquoted(value.strip())
    for text in arguments:
        name, equals, value = text.partition("=")
        if not equals or not value.startswith("@"):
            raise Trouble(
                f"Give the secret {name} as {name}=@FILE, so that nobody sees it in the list of processes.", USAGE
            )
        found[_full(name, known)] = Path(value[1:]).read_text(encoding="utf-8").strip()
    if empty := [name for name, value in found.items() if not value]:
        raise Trouble(f"{', '.join(empty)} has no value.", USAGE)
    return found


def asked_secrets(missing: Iterable[str]) -> dict[str, str]:
    """Ask for each on the terminal; away from one, Trouble that says how to give them."""
    wanted = list(missing)
    if wanted and not sys.stdin.isatty():
        how = " ".join(f"{name}=@FILE" for name in wanted)
        raise Trouble(f"These secrets must be given: {how}, or as lines NAME=VALUE of a --secrets-file.", USAGE)
    return {name: typer.prompt(name, hide_input=True, err=True) for name in wanted}


def _full(name: str, known: Collection[str]) -> str:
    """`token`, `erp.token` and `ERP_TOKEN` are the same."""
    said = name.strip().lower()
    fits = [one for one in known if said in (one, one.partition(".")[2], one.replace(".", "_"))]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise Trouble(f"“{name}” may be {' or '.join(fits)}: say which.", USAGE)
    raise Trouble(f"There is no secret “{name}” here, only {', '.join(known) or 'none'}.", USAGE)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
