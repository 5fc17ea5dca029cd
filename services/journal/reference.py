"""`docs/reference/api.md`: every call with who may make it, from the description that the Journal serves.

`python -m services.journal.reference` writes it, `--check` says whether it is stale. Needs no database.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from psycopg_pool import ConnectionPool

from services.journal.api.description import WORDS, description
from services.journal.app import create_app
from services.journal.wiring import Journal
from shared.metrics import Metrics

PAGE = Path("docs/reference/api.md")
HEAD = """\
# HTTP API

Generated from `services/journal/api`; write it again with `make generate`. A running Journal serves the same as
OpenAPI 3.1, with the form of each body, at `/api/v1/openapi.json`.

Log in with `Authorization: Bearer <token>` (`connect tokens create`) or with the session cookie of the pages. A
role may do what the one before it may: viewer, operator, admin; a publisher may post events of its interfaces and
nothing else. Refusals are `application/problem+json` (RFC 9457) with a `code` that programs may rely on; 429 and
503 say in `Retry-After` how many seconds to wait. How to post events: [publishing events](../publishing.md).
"""
WHO = {"public": "anybody", "everybody": "anybody", None: "–"}


def document() -> dict[str, Any]:
    """The OpenAPI document of a Journal that nobody started."""
    pool: Any = ConnectionPool("", min_size=0, max_size=1, open=False)
    return description(create_app(Journal(pool, ZoneInfo("UTC"), Metrics("journal", "0"))))


def markdown(whole: Mapping[str, Any]) -> str:
    """The page of a document."""
    found = [
        (_resource(path), path, method.upper(), call)
        for path, calls in whole["paths"].items()
        for method, call in calls.items()
    ]
    text = HEAD
    for resource, calls in groupby(sorted(found, key=lambda one: one[:3]), key=lambda one: one[0]):
        text += f"\n## {resource}\n\n| call | who | does | parameters |\n|---|---|---|---|\n"
        text += "".join(_row(path, method, call) for _, path, method, call in calls)
    text += "\n## Refusals\n\n| status | means |\n|---|---|\n"
    return text + "".join(f"| {status} | {words} |\n" for status, words in WORDS.items())


def _resource(path: str) -> str:
    return path.removeprefix("/api/v1/").partition("/")[0].partition(".")[0]


def _row(path: str, method: str, call: Mapping[str, Any]) -> str:
    need = call.get("x-connect-role")
    about = (call.get("description") or call.get("summary") or "").split("\n\n")[0]
    asked = ", ".join(f"`{one['name']}`" for one in call.get("parameters", ()) if one["in"] == "query")
    does = " ".join(about.split()).replace("|", "\\|")
    return f"| `{method} {path}` | {WHO.get(need, need)} | {does} | {asked or '–'} |\n"


def main() -> int:
    """0 when the page is up to date or was written, 1 when `--check` found it stale."""
    wanted = markdown(document())
    fits = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted
    if not fits and "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(wanted, encoding="utf-8")
    if not fits:
        sys.stdout.write(f"{'stale' if '--check' in sys.argv[1:] else 'written'}: {PAGE}\n")
    return 1 if not fits and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
