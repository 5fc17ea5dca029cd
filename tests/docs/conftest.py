"""What a reader of the documents has: a shell in an empty folder, and a Connect that runs there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from services.cli.up.launches import FIRST_PORT, MAIL_PORTS
from tests.docs.reader import Reader
from tests.support.installation import Installation


def reader_of(made: Installation, up: dict[str, Any]) -> Reader:
    """Types in the folder of an installation, with `connect` on the PATH. Ports are those that were free."""
    (made.folder / ".connect").symlink_to(made.folder / "data")  # where `make run` keeps it
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    moved = {"http://127.0.0.1:8080": up["journal"], f"http://127.0.0.1:{MAIL_PORTS['mails']}": up["mails"]}
    for place, address in enumerate(up["sandbox"].values()):
        moved[f"http://127.0.0.1:{FIRST_PORT + place}"] = address
    return Reader(made.folder, {**made.environment, "PATH": path}, moved)
