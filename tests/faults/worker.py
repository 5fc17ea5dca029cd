"""A worker: reads ids of cases, one a line, runs each on its own servers, and answers each with a line of JSON.

`python -m tests.faults.worker FOLDER EVENTS`; started by `python -m tests.faults`. Whatever it started ends with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.faults.case import parse
from tests.faults.ground import Ground
from tests.faults.run import run


def main(folder: str, events: str) -> None:
    """Until the input ends."""
    ground = Ground(Path(folder))
    try:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(run(ground, parse(line.strip()), size=int(events), timed=True)) + "\n")
            sys.stdout.flush()
    finally:
        ground.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
