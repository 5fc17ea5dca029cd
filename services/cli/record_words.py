"""The words in which `connect orders`, `exports` and `articles` explain themselves: help and examples of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.records.resources import ARTICLES, EXPORTS, ORDERS, Resource


@dataclass(frozen=True, slots=True)
class Words:
    """Of one resource. named_by: what `show` takes; filter: an example; missing: what to do about an unknown number."""

    resource: Resource
    about: str
    named_by: str
    filter: str
    missing: str
    ask: str
    asked_of: str
    malformed: str
    not_found: str


OF_ORDERS = Words(
    ORDERS,
    "Orders on their way from the marketplace into the ERP.",
    "order number, marketplace id, ERP number, or Connect's own id",
    "state:failed error:remote-timeout",
    "Ask the marketplace for it with `connect orders import --interface {interface} {number}`,"
    " or look at `connect rejections list`.",
    "Fetch orders from the marketplace by number; the answer is a receipt with a result per number.",
    "The importer asks the marketplace for what is queued; --wait waits for the answer.",
    "cannot be an order number",
    "the marketplace does not know it",
)
OF_EXPORTS = Words(
    EXPORTS,
    "Status and tracking on their way from the ERP to the marketplace.",
    "order number, marketplace id, ERP number, tracking number, or Connect's own id",
    "tracking:failed error:carrier-unknown",
    "Read it from the ERP with `connect exports export --interface {interface} {number}`.",
    "Read orders from the ERP now and export status and tracking, even if nothing has changed. A shipment that the"
    " marketplace has already is not sent again.",
    "The exporter reads from the ERP what is queued; --wait waits until it has been sent.",
    "cannot be an order number",
    "the ERP does not know it",
)
OF_ARTICLES = Words(
    ARTICLES,
    "Articles and their stock on the way from the ERP to the marketplace.",
    "SKU, also the marketplace's own, or Connect's own id",
    "state:failed type:variant",
    "Read it from the ERP with `connect articles sync --interface {interface} {number}`,"
    " or refresh what is listed: `connect articles listing --interface {interface}`.",
    "Read the quantities of articles from the ERP now and send them, even if nothing has changed. A parent brings its"
    " variants along.",
    "The stock service reads from the ERP what is queued; --wait waits until it has been sent.",
    "cannot be a SKU",
    "the ERP does not know it, or the interface does not list it",
)


def examples(*lines: str) -> str:
    """Lines that the help shows as they are."""
    return "\n\n\b\n" + "\n".join(lines)


def said(count: int, resource: Resource) -> str:
    """ "1 order", "5 orders"."""
    return f"{count} {resource.one if count == 1 else resource.name}"


def split_numbers(texts: Sequence[str]) -> list[str]:
    """Numbers out of arguments like `4711,4712` and pasted lines, each once, in order."""
    parts = [part.strip() for text in texts for part in text.replace("\n", ",").replace(";", ",").split(",")]
    return list(dict.fromkeys(part for part in parts if part))
