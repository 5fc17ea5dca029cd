"""`docs/reference/commands.md`: every command with its arguments and options, from the command line itself. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import typer

HEAD = """\
# Commands

Generated from `services/cli`; write it again with `make generate`. `connect COMMAND --help` says the same.

Settings come from `CONNECT_…` in the environment ([all of them](settings.md)); where a `connect up` runs, its are
taken. Every command that prints knows `--json`. `--lang de` or `--lang en` before the command chooses the language,
`--debug` prints where an unexpected error happened. Exit codes: 0 done, 1 failed or not found, 2 wrong usage;
errors are on stderr, with the next step.
"""


def markdown(app: typer.Typer) -> str:
    """The page of one command line."""
    whole: Any = typer.main.get_command(app)
    return HEAD + "".join(_of(whole, "connect"))


def _of(group: Any, path: str) -> Iterator[str]:
    # Single commands first, then groups, each by its name.
    found = sorted(group.commands.items(), key=lambda item: (hasattr(item[1], "commands"), item[0]))
    for name, command in found:
        if command.hidden:
            continue
        whole = f"{path} {name}"
        if hasattr(command, "commands"):
            yield f"\n## {whole}\n\n{_first(command.help)}\n"
            if command.invoke_without_command:
                yield _command(command, whole, "###")
            yield from _of(command, whole)
        else:
            yield _command(command, whole, "##" if path == "connect" else "###")


def _command(command: Any, path: str, level: str) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    named = " ".join(_placeholder(one) for one in arguments)
    usage = " ".join(filter(None, [path, "[OPTIONS]" if options else "", named]))
    text = f"\n{level} {path}\n\n```text\n{usage}\n```\n\n{_prose(command.help)}\n"
    rows = [(f"`{_placeholder(one)}`", one.help or "", _default(one)) for one in arguments]
    rows += [(_names(one), one.help or "", _default(one)) for one in options]
    if rows:
        text += "\n| | meaning | default |\n|---|---|---|\n"
        text += "".join(f"| {name} | {_cell(about)} | {default} |\n" for name, about, default in rows)
    return text


def _placeholder(argument: Any) -> str:
    name = str(argument.name).rstrip("_").upper()
    name = f"{name}…" if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    said = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    kind = option.type_descriptor.annotation
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices:
        said += " " + " ".join(f"`{choice}`" for choice in choices)
    return said + (" (may be repeated)" if option.multiple else "")


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "needed"
    plain = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    return f"`{value}`" if plain else "–"


def _first(text: str | None) -> str:
    return inspect.cleandoc(text or "").split("\n\n")[0]


def _prose(text: str | None) -> str:
    """Help as Markdown: what is laid out as it is (\\b) and commands become blocks."""
    parts = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        lines = [line for line in part.splitlines() if line.strip() != "\b"]
        if len(lines) < len(part.splitlines()) or (lines[:1] and lines[0].startswith("connect ")):
            parts.append("```text\n" + "\n".join(lines) + "\n```")
        else:
            parts.append(_cell(" ".join(lines)))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    """Inside a table, and outside of code: a bare < begins a tag."""
    return re.sub(r"<(?=[a-z])", "&lt;", " ".join(text.split()).replace("|", "\\|"))
