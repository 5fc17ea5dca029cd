"""What the demo's shop sells and its ERP knows. A marketplace's stand-in lists a few more, which the ERP lacks."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "ABC-1": "Shirt",
    "ABC-2": "Shirt, langarm",
    "ABC-3": "Hemd",
    "Hose DN10/2": "Hose, blau",
    "Hose DN10/3": "Hose, schwarz",
    "Hose.DN12": "Hose, kurz",
    "Mütze-grün-1": "Mütze, grün",
    "Mütze-grün-2": "Mütze, grün, groß",
    "Kühlbox/20L": "Kühlbox 20 l",
    "Spül.bürste-3": "Spülbürste",
    "Größe XL #7": "Jacke XL",
    "Straßenkehrer-5": "Besen",
}


_PARENTS = {"Mütze-grün-1": "Mütze-grün", "Mütze-grün-2": "Mütze-grün"}
"""Only the ERP knows the parents: nobody buys one."""


def goods() -> list[dict[str, Any]]:
    """Some forty products: `sku`, `name`, `price`; variants name the `parent` that the ERP knows them by."""
    names = dict(_NAMES)
    for number in range(1, 29):
        names[f"ART-{1000 + number}"] = f"Artikel {1000 + number}"
    return [
        {
            "sku": sku,
            "name": name,
            "price": f"{5 + place % 17 * 3}.{(place * 7) % 10}9",
            **({"parent": _PARENTS[sku]} if sku in _PARENTS else {}),
        }
        for place, (sku, name) in enumerate(names.items())
    ]
