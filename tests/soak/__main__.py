"""Runs a soak: `python -m tests.soak --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.results import Results
from tests.soak.soak import Soak
from tests.support.sandbox import PROJECT

LEDGER = PROJECT / "build" / "soak.jsonl"
TEACH = """\
Lets all services run for long, with traffic in all three flows, while something is killed, frozen or restarted every
15 to 40 seconds. In the end everything is well, and everything is checked: nothing lost, nothing doubled, the newest
quantity shown, every parcel told once, every mail come; memory and files of the processes that lived through it have
not grown. They are looked at in quiet stretches, when nothing is under way.

  python -m tests.soak --minutes 30              prints its seed
  python -m tests.soak --minutes 30 --seed 7     the same faults and events again
"""


def say(text: str) -> None:
    """On stderr, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """0 when all held, 1 otherwise."""
    parser = argparse.ArgumentParser(
        "python -m tests.soak", description=TEACH, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of traffic and faults (default 30)")
    parser.add_argument("--seed", type=int, help="the seed (default: by the clock; it is printed)")
    parser.add_argument("--broker", choices=("rabbitmq", "pgmq"), default="rabbitmq", help="(default rabbitmq)")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help=f"where results are kept (default {LEDGER.name})")
    parser.add_argument("--keep", type=Path, help="keep logs and data in this folder")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = given.seed if given.seed is not None else time.time_ns() // 1_000_000 % 1_000_000
    say(f"seed {seed}: python -m tests.soak --minutes {given.minutes:g} --seed {seed} --broker {given.broker}")
    with tempfile.TemporaryDirectory(prefix="connect-soak-", ignore_cleanup_errors=True) as folder:
        home = given.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)  # root's PostgreSQL runs as somebody else, who passes through here
        line = Soak(home, given.minutes, seed, given.broker, say).run()
    Results(given.ledger).append({**line, "at": round(time.time())})
    sys.stdout.write(json.dumps(line, indent=1, sort_keys=True) + "\n")
    return 0 if line["verdict"] == "passed" else 1


if __name__ == "__main__":
    sys.exit(main())
