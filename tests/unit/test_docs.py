"""The documents tell the truth where a machine can tell: links lead somewhere, files exist, settings are all there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.settings import PORTS, PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
FILE = re.compile(r"`((?:shared|services|deploy|docs|tests|benchmarks)/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def wrong(document: Path, root: Path) -> list[str]:
    """The files that a document names or links to and that are not there."""
    text = document.read_text(encoding="utf-8")
    named = [name for name in FILE.findall(text) if not (root / name).exists()]
    return named + [name for name in LINK.findall(text) if not (document.parent / name).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_what_a_document_points_to_exists(document: Path) -> None:
    assert wrong(document, ROOT) == []


def test_a_dead_link_and_a_file_that_is_gone_are_caught(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("see [b](b.md) and `shared/gone.py` and [c](https://example.org)", encoding="utf-8")
    assert wrong(tmp_path / "a.md", tmp_path) == ["shared/gone.py", "b.md"]


def test_operations_names_every_setting_and_port() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    listed = set(re.findall(rf"^\| `({PREFIX}\w+)` \|", text, re.MULTILINE))
    assert listed == {PREFIX + name.upper() for name in Settings.model_fields}
    assert all(str(PORTS[name]) in text for name in ("importer", "journal"))


def test_readme_has_the_two_commands_and_the_build_runs_the_second() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make run\b", readme, re.MULTILINE)
    assert re.search(r"^make test\b", readme, re.MULTILINE)
    build = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert build.index("step make test ") < build.index("step make check ")


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| \*\*(.+?)\*\*", text, re.MULTILINE)
    assert len(words) > 40
    assert words == sorted(set(words), key=str.casefold)
