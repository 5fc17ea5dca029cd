"""An interface out of a TOML file: read, every name checked, stored new or over the old one. For `add` and `import`."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psycopg.errors import UniqueViolation

from services.cli.interface_file import LISTING, SIDES, TOP
from services.cli.interface_mappings import meant
from services.cli.sides import OURS, connector_of, new_side, refuse_unknown
from services.cli.trouble import USAGE, Trouble
from shared.connectors.contract import Connector
from shared.connectors.facts import facts
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.interfaces import (
    Interface,
    NewSide,
    add_interface,
    remove_mapping,
    save_frame,
    save_mapping,
    save_side,
    set_cancels,
)
from shared.records.listings import save_filter
from shared.seal import Seal

PLACEHOLDER = "to be given at the import"
"""Stands for a secret that a dry run does not have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked file. top: title, poll_seconds, …; tables: of the sides without secrets; secrets: those in the file."""

    top: dict[str, Any]
    tables: dict[str, dict[str, Any]]
    connectors: dict[str, Connector]
    secrets: dict[str, str]
    mappings: dict[str, dict[str, str]]
    listing: dict[str, Any] | None
    sides: Mapping[str, NewSide]

    def with_secrets(self, secrets: Mapping[str, str], placeholders: Collection[str] = ()) -> Wanted:
        """The sides as they would be stored. Raises Trouble that names every wrong setting."""
        all_of_them = {**dict.fromkeys(placeholders, PLACEHOLDER), **secrets}
        found = {}
        for side, table in self.tables.items():
            # Also what is sealed although it is no secret: stored anew, it becomes a plain setting.
            lacking = self.connectors[side].settings.model_fields.keys() - table.keys()
            own = {name: all_of_them[f"{side}.{name}"] for name in lacking if f"{side}.{name}" in all_of_them}
            found[side] = new_side(side, {**table, **own}, {self.connectors[side].key: self.connectors[side]})
        return replace(self, sides=found)

    def document(self) -> dict[str, Any]:
        """As a file says it, with limits filled in, for a comparison."""
        sides = {
            name: {
                "connector": self.connectors[name].key,
                **side.settings,
                "calls_per_second": side.calls_per_second,
                "calls_at_once": side.calls_at_once,
            }
            for name, side in self.sides.items()
        }
        listing = {} if self.listing is None else {"listing": self.listing}
        return {**self.top, **sides, "mappings": self.mappings, **listing}


def read_file(file: Path) -> dict[str, Any]:
    """The TOML document. Raises Trouble."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} is not TOML: {error}.", USAGE) from None


def checked(given: Mapping[str, Any], old: Interface | None, connectors: Mapping[str, Connector]) -> Wanted:
    """What a file wants, every name known. Raises Trouble. old: the interface it changes, None for a new one."""
    refuse_unknown("An interface", given, TOP)
    used: dict[str, Connector] = {}
    tables: dict[str, dict[str, Any]] = {}
    secrets: dict[str, str] = {}
    for side in SIDES:
        if side not in given and old is not None:
            continue
        connector = used[side] = connector_of(side, given.get(side), connectors)
        before = None if old is None else old.marketplace if side == "marketplace" else old.erp
        if before not in (None, connector.key):
            raise Trouble(f"[{side}] is {before} here: another system needs an interface of its own.", USAGE)
        table = dict(given[side])
        refuse_unknown(f"[{side}]", table, [*connector.settings.model_fields, *OURS])
        hidden = {fact.name for fact in facts(connector.settings) if fact.secret}
        secrets |= {f"{side}.{name}": str(table.pop(name)) for name in sorted(hidden & table.keys())}
        tables[side] = table
    mappings = {meant(kind): _texts(f"mappings.{kind}", pairs) for kind, pairs in _table(given, "mappings").items()}
    listing = _table(given, "listing") if "listing" in given else None
    refuse_unknown("[listing]", listing or {}, LISTING)
    return Wanted(_top(given), tables, used, secrets, mappings, listing, {})


def _top(given: Mapping[str, Any]) -> dict[str, Any]:
    kinds: dict[str, type] = {"title": str, "poll_seconds": int, "reread_seconds": int, "cancels": bool}
    found = {}
    for name, kind in kinds.items():
        if name in given:
            value = given[name]
            small = kind is int and isinstance(value, int) and not 0 < value < 2**31
            if type(value) is not kind or small or value == "":
                wanted = {str: "a text", int: "a whole number above 0", bool: "true or false"}[kind]
                raise Trouble(f"{name} must be {wanted}.", USAGE)
            found[name] = value
    return found


def _table(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = given.get(name, {})
    if not isinstance(found, dict):
        raise Trouble(f"[{name}] must be a table.", USAGE)
    return found


def _texts(name: str, pairs: Any) -> dict[str, str]:
    if not isinstance(pairs, dict) or any(isinstance(target, dict | list) for target in pairs.values()):
        raise Trouble(f'[{name}] must hold lines such as PAYPAL = "3".', USAGE)
    return {str(source): str(target) for source, target in pairs.items()}


def secret_names(connectors: Mapping[str, Connector]) -> dict[str, bool]:
    """`erp.token` → whether it must be given, of every secret of these sides."""
    return {
        f"{side}.{fact.name}": fact.required
        for side, connector in connectors.items()
        for fact in facts(connector.settings)
        if fact.secret
    }


def held_secrets(interface: Interface | None) -> dict[str, str]:
    """`erp.token` → its value, as stored."""
    sides = interface.sides if interface else {}
    return {f"{side}.{name}": value for side, one in sides.items() for name, value in one.secrets.items()}


def store(conn: Connection, seal: Seal, slug: str, wanted: Wanted, old: Interface | None, actor: str) -> None:
    """Write it in one transaction. Raises Trouble when somebody else has added or changed the interface since `old`."""
    with conn.transaction():
        now = conn.execute("SELECT revision FROM interfaces WHERE slug = %s FOR UPDATE", (slug,)).fetchone()
        if (now[0] if now else None) != (old.revision if old else None):
            what = "is there already" if old is None else "was changed meanwhile"
            raise Trouble(f"The interface “{slug}” {what}: nothing was done. Look at it, and try again.")
        try:
            _write(conn, seal, slug, wanted, old, actor)
        except UniqueViolation:
            raise Trouble(f"There is an interface “{slug}” already: choose another name.") from None
        audit(conn, actor, "interfaces.import" if old else "interfaces.add", {"interface": slug})


def _write(conn: Connection, seal: Seal, slug: str, wanted: Wanted, old: Interface | None, actor: str) -> None:
    top = wanted.top
    if old is None:
        add_interface(
            conn,
            seal,
            slug=slug,
            title=top.get("title", slug),
            marketplace=wanted.connectors["marketplace"].key,
            erp=wanted.connectors["erp"].key,
            marketplace_side=wanted.sides["marketplace"],
            erp_side=wanted.sides["erp"],
            poll_seconds=top.get("poll_seconds", 900),
            reread_seconds=top.get("reread_seconds", 900),
        )
    else:
        save_frame(
            conn,
            slug,
            title=top.get("title", old.title),
            poll_seconds=top.get("poll_seconds", old.poll_seconds),
            reread_seconds=top.get("reread_seconds", old.reread_seconds),
        )
        for side, new in wanted.sides.items():
            was = old.sides.get(side)
            if was is None or (was.settings, was.secrets, was.calls_per_second, was.calls_at_once) != (
                new.settings, new.secrets, new.calls_per_second, new.calls_at_once,
            ):  # fmt: skip
                save_side(conn, seal, slug, side, new)
    if "cancels" in top and top["cancels"] != (old.cancels if old else True):
        set_cancels(conn, slug, top["cancels"])
    for kind, pairs in wanted.mappings.items():
        there = old.mappings.get(kind, {}) if old else {}
        for source in there.keys() - pairs.keys():
            remove_mapping(conn, slug, kind, source)
        for source, target in pairs.items():
            if there.get(source) != target:
                save_mapping(conn, slug, kind, source, target, actor)
    if wanted.listing is not None:
        save_filter(conn, slug, wanted.listing)
