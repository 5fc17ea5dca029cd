"""Fuzzes what reads strangers' input: `python -m tests.fuzz --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.crew import SHARES, TARGETS, work_off
from tests.fuzz.run import drawn
from tests.support.sandbox import PROJECT

FOLDER = PROJECT / "build" / "fuzz"

TEACH = """\
Draws inputs nobody would send, and looks whether they are read, or refused with a reason; nothing else may happen.

  decode    bytes that arrive as an event     -> an event that comes back the same, or named problems
  mapping   a marketplace's order, a webhook  -> an event, drafts for the ERPs, or named problems
  filter    what people type into the filter  -> a filter whose spelling is the same filter, and SQL; or a named mistake
  answer    an ERP's answers over HTTP        -> what they say, or a RemoteError

  python -m tests.fuzz --inputs 1000000              all of them; prints the seed
  python -m tests.fuzz --only filter --seed 7        one of them, with the inputs of seed 7
  python -m tests.fuzz --replay build/fuzz/decode-0123456789ab.bin    an input that was kept
  python -m tests.fuzz --replay decode:7:4711        input 4711 of seed 7
  python -m tests.fuzz --report                      totals of the ledger, nothing is run
"""


def say(text: str, end: str = "\n") -> None:
    """On stderr, at once."""
    sys.stderr.write(text + end)
    sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """0 when no input broke a rule, 1 otherwise, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description=TEACH, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="how many, of all together (default 20000)")
    parser.add_argument("--seed", type=int, help="the seed (default: by the clock; it is printed)")
    parser.add_argument("--only", choices=TARGETS, action="append", help="one of them; may be repeated")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="go on behind the first N inputs of the seed")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where findings and ledger.jsonl are kept")
    parser.add_argument("--replay", metavar="FILE|TARGET:SEED:NUMBER", help="check one input again")
    parser.add_argument("--report", action="store_true", help="print the totals of the ledger and end")
    given = parser.parse_args(arguments)
    if given.replay:
        return replay(given.replay)
    ledger = given.folder / "ledger.jsonl"
    if given.report:
        return report(ledger)
    seed = given.seed if given.seed is not None else time.time_ns() // 1_000_000 % 1_000_000
    chosen = {name: SHARES[name] for name in given.only or TARGETS}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is done by then counts
    say(f"seed {seed}: python -m tests.fuzz --inputs {given.inputs} --seed {seed}")
    lines = work_off(chosen, given.inputs, given.skip, seed, given.workers, given.folder, _progress)
    given.folder.mkdir(parents=True, exist_ok=True)
    with ledger.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    sys.stdout.write(table(lines) + "\n")
    found = {kind: count for line in lines for kind, count in line["findings"].items()}
    for kind, count in sorted(found.items()):
        say(f"{count} x {kind}; the bytes of the first are in {given.folder}")
    return 1 if found else 0


def _progress(whole: int) -> Callable[[int, int], None]:
    begun, done = time.monotonic(), [0]

    def tick(count: int, findings: int) -> None:
        done[0] += count
        gone = time.monotonic() - begun
        part = done[0] / whole
        bar = ("#" * round(part * 30)).ljust(30, ".")
        left = gone / part - gone
        told = f"{done[0]:,}/{whole:,}, {done[0] / gone:,.0f}/s, {left / 60:.1f} min to go"
        say(f"\r[{bar}] {told}, {findings} findings ", "")

    return tick


def replay(what: str) -> int:
    """Check one input again, and say what comes of it."""
    path = Path(what)
    if path.is_file():
        name, given = path.name.partition("-")[0], path.read_bytes()
    else:
        name, _, rest = what.partition(":")
        seed, _, number = rest.partition(":")
        if name not in TARGETS or not (seed.isdigit() and number.isdigit()):
            say(f"There is no file {what}, and it names no input like decode:7:4711")
            return 2
        given = drawn(TARGETS[name], int(seed), int(number))
    sys.stdout.write(f"{given[:4000]!r}\n")
    sys.stdout.write(f"{TARGETS[name].check(given)}\n")
    return 0


def report(ledger: Path) -> int:
    """The totals of all runs."""
    if not ledger.exists():
        say(f"{ledger} is missing: run `python -m tests.fuzz` first")
        return 2
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    sys.stdout.write(table(lines) + "\n")
    return 0


def table(lines: list[dict[str, Any]]) -> str:
    """The totals as a table in Markdown."""
    rows = ["| what | inputs | findings | a second of the processor | seeds |", "|---|---:|---:|---:|---|"]
    for name in TARGETS:
        of = [line for line in lines if line["target"] == name]
        inputs, seconds = sum(line["inputs"] for line in of), sum(line["seconds"] for line in of)
        found = sum(sum(line["findings"].values()) for line in of)
        if of:
            seeds = ", ".join(dict.fromkeys(str(line["seed"]) for line in of))
            rows.append(f"| {name} | {inputs:,} | {found:,} | {inputs / max(seconds, 0.01):,.0f} | {seeds} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
