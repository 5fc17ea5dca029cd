"""Field types of the contracts. Everything that would be a rejection is decided here, by type and pattern."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints


def _utc(value: datetime) -> datetime:
    """Two spellings of one instant are one value, so that they have one canonical form."""
    try:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not within the years 1 to 9999") from None


def _text(value: object) -> object:
    """Seconds since 1970 are no RFC 3339, not even in quotes."""
    if isinstance(value, int | float) or (isinstance(value, str) and value[4:5] != "-"):
        raise ValueError("must be a time such as 2026-11-23T10:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_utc)]
"""RFC 3339 with an offset, kept as UTC."""

Money = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,4})?$")]
"""A decimal as a string, e.g. "19.99"; a JSON number is refused because floats lose cents."""

Rate = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?$")]
"""A percentage as a decimal string, e.g. "19.0"."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""An interface's name in URLs, routing keys and labels."""

Number = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
"""An order number or id: any text without blanks at its ends."""

Sku = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Any Unicode text; `/`, `.` and umlauts occur."""

Text = Annotated[str, StringConstraints(max_length=10_000)]
Quantity = Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
Version = Annotated[int, Field(strict=True, ge=0, le=2**53)]
