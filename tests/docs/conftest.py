"""What a reader of the documents has: a shell in an empty folder, and a Connect that runs there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.docs.reader import Reader
from tests.support.installation import Installation


def reader_of(made: Installation, up: dict[str, object]) -> Reader:
    """Types in the folder of an installation, with `connect` on the PATH. The Journal's port is the one that it has."""
    (made.folder / ".connect").symlink_to(made.folder / "data")  # where `make run` keeps it
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return Reader(made.folder, {**made.environment, "PATH": path}, {"http://127.0.0.1:8080": str(up["journal"])})
