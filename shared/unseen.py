"""Characters that a reader cannot see, or that turn the direction of the text around them, made visible. Pure.

A buyer's name with a right-to-left override reads like another file's, two numbers that differ by a zero-width space
look the same. What a browser sends back (fields of forms, addresses) is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from html import escape

UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""A line's end and a tab are left alone."""
JOINERS = "\u200d\ufe0e\ufe0f"
"""They make one picture of several characters; behind a symbol they belong there."""
# Every value is escaped, so each `<` begins a tag of ours and each `>` ends one.
TAGS = re.compile(r"(<!--.*?-->|<[^>]*>)", re.DOTALL)
NAME = re.compile(r"<(/?)([a-z0-9]+)", re.IGNORECASE)
AS_SENT = frozenset({"textarea", "script", "style"})
"""Elements whose text is a value."""
WITHOUT_ELEMENTS = frozenset({"title", "option"})


def named(character: str) -> str:
    """`U+202E Right-To-Left Override`."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '').title()}".strip()


def in_text(text: str) -> str:
    """A text in which each of them is written as `[U+202E]`."""
    return _replaced(text, lambda character: f"[U+{ord(character):04X}]") if UNSEEN.search(text) else text


def in_page(page: str) -> str:
    """A page of HTML in whose texts each of them is a mark with its name. Attributes and fields stay as they are."""
    return "".join(_pieces(page)) if UNSEEN.search(page) else page


def _pieces(page: str) -> Iterator[str]:
    inside: list[str] = []  # the open ones of the elements that are treated in another way
    for no, piece in enumerate(TAGS.split(page)):
        if no % 2:
            yield piece
            found = NAME.match(piece)
            name = found[2].lower() if found else ""
            if name in AS_SENT or name in WITHOUT_ELEMENTS:
                inside = inside[:-1] if found and found[1] else [*inside, name]
        elif inside and inside[-1] in AS_SENT:
            yield piece
        elif inside:
            yield in_text(piece)
        else:
            yield _replaced(piece, _mark)


def _mark(character: str) -> str:
    return f'<mark class="unseen" title="{escape(named(character))}">U+{ord(character):04X}</mark>'


def _replaced(text: str, by: Callable[[str], str]) -> str:
    def one(match: re.Match[str]) -> str:
        before = text[match.start() - 1 : match.start()]
        if match[0] in JOINERS and before and (before in JOINERS or unicodedata.category(before) in ("So", "Sk")):
            return match[0]
        return by(match[0])

    return UNSEEN.sub(one, text)
