"""The demo's interface: made once, then only pointed at where the stand-ins are this time.

Enters: a connection, the seal, the stand-ins' addresses. Called by `run.py`. What it holds is data: `demo.toml`.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from shared.connectors.contract import Connector
from shared.db.connect import Connection
from shared.records.interfaces import NewSide, Side, add_interface, read, save_mapping, save_side
from shared.records.listings import save_filter
from shared.records.return_numbers import add, count_free
from shared.seal import Seal


def description() -> dict[str, Any]:
    """What `demo.toml` says."""
    return tomllib.loads((resources.files("services.cli.up") / "demo.toml").read_text(encoding="utf-8"))


def seed(conn: Connection, seal: Seal, addresses: Mapping[str, str], connectors: Mapping[str, Connector]) -> None:
    """Add the demo's interface if it is missing; else bring its two sides up to date."""
    demo = description()
    slug = demo["slug"]
    sides = {side: _side(demo[side], addresses, connectors) for side in ("marketplace", "erp")}
    known = read(conn, seal, slug)
    if known is None:
        add_interface(
            conn,
            seal,
            slug=slug,
            title=demo["title"],
            marketplace=demo["marketplace"]["connector"],
            erp=demo["erp"]["connector"],
            mode="live",
            marketplace_side=sides["marketplace"],
            erp_side=sides["erp"],
            poll_seconds=demo["poll_seconds"],
        )
        for kind, pairs in demo["mappings"].items():
            for source, target in pairs.items():
                save_mapping(conn, slug, kind, source, target)
        save_filter(conn, slug, demo["listing"])
    else:
        for side, new in sides.items():
            _bring_up_to_date(conn, seal, slug, side, known.sides[side], new)
    _fill_pool(conn, slug, demo["return_numbers"]["carrier"], demo["return_numbers"]["kept"])


def _bring_up_to_date(conn: Connection, seal: Seal, slug: str, name: str, old: Side, new: NewSide) -> None:
    """Another address this time, or an older demo in the folder: it must do what this one shows."""
    settings = {**old.settings, **new.settings}
    # An older demo may have sealed what is no secret.
    secrets = {name: value for name, value in {**old.secrets, **new.secrets}.items() if name not in settings}
    if (settings, secrets) != (old.settings, old.secrets):
        save_side(conn, seal, slug, name, NewSide(settings, secrets, old.calls_per_second, old.calls_at_once))


def _fill_pool(conn: Connection, slug: str, carrier: str, kept: int) -> None:
    """Every parcel takes one, so what a long run used up is made good at the next start."""
    row = conn.execute("SELECT count(*) FROM return_numbers WHERE interface = %s", (slug,)).fetchone()
    assert row is not None
    missing = kept - count_free(conn, slug)
    numbers = [f"RET-{number:010d}" for number in range(row[0] + 1, row[0] + missing + 1)]
    add(conn, slug, carrier, numbers, "demo")


def _side(side: Mapping[str, Any], addresses: Mapping[str, str], connectors: Mapping[str, Connector]) -> NewSide:
    """Settings and secrets as the connector wants them; what it does not know is an error in demo.toml."""
    connector = connectors[side["connector"]]
    settings = {"base_url": addresses[side["connector"]], **side["settings"]}
    connector.settings.model_validate({**settings, **side["secrets"]})
    return NewSide(settings, side["secrets"], float(side["calls_per_second"]))
