"""Puts the table of results between the two marks of a document."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def write(document: Path, text: str) -> None:
    """Replace what is between the marks. ValueError when they are not there."""
    before, begin, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} lacks {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
