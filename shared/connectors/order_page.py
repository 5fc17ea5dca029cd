"""An address that an operator writes down for a system whose pages we cannot know: where a person sees an order there.

Used by connectors whose vendor documents no address of such a page, or whose shops put it where they like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field

PLACE = "{order}"


def _checked(value: str) -> str:
    value = value.strip()
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        told = parts.scheme in ("https", "http") and parts.hostname and parts.username is None
    except ValueError:
        told = None
    if not told:
        raise ValueError("write an address with https:// or http://, without a user in it")
    if value.count(PLACE) != 1 or PLACE in parts.netloc:
        raise ValueError(f"write {PLACE} once behind the host, where the order's id stands")
    return value


OrderPage = Annotated[str, Field(max_length=500), AfterValidator(_checked)]
"""Empty, or the address of an order's page with `{order}` in place of its id."""


def order_page(settings: Mapping[str, Any], order_id: str) -> str | None:
    """The address of one order by the setting `order_page`; None where an interface has none."""
    address = settings.get("order_page")
    return address.replace(PLACE, quote(order_id, safe="")) if address else None
