"""Where the services' metrics are: told by `connect up`, else on their own ports of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from shared.settings import PORTS


def targets(data_dir: Path) -> Mapping[str, str]:
    """Service → address of its metrics. Read anew each time: `connect up` moves a port that is taken."""
    try:
        found = json.loads((data_dir / "up.json").read_text(encoding="utf-8"))["metrics"]
        return {str(name): str(address) for name, address in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {name: f"http://127.0.0.1:{port}/metrics" for name, port in PORTS.items()}
