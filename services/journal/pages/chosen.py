"""What a form means: records that were ticked, or all that match a search except some. Shared by pages of actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Form, Query

from services.journal.pages.scope import scope
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.records.filter import Filter

MOST_TICKED = 1000
Id = Annotated[int, Query(ge=1, lt=2**63)]
FormId = Annotated[int, Form(ge=1, lt=2**63)]
PAGE, ALL = "page", "all"
"""`of`: what a list's form is about: the rows ticked on the page, or all that match but those in `except`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """ids, or, where there are none, the search `text` limited to the interface `slug`, without `excepted`."""

    ids: Sequence[int]
    text: str
    slug: str | None
    excepted: Sequence[int]
    of: str = ""

    @property
    def nothing(self) -> bool:
        """A list's form was sent with nothing ticked."""
        return self.of == PAGE and not self.ids

    def filter(self, conn: Connection, journal: Journal) -> Filter | None:
        """None where ids say it. Raises FilterError."""
        return None if self.ids else scope(conn, journal, self.slug, self.text)

    def meant(self, conn: Connection, journal: Journal) -> dict[str, Any]:
        """The arguments `ids`, `filter` and `excepted` of what acts on records. Raises FilterError."""
        wanted = self.filter(conn, journal)
        return {"ids": list(self.ids) or None, "filter": wanted, "excepted": [] if self.ids else list(self.excepted)}


def choice(
    ids: Sequence[int] | None, text: str, slug: str | None, excepted: Sequence[int] | None, of: str = ""
) -> Choice:
    """Of a query or a form. With `of` all, ticks do not count."""
    named = [] if of == ALL else list(dict.fromkeys(ids or ()))[:MOST_TICKED]
    return Choice(named, text, slug or None, list(dict.fromkeys(excepted or ())), of)
