"""The secrets of an interface's sides at rest: one row each, sealed for its place; stored, opened, sealed anew.

`interfaces.save_side` and `interfaces.read` use it, and `connect secrets`. What an earlier release sealed for a whole
side lies in `sides.sealed` and is turned into rows when the side is saved, or by `reseal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.db.connect import Connection
from shared.seal import UNNAMED, WHOLE_SIDE, Seal, SealError

_ID = "encode(substring(sealed FROM 2 FOR 4), 'hex')"


def place(slug: str, side: str, name: str = "") -> str:
    """What a sealed value is bound to. No part can hold the separator but the last."""
    return f"{slug}/{side}/{name}" if name else f"{slug}/{side}"


def save(conn: Connection, seal: Seal, slug: str, side: str, secrets: Mapping[str, str]) -> None:
    """Replace the secrets of a side, whose row is there and written by the same transaction."""
    conn.execute("DELETE FROM credentials WHERE interface = %s AND side = %s", (slug, side))
    for name, value in sorted(secrets.items()):
        conn.execute(
            "INSERT INTO credentials(interface, side, name, sealed) VALUES (%s, %s, %s, %s)",
            (slug, side, name, seal.seal(place(slug, side, name), value)),
        )
    conn.execute("UPDATE sides SET sealed = NULL WHERE interface = %s AND side = %s", (slug, side))


def opened(seal: Seal, slug: str, side: str, whole: bytes | None, single: Mapping[str, bytes]) -> dict[str, Any]:
    """The secrets of a side out of its sealed values. Raises SealError."""
    found = seal.open_side(place(slug, side), whole) if whole else {}
    return found | {name: seal.open(place(slug, side, name), value) for name, value in single.items()}


@dataclass(frozen=True, slots=True)
class Stored:
    """A sealed secret: where it belongs, and the id of its key. `name` is empty for a whole side in the first form."""

    interface: str
    side: str
    name: str
    key: str

    @property
    def place(self) -> str:
        """Its name for people: `otto-de/erp/token`."""
        return place(self.interface, self.side, self.name)


def stored(conn: Connection, slug: str | None = None) -> list[Stored]:
    """Every sealed secret of one interface, or of all."""
    rows = conn.execute(
        f"SELECT interface, side, name, {_ID} FROM credentials WHERE %(slug)s::text IS NULL OR interface = %(slug)s"  # noqa: S608
        " UNION ALL SELECT interface, side, '', %(unnamed)s FROM sides"
        " WHERE sealed IS NOT NULL AND (%(slug)s::text IS NULL OR interface = %(slug)s) ORDER BY 1, 2, 3",
        {"slug": slug, "unnamed": UNNAMED},
    ).fetchall()
    return [Stored(*row) for row in rows]


def reseal(conn: Connection, seal: Seal, one: Stored) -> bool:
    """Seal one value with the newest key, in a transaction of its own; False where that was done or it is gone.

    Workers need not read anything again: the secret stays the same. Raises SealError.
    """
    with conn.transaction():
        # The side's row is what a save writes first, so nobody seals an older secret over a newer one.
        row = conn.execute(
            "SELECT sealed FROM sides WHERE interface = %s AND side = %s FOR UPDATE", (one.interface, one.side)
        ).fetchone()
        if row is None:
            return False
        if not one.name:
            if row[0] is None:
                return False
            if row[0][:1] != bytes([WHOLE_SIDE]):
                raise SealError(f"{one.place} is sealed in a form that this release does not know.")
            values = seal.open_side(one.place, bytes(row[0]))
            save(conn, seal, one.interface, one.side, {name: str(value) for name, value in values.items()})
            return True
        found = conn.execute(
            f"SELECT sealed FROM credentials WHERE interface = %s AND side = %s AND name = %s AND {_ID} <> %s",  # noqa: S608
            (one.interface, one.side, one.name, seal.newest),
        ).fetchone()
        if found is None:
            return False
        conn.execute(
            "UPDATE credentials SET sealed = %s WHERE interface = %s AND side = %s AND name = %s",
            (seal.seal(one.place, seal.open(one.place, bytes(found[0]))), one.interface, one.side, one.name),
        )
        return True
