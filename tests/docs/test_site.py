"""The site's navigation has every document, and names none that is gone. `make docs` builds it, strictly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def navigation(text: str) -> list[str]:
    """Every entry of `nav`, in order; a folder ends with a slash."""
    part = text[text.index("\nnav:") :]
    return list(_leaves(yaml.safe_load(part)["nav"]))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    for one in value.values() if isinstance(value, dict) else value:
        yield from _leaves(one)


def missing(entries: list[str], docs: Path) -> list[str]:
    """Documents that no entry leads to, and entries that lead nowhere."""
    pages = [path.relative_to(docs).as_posix() for path in sorted(docs.rglob("*.md"))]
    folders = tuple(entry for entry in entries if entry.endswith("/"))
    lost = [page for page in pages if page not in entries and not (folders and page.startswith(folders))]
    return lost + [entry for entry in entries if not (docs / entry).exists()]


def test_every_document_is_in_the_navigation() -> None:
    assert missing(navigation((ROOT / "mkdocs.yml").read_text(encoding="utf-8")), DOCS) == []


def test_a_forgotten_page_and_a_dead_entry_are_noticed(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "adr/1.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    entries = navigation("theme: x\n\nnav:\n  - A: a.md\n  - More:\n      - C: c.md\n      - D: adr/\n")
    assert entries == ["a.md", "c.md", "adr/"]
    assert missing(entries, tmp_path) == ["b.md", "c.md"]


def test_the_site_asks_nobody_outside() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "\n  font: false\n" in text
    assert "https://" not in text
    assert "http://" not in text
