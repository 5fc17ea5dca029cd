"""What of a list is looked at, as its address says it: filter, sort, page. The address is the whole state."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

SIZES = (15, 25, 50, 100, 250)
PAGE = 50


class View(BaseModel):
    """sort: None for the usual one; cursor: where the page begins, None: at the top; before: where it ends instead;
    at: the number of its first row, which is only shown; run: the bulk run that was just started here."""

    filter: str = ""
    sort: str | None = None
    cursor: str | None = None
    before: str | None = None
    at: int = Field(1, ge=1, lt=2**31)
    size: int = Field(PAGE, ge=1, le=SIZES[-1])
    run: UUID | None = None

    def kept(self) -> dict[str, Any]:
        """What a link to the same list keeps beside its filter; what is usual is left out."""
        return {
            "sort": self.sort,
            "size": self.size if self.size != PAGE else None,
        }
