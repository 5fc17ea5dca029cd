"""The German quick guide speaks the words of the Journal and of the mails, and shows the pictures that are made."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.records.filter import parse
from tests.support.guide_pictures import INTO, MAIL, SHOTS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/de/kurzanleitung.md").read_text(encoding="utf-8")
TEXTS = [*(ROOT / "services/journal/texts/de").glob("*.toml"), ROOT / "services/alerts/texts/de.toml"]
ITALIC = re.compile(r"(?<![*\w])\*([^*\n]+(?:\n[^*\n]+)?)\*(?![*\w])")
PICTURE = re.compile(r"!\[[^\]]+\]\(bilder/([\w-]+)\.jpg\)")
FORMS = {"CSV", "XLSX"}
"""Buttons that are no text: the template writes the kind of the file."""


def texts() -> Iterator[str]:
    """Everything that the Journal and the mails say in German."""
    for file in TEXTS:
        yield from _leaves(tomllib.loads(file.read_text(encoding="utf-8")))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for one in value.values():
            yield from _leaves(one)


def unknown(guide: str) -> list[str]:
    """Words in italics that nobody sees on a page or in a mail."""
    said = set(texts())
    forms = [re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(one))) for one in said if "{" in one]
    words = {" ".join(found[1].split()) for found in ITALIC.finditer(guide)}
    return sorted(
        word
        for word in words - FORMS
        if not any(one.removesuffix(" …") == word for one in said) and not any(form.fullmatch(word) for form in forms)
    )


def test_what_is_in_italics_is_what_a_person_sees() -> None:
    assert unknown(GUIDE) == []
    assert unknown("Unter *Aufträge* und *Bestellungen*") == ["Bestellungen"]


def test_the_pictures_are_those_that_are_made() -> None:
    assert sorted(PICTURE.findall(GUIDE)) == sorted([*(shot.name for shot in SHOTS), MAIL])
    assert {path.stem for path in INTO.glob("*.jpg")} == set(PICTURE.findall(GUIDE))
    for path in INTO.glob("*.jpg"):
        assert path.stat().st_size < 160_000, path.name


def filters() -> list[str]:
    found = [text for text in re.findall(r"`([^`]+)`", GUIDE) if re.search(r"[:>]", text)]
    assert len(found) > 4
    return found


@pytest.mark.parametrize("text", filters())
def test_every_filter_is_understood(text: str) -> None:
    assert parse(text, ZoneInfo("Europe/Berlin"))
