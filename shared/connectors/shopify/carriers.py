"""Carriers: what an ERP calls them → the company names that Shopify makes tracking links for."""

from __future__ import annotations

import re
from collections.abc import Mapping

PARCEL = frozenset(("DHL", "DHL Express", "DPD", "GLS", "Hermes", "UPS", "FedEx", "TNT"))
"""They give every parcel a number; letters and forwarders may go without one."""

_OTHERS = (
    "4PX, AGS, Amazon, Amazon Logistics UK, An Post, Anjun Logistics, APC, Asendia USA, Australia Post, Austrian Post, "
    "Bonshaw, BPost, BPost International, Canada Post, Canpar, CDL Last Mile, China Post, Chronopost, Chukou1, "
    "Colissimo, Comingle, Coordinadora, Correios, Correos, CTT, CTT Express, Cyprus Post, Delnext, Deutsche Post, "
    "Deutsche Post (DE), Deutsche Post (EN), DHL eCommerce, DHL eCommerce Asia, DPD Local, DPD UK, DTD Express, DX, "
    "Eagle, Estes, Evri, First Line, FSC, Fulfilla, Heppner Internationale Spedition GmbH & Co., Iceland Post, IDEX, "
    "Israel Post, Japan Post (EN), Japan Post (JA), La Poste, Lasership, Latvia Post, Lietuvos Paštas, Logisters, "
    "Lone Star Overnight, M3 Logistics, Meteor Space, Mondial Relay, New Zealand Post, NinjaVan, OnTrac, Packeta, "
    "Pago Logistics, Pitney Bowes, Portal PostNord, Poste Italiane, PostNL, PostNord DK, PostNord NO, PostNord SE, "
    "Purolator, Qxpress, Royal Mail, Royal Shipments, Sagawa (EN), Sagawa (JA), Sendle, SF Express, SFC Fulfillment, "
    "Singapore Post, Southwest Air Cargo, StarTrack, Step Forward Freight, Swiship, Swiss Post, TForce Final Mile, "
    "Toll IPEC, United Delivery Service, USPS, Venipak, We Post, Whistl, XPO Logistics, Yamato (EN), Yamato (JA), "
    "YunExpress"
)


def _plain(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.casefold()))


COMPANIES: Mapping[str, str] = {_plain(name): name for name in (*PARCEL, *_OTHERS.split(", "))}
"""Shopify's names by their plain form."""

_OTHER_NAMES: Mapping[str, str] = {
    "deutsche post dhl": "DHL",
    "dhl paket": "DHL",
    "dhl ecommerce": "DHL eCommerce",
    "dhlpaket": "DHL",
    "dpdgroup": "DPD",
    "general logistics systems": "GLS",
    "myhermes": "Hermes",
    "united parcel service": "UPS",
    "federal express": "FedEx",
    "österreichische post": "Austrian Post",
    "post at": "Austrian Post",
    "die post": "Swiss Post",
    "schweizerische post": "Swiss Post",
}
# With a product behind the name ("DHL Paket", "UPS Standard") they are still themselves.
_WITH_PRODUCT = PARCEL | {"Deutsche Post", "Austrian Post", "Swiss Post", "DHL eCommerce", "PostNL", "Colissimo"}
# Forwarders and parcel shops of the same groups: no link of the parcel service would find their shipments.
_NOT_THE_PARCEL_SERVICE = re.compile(r"\b(freight|2 mann|2 man|home delivery|einrichtungs?)\b")


def company(name: str | None) -> str | None:
    """Shopify's name of a carrier: `dhl paket` → DHL, `UPS Standard` → UPS; None for one that it does not know."""
    plain = _plain(name or "")
    if plain in COMPANIES:
        return COMPANIES[plain]
    if _NOT_THE_PARCEL_SERVICE.search(plain):
        return None
    words = plain.split()
    for length in range(len(words), 0, -1):
        start = " ".join(words[:length])
        found = COMPANIES.get(start) or _OTHER_NAMES.get(start)
        if found and (length == len(words) or found in _WITH_PRODUCT):
            return found
    return None
