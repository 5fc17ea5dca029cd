"""The files that are made from code: `python -m services.cli.generated` writes them, `--check` names the stale ones.

Schemas, the AsyncAPI document, the reference of events, commands, settings and metrics, the picture of the states and
the broker's definitions. A test runs the check. The reference of the API is written by `services.journal.reference`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from services.cli import metrics_page
from services.cli.__main__ import build
from services.cli.asyncapi import document
from services.cli.reference import commands, events, settings
from shared.broker import definitions
from shared.events.schemas import schemas
from shared.records.draw import markdown


def contents() -> dict[str, str]:
    """Path below the project's root → what the file has to contain."""
    made = {f"docs/schemas/{event_type}.json": _json(schema) for event_type, schema in schemas().items()}
    return {
        **made,
        "docs/asyncapi.json": _json(document()),
        "docs/metrics.md": metrics_page.markdown(),
        "docs/states.md": markdown(),
        "docs/reference/commands.md": commands.markdown(build()),
        "docs/reference/events.md": events.markdown(),
        "docs/reference/settings.md": settings.markdown(),
        "deploy/rabbitmq/definitions.json": definitions.text(),
    }


def stale(root: Path) -> list[str]:
    """The generated files that are missing or differ, and schemas that nobody makes any more."""
    wanted = contents()
    wrong = [name for name, text in wanted.items() if not (root / name).is_file() or _read(root / name) != text]
    left = [f"docs/schemas/{path.name}" for path in (root / "docs" / "schemas").glob("*.json")]
    return sorted({*wrong, *(name for name in left if name not in wanted)})


def write(root: Path) -> list[str]:
    """Bring all of them up to date; returns what was changed."""
    wanted, changed = contents(), stale(root)
    for name in changed:
        path = root / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> int:
    """0 when all is up to date or was brought so, 1 when `--check` found stale files."""
    parser = argparse.ArgumentParser(prog="python -m services.cli.generated", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a file is stale")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the project's root (default: here)")
    given = parser.parse_args()
    changed = stale(given.root) if given.check else write(given.root)
    for name in changed:
        sys.stdout.write(f"{'stale' if given.check else 'written'}: {name}\n")
    return 1 if given.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
