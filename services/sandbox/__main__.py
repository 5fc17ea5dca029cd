"""`python -m services.sandbox --folder DIR`: every connector's stand-in; prints their addresses as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from services.sandbox.serve import serving
from shared.connectors.registry import discover


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 at a normal stop, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="services.sandbox", description="Stand-ins for the remote systems.")
    parser.add_argument("--folder", type=Path, required=True, help="where they keep their state")
    parser.add_argument("--ports", type=_ports, default={}, help="connector=port, separated by commas; 0 is any")
    parser.add_argument(
        "--place-every",
        type=float,
        default=None,
        metavar="SECONDS",
        help="keep placing demo orders, shipping them, and moving stock",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where they listen; other than here only inside a container"
    )
    parser.add_argument("--mails", action="store_true", help="also catch mails; ports and addresses `smtp` and `mails`")
    parser.add_argument("--may-move", action="store_true", help="where a port is taken, use another one")
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(
        discover(), given.folder, given.ports, given.place_every, given.host, mails=given.mails, may_move=given.may_move
    ) as addresses:
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


def _ports(text: str) -> dict[str, int]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {key.strip(): int(port) for key, _, port in pairs}


if __name__ == "__main__":
    sys.exit(main())
