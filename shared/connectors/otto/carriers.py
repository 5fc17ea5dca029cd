"""Carriers: what an ERP calls them → OTTO's codes."""

from __future__ import annotations

import re
from collections.abc import Mapping

PARCEL = frozenset(("DHL", "DHL_EXPRESS", "DPD", "GLS", "HERMES", "UPS"))
"""They need a tracking number; for forwarders it may be left out."""

RETURNS = frozenset(("DHL", "GLS", "HERMES"))

_FORWARDERS = (
    "ABIKS AJ AJE BTW BURSPED CARGOLINE CARGOBOARD CTL DACHSER DB_SCHENKER DHL_FREIGHT DHL_HOME_DELIVERY "
    "DHL_2_MANN_HANDLING DSV ECE EMONS EPH_DIREKT FEDEX FROEDE GEIS GEL GRASSL GUETTLER HASENAUER HEPPNER HELLMANN HES "
    "HEUEL IDS ISG KIESSLING KOCH KUEHNE_NAGEL LOGWIN MEYER_JUMBO MIRJAN ORCARGO PALLETWAYS PEISKER RABEN_LOGISTIK "
    "REIMER REITHMEIER RHENUS RIECK SCHMIDT_GEVELSBERG SCHOCKEMOEHLE SIEVERS SIMPLE_LOGISTIK SPEEDTRANS SPT VERHOEK "
    "WEISS ZUFALL OTHER_FORWARDER"
)
CODES = PARCEL | frozenset(_FORWARDERS.split())
"""Everything OTTO takes as a carrier."""

_OTHER_NAMES: Mapping[str, str] = {
    "DEUTSCHE_POST_DHL": "DHL",
    "DPDGROUP": "DPD",
    "GENERAL_LOGISTICS_SYSTEMS": "GLS",
    "MYHERMES": "HERMES",
    "UNITED_PARCEL_SERVICE": "UPS",
    "FEDERAL_EXPRESS": "FEDEX",
    "HERMES_EINRICHTUNGS_SERVICE": "HES",
    "KUEHNE_UND_NAGEL": "KUEHNE_NAGEL",
    "RABEN": "RABEN_LOGISTIK",
    "SCHENKER": "DB_SCHENKER",
}
# With a product behind the name ("DHL Paket", "UPS Standard") they are still themselves. For forwarders that would be
# guessing: their names are common words.
_WITH_PRODUCT = PARCEL | {"DHL_FREIGHT", "DHL_HOME_DELIVERY", "DHL_2_MANN_HANDLING", "DB_SCHENKER"}
_UMLAUTS = str.maketrans({"Ä": "AE", "Ö": "OE", "Ü": "UE", "ß": "SS"})


def carrier_code(name: str | None) -> str | None:
    """OTTO's code for a carrier: `dhl paket` → DHL, `Kühne + Nagel` → KUEHNE_NAGEL; None for one nobody knows here."""
    words = re.findall(r"[A-Z0-9]+", (name or "").upper().translate(_UMLAUTS))
    for length in range(len(words), 0, -1):
        start = "_".join(words[:length])
        code = start if start in CODES else _OTHER_NAMES.get(start)
        if code and (length == len(words) or code in _WITH_PRODUCT):
            return code
    return None
