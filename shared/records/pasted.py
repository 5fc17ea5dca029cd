"""A pasted list of numbers (commas, lines, an Excel column) as one term of a filter: `4711, 4712` is `4711|4712`.

What already is a filter stays as it is. Called by the pages, before the filter stands in their address.
"""

from __future__ import annotations

import re

from shared.records.filter import WORD, Atom, Term

BREAK = re.compile(r"[\s,;]+")
LINES = re.compile(r"[\n\r\t]")
MARKS = "\"'\u200b\ufeff"


def as_term(text: str) -> str:
    """Everything in the text as one term, each number once, in the order given; "" without any."""
    numbers = dict.fromkeys(number.strip(MARKS) for number in BREAK.split(text))
    atoms = tuple(Atom("", "", number) for number in numbers if number)
    return Term(atoms).text if atoms else ""


def as_filter(text: str) -> str:
    """The filter with each list of numbers in it as one term.

    Words in lines or in columns are such a list; with commas only what holds a digit, since a name may hold one. With
    quotes, `|`, `-` or a word of the filter it was written by somebody who knows the language.
    """
    if '"' in text or not (LINES.search(text.strip()) or "," in text or ";" in text):
        return text
    pieces = re.split(r"([\s,;]+)", text.strip(" ,;\n\r\t"))
    groups: list[list[str]] = []
    parted = ""
    for index, piece in enumerate(pieces):
        if index % 2:
            parted = piece
            continue
        lines = bool(LINES.search(parted))
        joins = groups and _listed(piece, lines) and _listed(groups[-1][-1], lines)
        if joins and (lines or "," in parted or ";" in parted):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    if all(len(group) == 1 for group in groups):
        return text
    return " ".join(as_term(" ".join(group)) if len(group) > 1 else group[0] for group in groups)


def _listed(piece: str, lines: bool) -> bool:
    plain = not piece.startswith("-") and "|" not in piece and not WORD.match(piece)
    return plain and (lines or any(char.isdigit() for char in piece))
