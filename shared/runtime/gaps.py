"""What an interface lacks: mappings and settings that its connectors need, and what waiting or failed records wait for.

Read by `connect interfaces show` and the Journal's API; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.connectors.contract import Connector, MappingNeed
from shared.db.connect import Connection
from shared.errors.catalogue import catalogue
from shared.records.masked import Masked

POOL = "return-numbers"
SETTINGS = "settings"
UNFINISHED = ("waiting", "failed", "pending")


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing.

    kind:      of mapping, `settings` for a setting of a side, `return-numbers` for the pool
    source:    the word to map or the name of the setting; empty: any of this kind
    needed_by: `marketplace` or `erp` (its connector says so), or `records` (they wait for it)
    records:   how many wait for it or failed because of it
    always:    False where only some orders need it, see `about`
    command:   what a person types
    """

    kind: str
    source: str
    needed_by: str
    about: str
    always: bool
    records: int
    command: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def kinds() -> frozenset[str]:
    """Beginnings of keys that a person makes come true by a mapping or a setting: payment, shipping, …"""
    return frozenset(
        entry.key.partition(":")[0] for entry in catalogue().values() if entry.key and entry.cleared_by in _BY_PEOPLE
    )


_BY_PEOPLE = ("mapping", "setting")


def mapping_kinds(connectors: Iterable[Connector]) -> list[str]:
    """Every kind of mapping that one of these connectors needs or that records may wait for."""
    needed = {need.kind for connector in connectors for need in connector.mappings}
    return sorted((needed | kinds()) - {POOL, SETTINGS})


def gaps(conn: Connection, interface: Masked, connectors: Mapping[str, Connector]) -> list[Gap]:
    """Everything that is missing, what records wait for first, by how many of them."""
    waiting = _waiting(conn, interface.slug)
    needs = [(side, need) for side in interface.sides for need in _needs(interface, side, connectors)]
    found: list[Gap] = []
    for (kind, source), count in waiting.items():
        meant = [(side, need) for side, need in needs if _means(need, kind, source)]
        # Of several settings that a record may wait for, the one that is not there.
        side, need = next((one for one in meant if not _there(interface, *one)), meant[0] if meant else ("", None))
        no_mapping = need if need is not None and need.kind in (POOL, SETTINGS) else None
        if _mapped(interface, kind, source) or (no_mapping and _there(interface, side, no_mapping)):
            continue  # they are about to go on
        if no_mapping:
            kind, source = no_mapping.kind, no_mapping.source
        command = _command(interface.slug, side, kind, source, known=kind != "setting" or need is not None)
        found.append(Gap(kind, source, "records", need.about if need else "", True, count, command))
    told = {(gap.kind, gap.source) for gap in found}
    for side, need in needs:
        if (need.kind, need.source) in told or _there(interface, side, need):
            continue
        if not need.source and any(kind == need.kind for kind, _ in told):
            continue  # the records name the very words
        command = _command(interface.slug, side, need.kind, need.source, known=True)
        found.append(Gap(need.kind, need.source, side, need.about, need.always, 0, command))
    return sorted(found, key=lambda gap: (-gap.records, not gap.always, gap.needed_by != "erp"))


def _needs(interface: Masked, side: str, connectors: Mapping[str, Connector]) -> Iterator[MappingNeed]:
    connector = connectors.get(interface.sides[side].connector)
    yield from connector.mappings if connector else ()


def _there(interface: Masked, side: str, need: MappingNeed) -> bool:
    settings = interface.sides[side].settings
    if need.unless and settings.get(need.unless):
        return True
    if need.kind == SETTINGS:
        return bool(settings.get(need.source))
    if need.kind == POOL:
        return any(one["free"] for one in interface.return_numbers)
    targets = {source: target for source, target in interface.mappings.get(need.kind, {}).items() if target.strip()}
    return need.source in targets if need.source else bool(targets)


def _mapped(interface: Masked, kind: str, source: str) -> bool:
    pairs = interface.mappings.get(kind, {})
    return any(target.strip() and (_spelt(one) if kind == "tax" else one) == source for one, target in pairs.items())


def _means(need: MappingNeed, kind: str, source: str) -> bool:
    """Whether records that wait for `kind:source` wait for this; the keys of pool and settings are `setting:…`."""
    if need.kind == POOL:
        return (kind, source) == ("setting", POOL)
    if need.kind == SETTINGS:
        return kind == "setting" and f"{need.source.replace('_', '-')}-".startswith(f"{source}-")
    return need.kind == kind and need.source in ("", source)


def _waiting(conn: Connection, slug: str) -> dict[tuple[str, str], int]:
    """(kind, word) → how many records wait. Two spellings of one tax rate are one."""
    rows = conn.execute(
        "SELECT b.key, count(DISTINCT b.record_id) FROM blocks b JOIN records r ON r.id = b.record_id"
        " WHERE b.interface = %s AND r.state = ANY(%s) AND split_part(b.key, ':', 1) = ANY(%s) GROUP BY b.key"
        " ORDER BY 2 DESC, 1",
        (slug, list(UNFINISHED), sorted(kinds())),
    ).fetchall()
    found: dict[tuple[str, str], int] = {}
    for key, count in rows:
        kind, _, source = key.partition(":")
        place = (kind, _spelt(source) if kind == "tax" else source)
        found[place] = found.get(place, 0) + count
    return found


def _spelt(rate: str) -> str:
    try:
        number = Decimal(rate).normalize()
    except InvalidOperation:
        return rate
    return f"{number:f}"


def _command(slug: str, side: str, kind: str, source: str, *, known: bool) -> str:
    if kind == POOL:
        return f"connect interfaces return-numbers {slug} --carrier … --file …"
    if kind == SETTINGS:
        return f"connect interfaces set {slug} {side} {source}=…"
    if not known:  # a setting of a side, under a name of its own
        return f"connect interfaces set {slug} …"
    word = source if source and source.replace("_", "").replace("-", "").isalnum() else f"'{source}'" if source else "…"
    return f"connect interfaces map {slug} {kind} {word} …"
