"""The events of a file: JSON Lines as ever, and one document as an editor writes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli.event_file import events_of

ONE = {"id": "1", "data": {"text": "Straße\nmit Umbruch", "price": "1.50"}}


def read(path: Path, text: str | bytes) -> list[bytes]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with events_of(path, blank=True) as found:
        return list(found)


def test_lines_stay_as_they_are(tmp_path: Path) -> None:
    text = b'{"id": 1}\r\n\n{"id": \xff}\n[1]\nno json'
    assert read(tmp_path / "a", text) == [b'{"id": 1}', b"", b'{"id": \xff}', b"[1]", b"no json"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_object_over_several_lines_is_one_event(tmp_path: Path, end: str) -> None:
    (found,) = read(tmp_path / "a", json.dumps(ONE, indent=2, ensure_ascii=False).replace("\n", end) + end)
    assert b"\n" not in found
    assert json.loads(found) == ONE


def test_an_array_has_an_event_each(tmp_path: Path) -> None:
    for indent in (None, 2):
        found = read(tmp_path / "a", json.dumps([ONE, 7], indent=indent))
        assert [json.loads(one) for one in found] == [ONE, 7]


def test_a_document_that_is_cut_off_is_read_as_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "a", '{\n"id": 1\n') == [b"{", b'"id": 1']
    assert read(tmp_path / "a", '[{"id": 1},\n') == [b'[{"id": 1},']
