"""An interface as a TOML file without secrets: written, and compared with what there is. Pure; for export and import.

What a file leaves out stays as it is; a table that it has ([erp], [mappings.payment], [listing]) is taken as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.connectors.contract import Connector
from shared.connectors.facts import facts
from shared.records.masked import MASK, TOGETHER, Masked

SIDES = ("marketplace", "erp")
TOP = ("slug", "title", "poll_seconds", "reread_seconds", "cancels", *SIDES, "mappings", "listing")
LISTING = ("skus", "foreign_skus", "name", "kind", "parent_sku")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. what: `erp.base_url`, `mappings.payment.PAYPAL`; old, new: None where it is not there."""

    what: str
    old: Any
    new: Any

    def as_json(self) -> dict[str, Any]:
        """For programs; secrets are masked before."""
        return {"what": self.what, "old": self.old, "new": self.new}


def written(interface: Masked, connectors: Mapping[str, Connector]) -> str:
    """The file of an interface. Which secrets must be given at its import is said in comments."""
    lines = [
        f"# The interface {interface.slug} without its secrets. Bring it into an installation, new or as a change:",
        f"#   connect interfaces import FILE{''.join(f' {name}=@FILE' for name in _secrets(interface, connectors))}",
        "",
        *_pairs({name: getattr(interface, name) for name in TOP[:5]}),
    ]
    for name, side in interface.sides.items():
        lines += ["", f"[{name}]", *_pairs({"connector": side.connector}), *_pairs(side.settings)]
        lines += _pairs({"calls_per_second": side.calls_per_second, "calls_at_once": side.calls_at_once})
        lines += [f"# {secret.partition('.')[2]} is a secret" for secret in _secrets(interface, connectors, name)]
    for kind, pairs in interface.mappings.items():
        lines += ["", f"[mappings.{_key(kind)}]", *_pairs(pairs)]
    lines += ["", "[listing]", *_pairs(interface.listing)]
    if interface.return_numbers:
        lines += [
            "",
            "# Return numbers are not in here: each is given once. `connect interfaces return-numbers` adds some.",
        ]
    return "\n".join(lines) + "\n"


def _secrets(interface: Masked, connectors: Mapping[str, Connector], only: str = "") -> Iterator[str]:
    """`erp.token` of each secret that is set or that must be."""
    for name, side in interface.sides.items():
        connector = connectors.get(side.connector)
        known = [fact for fact in facts(connector.settings) if fact.secret] if connector else []
        for fact in known:
            if only in ("", name) and (fact.required or fact.name in side.secrets or TOGETHER in side.secrets):
                yield f"{name}.{fact.name}"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}" for name, value in values.items() if value is not None]


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + " }"
    return json.dumps(value)  # true, false and numbers are written alike


def _text(text: str) -> str:
    """JSON's strings are TOML's, but for one control character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def changes(old: Masked | None, new: Mapping[str, Any], secrets: Iterable[str]) -> list[Change]:
    """What the file changes. new: the file, checked; secrets: `erp.token` of those that get another value."""
    found: list[Change] = []
    for name in TOP[1:5]:
        if name in new:
            found += _change(name, getattr(old, name) if old else None, new[name])
    for name in SIDES:
        if name in new:
            side = old.sides.get(name) if old else None
            before: dict[str, Any] = {}
            if side is not None:
                limits = {"calls_per_second": side.calls_per_second, "calls_at_once": side.calls_at_once}
                before = {"connector": side.connector, **side.settings, **limits}
            found += _table(name, before, new[name])
            held = set(side.secrets) if side else set()
            for secret in sorted(one.partition(".")[2] for one in secrets if one.startswith(f"{name}.")):
                there = secret in held or TOGETHER in held
                found.append(Change(f"{name}.{secret}", MASK if there else None, MASK))
    for kind, pairs in new.get("mappings", {}).items():
        found += _table(f"mappings.{kind}", old.mappings.get(kind, {}) if old else {}, pairs)
    if "listing" in new:
        found += _table("listing", old.listing if old else {}, new["listing"])
    return found


def _table(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    return [
        change for key in [*new, *(key for key in old if key not in new)]
        for change in _change(f"{name}.{key}", old.get(key), new.get(key))
    ]  # fmt: skip


def _change(what: str, old: Any, new: Any) -> list[Change]:
    return [] if old == new else [Change(what, old, new)]
