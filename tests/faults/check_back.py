"""What must hold on the way back and for mails, one pure function per invariant; each yields a sentence per violation.

newest      the marketplace shows the newest quantity, and no older one was sent after a newer one     (I3)
told_once   every parcel is at the marketplace once, and none before its order                         (I4)
mailed      every recipient got every mail, under one Message-ID                                       (I5)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise


def newest(
    shown: Mapping[str, int], versions: Mapping[str, Sequence[int]], sent: Sequence[tuple[str, int]]
) -> Iterator[str]:
    """I3. versions: quantities of each SKU in the order of changes, each but once; sent: in the order of arrival."""
    for sku, quantities in versions.items():
        if shown.get(sku) != quantities[-1]:
            yield f"{sku} shows {shown.get(sku)}, and {quantities[-1]} is the newest"
        places = [quantities.index(quantity) for other, quantity in sent if other == sku]
        if any(later < earlier for earlier, later in pairwise(places)):
            yield f"of {sku} an older quantity was sent after a newer one: {[quantities[n] for n in places]}"


def told_once(
    told: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[str]], orders: Sequence[str]
) -> Iterator[str]:
    """I4. told and wanted: tracking numbers by order; orders: those that the marketplace has."""
    for number in sorted({*told, *wanted}):
        have, want = sorted(told.get(number, ())), sorted(wanted.get(number, ()))
        if have != want:
            yield f"of order {number} the marketplace holds {have}, and should hold {want}"
        if have and number not in orders:
            yield f"order {number} has parcels and is not there"


def mailed(got: Mapping[str, Mapping[str, int]], mails: int, repeated: int = 0) -> Iterator[str]:
    """I5. got: by recipient, how often each Message-ID came; repeated: how many may have come twice."""
    for address, ids in got.items():
        if len(ids) != mails:
            yield f"{address} got {len(ids)} mails and should have got {mails}"
    again = sum(count - 1 for ids in got.values() for count in ids.values())
    if again > repeated:
        yield f"{again} mails came again, at most {repeated} may"
