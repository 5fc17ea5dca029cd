"""What cannot be seen is named, and what a browser sends back stays as it came."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.unseen import UNSEEN, in_page, in_text

TEXTS = sorted(Path(__file__).parents[2].glob("services/*/texts/**/*.toml"))

MARK = '<mark class="unseen" title="U+200B Zero Width Space">U+200B</mark>'


def test_texts_of_a_page_get_marks_and_values_stay() -> None:
    page = '<title>a\u200b</title><p title="a\u200b">a\u200b</p><input value="a\u200b"><option>a\u200b</option>'
    assert in_page(page) == (
        f'<title>a[U+200B]</title><p title="a\u200b">a{MARK}</p><input value="a\u200b"><option>a[U+200B]</option>'
    )
    field = '<textarea name="x">a\u200b</textarea>'
    assert in_page(field + "<p>\u200b</p>") == f"{field}<p>{MARK}</p>"
    plain = "<p>Größe\tM\n</p>"
    assert in_page(plain) is plain


def test_pictures_of_several_characters_stay_whole_and_others_are_told() -> None:
    for picture in ("❤\ufe0f", "👩\u200d💻", "🏳\ufe0f\u200d🌈"):
        assert in_text(f"Danke {picture}!") == f"Danke {picture}!"
    assert in_text("A\u200d1") == "A[U+200D]1"
    assert in_text("\u202egnp.exe") == "[U+202E]gnp.exe"


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_no_text_of_ours_would_be_marked(file: Path) -> None:
    found = {
        name: text for name, text in _texts(tomllib.loads(file.read_text(encoding="utf-8"))) if UNSEEN.search(text)
    }
    assert found == {}


def _texts(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from _texts(value)
