"""The demo in an installation whose stand-ins run elsewhere (compose, Kubernetes): its interface, admin and webhook.

    python -m services.cli.up.seed MARKETPLACE=http://sandbox:8091 ERP=http://sandbox:8092 \
        --journal http://journal:8080 --password @FILE

Enters: the settings of a service, the stand-ins' addresses. May be repeated. Called by the job `demo`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from services.cli.up import demo
from services.cli.up.people import ADMIN
from services.cli.webhooks import address, register
from shared.connectors.contract import RemoteError
from shared.connectors.registry import discover
from shared.db.connect import connect
from shared.people.users import ensure_user, list_users
from shared.records.interfaces import read
from shared.seal import Seal
from shared.settings import Settings, SettingsError, load


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all is there, 1 where a setting is missing or the ERP could not be told, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="services.cli.up.seed", description="The demo's interface and its admin.")
    parser.add_argument("addresses", nargs="+", type=_pair, metavar="CONNECTOR=ADDRESS", help="where a stand-in is")
    parser.add_argument("--journal", required=True, help="where the stand-in of the ERP reaches the Journal")
    parser.add_argument("--password", required=True, type=_file, metavar="@FILE", help="of the first admin")
    given = parser.parse_args(arguments)
    missing = {demo.description()[side]["connector"] for side in ("marketplace", "erp")} - dict(given.addresses).keys()
    if missing:
        parser.error(f"the address of {', '.join(sorted(missing))} is missing")
    try:
        made = seed(load(), dict(given.addresses), given.journal, given.password)
    except (SettingsError, RemoteError, ValueError) as error:
        sys.stderr.write(f"The demo is not set up: {error}\n")
        return 1
    who = f"Log in as {ADMIN}" if made else f"{ADMIN} was there and keeps the password"
    sys.stdout.write(f"The interface {demo.description()['slug']} is live. {who}.\n")
    return 0


def seed(settings: Settings, addresses: dict[str, str], journal: str, password: str) -> bool:
    """Whether the admin is new. Raises SettingsError, RemoteError, ValueError where the ERP cannot be told."""
    seal, slug = Seal(settings.secret()), demo.description()["slug"]
    with connect(settings.database(), "connect-demo") as conn:
        demo.seed(conn, seal, addresses, discover())
        new = all(user["name"].lower() != ADMIN for user in list_users(conn))
        if new:
            ensure_user(conn, ADMIN, password, "admin")
        interface = read(conn, seal, slug)
        assert interface is not None
        register(interface, address(journal, slug), settings.networks())
    return new


def _pair(text: str) -> tuple[str, str]:
    connector, equals, found = text.partition("=")
    if not equals or not found.startswith("http"):
        raise argparse.ArgumentTypeError(f"“{text}” is not like CONNECTOR=http://sandbox:8091")
    return connector, found


def _file(text: str) -> str:
    try:
        return Path(text.removeprefix("@")).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {text}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
