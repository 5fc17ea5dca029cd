"""`python -m deploy.grafana.builder` writes the dashboards; `--check` names the stale ones and exits with 1.

`--journal` and `--runbooks` say where their links lead, `--into` names another folder: for one's own installation.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.grafana.builder import alarms, broker, connector, database, flow, overview
from deploy.grafana.builder.board import USUAL, Board, Places

FOLDER = Path(__file__).parents[1] / "dashboards"


def boards() -> list[Board]:
    """All of them."""
    return [one.board() for one in (overview, flow, connector, broker, database, alarms)]


def stale(folder: Path, places: Places = USUAL) -> dict[Path, str | None]:
    """Files that are missing or differ, with what they should hold; None for one that belongs to no dashboard."""
    wanted = {folder / f"{board.uid}.json": board.text(places) for board in boards()}
    wrong: dict[Path, str | None] = {
        path: text for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    return wrong | {path: None for path in folder.glob("connect-*.json") if path not in wanted}


def main(arguments: list[str]) -> int:
    """0 when all is up to date or was brought so."""
    parser = argparse.ArgumentParser(prog="make dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--journal", default=USUAL.journal, help="its address, e.g. https://connect.example.org")
    parser.add_argument("--runbooks", default=USUAL.runbooks, help="where docs/runbooks/*.md are read")
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder")
    asked = parser.parse_args(arguments)
    check, places = asked.check, Places(asked.journal.rstrip("/"), asked.runbooks.rstrip("/"))
    if not check:
        asked.into.mkdir(parents=True, exist_ok=True)
    changed = stale(asked.into, places)
    for path, text in changed.items():
        sys.stdout.write(f"{'stale' if check else 'written'}: {path.name}\n")
        if check:
            continue
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
