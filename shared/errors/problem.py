"""One thing that is wrong with one input or record: a code of the catalogue, the field, and the values of its text.

Leaf vocabulary: everyone may use it, it uses nothing of ours. Values end up in the Journal and in the database,
never in a metric label; what a `Problem` carries must not be a secret.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """A named error.

    code:   entry of the error catalogue, e.g. `payment-unmapped`
    field:  where, as a path into the order or the event, e.g. `lines.0.sku`; empty for the whole
    values: variables of the catalogue's texts, e.g. `{"payment": "PAYPAL"}`
    key:    what has to come true for the record to go on by itself, e.g. `payment:PAYPAL`; None where nothing can
    """

    code: str
    field: str = ""
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The form in which a problem is stored and served."""
        values = {name: storable(value) for name, value in self.values.items()}
        return {"code": self.code, "field": storable(self.field), "values": values}


def storable(text: str) -> str:
    """Remote systems and senders say anything; NUL and halves of surrogate pairs are what no database takes."""
    return text[:1000].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
