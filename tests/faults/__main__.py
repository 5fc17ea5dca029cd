"""Runs the fault cases: `python -m tests.faults --help`."""

from __future__ import annotations

import argparse
import fnmatch
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.case import EVENTS, FEW_EVENTS, Case, matrix, parse, quick
from tests.faults.crew import Line, work_off
from tests.faults.flows import run_flows
from tests.faults.limits import worst
from tests.faults.results import Results, goal, table, totals
from tests.faults.write_results import write

LEDGER = Path("build/faults.jsonl")

TEACH = """\
Kills, freezes, cuts and breaks what Connect runs on, and checks that nothing is lost and nothing is done twice.

  python -m tests.faults                                   everything (hours on two cores)
  python -m tests.faults --matrix                          without the tests of the flows back and of planted bugs
  python -m tests.faults --quick                           one case of each kind (some minutes)
  python -m tests.faults --list                            the ids of all cases
  python -m tests.faults --only 'crash/work.*/kill/*'      a part of it; --only may be repeated
  python -m tests.faults crash/work.called/kill/pgmq/3     replay one case: the id is the seed, the events, the timing
  python -m tests.faults --shard 1/4                       every fourth case; the shards' ledgers add up
  python -m tests.faults --resume                          leave out what has passed, and go on
  python -m tests.faults --report                          totals of the ledger against the goal, nothing is run
  python -m tests.faults --report --write docs/reliability.md   put them into the document
"""


def say(text: str) -> None:
    """On stderr, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """0 when every case passed, 1 when an invariant was violated or a case could not be run, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        "python -m tests.faults", description=TEACH, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", nargs="*", help="ids of cases to run")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="cases whose id matches, e.g. 'erp/*'")
    parser.add_argument("--quick", action="store_true", help="the share that runs with every change")
    parser.add_argument("--matrix", action="store_true", help="only the cases, not the tests that stand beside them")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="seeds per fault (default 2)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument(
        "--events", type=int, metavar="N",
        help=f"events per case (default {EVENTS}, with --quick {FEW_EVENTS}); a larger case strikes more often",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=2, help="cases at a time (default 2; cases whose seconds count run alone)"
    )
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N parts")
    parser.add_argument("--resume", action="store_true", help="leave out what has passed according to the ledger")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help=f"where results are kept (default {LEDGER})")
    parser.add_argument("--list", action="store_true", help="print the ids and end")
    parser.add_argument("--report", action="store_true", help="print the totals of the ledger and end")
    parser.add_argument("--write", type=Path, metavar="FILE", help="with --report: replace the table in this document")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the workers are ended, too
    results = Results(given.ledger)
    if given.report:
        return report(results, given.write)
    try:
        cases = chosen(given)
    except ValueError as error:
        say(f"There is no such case or shard: {error}")
        return 2
    if given.list:
        sys.stdout.write("".join(f"{case.id}\n" for case in cases))
        return 0
    if given.resume:
        passed = results.passed()
        cases = [case for case in cases if case.id not in passed]
    failed = run_all(cases, results, given.workers, given.events or (FEW_EVENTS if given.quick else EVENTS))
    if not (given.matrix or given.case or given.only or given.quick):
        failed = run_flows(given.ledger, given.shard, given.resume, given.workers) or failed
        sys.stdout.write(goal(results.lines().values()) + "\n")
    return 1 if failed else 0


def chosen(given: argparse.Namespace) -> list[Case]:
    """The cases that the arguments mean, in an order that mixes long and short ones."""
    part, _, of = given.shard.partition("/")
    if not 1 <= int(part) <= int(of or 0):
        raise ValueError(given.shard)
    if given.case:
        return [parse(text) for text in given.case]
    cases = list(quick() if given.quick else matrix(given.seeds, given.seed))
    if given.only:
        cases = [case for case in cases if any(fnmatch.fnmatch(case.id, pattern) for pattern in given.only)]
    return [case for case in cases if case.shard(int(of)) == int(part) - 1]


def run_all(cases: list[Case], results: Results, workers: int, events: int) -> int:
    """Run them, say how it goes, append each result; the totals at the end."""
    begun, lines, revision_ = time.monotonic(), list[Line](), revision()

    def done(line: Line) -> None:
        lines.append(line)
        results.append({**line, "at": round(time.time()), "revision": revision_})
        faults = sum(line.get("faults", {}).values())
        seconds, left = time.monotonic() - begun, len(cases) - len(lines)
        say(
            f"[{len(lines)}/{len(cases)}] {line['verdict']:6} {line['case']}  {faults} faults, {line['events']} events,"
            f" {line.get('seconds', 0)} s; {seconds / 60:.1f} min gone, {seconds / len(lines) * left / 60:.0f} to go"
        )
        if line["verdict"] != "passed":
            for sentence in [
                *line.get("violations", ())[:10],
                *line.get("notes", ()),
                *filter(None, [line.get("error")]),
            ]:
                say(f"    {sentence}")
            say(f"    replay: python -m tests.faults {line['case']} --events {events}")

    say(f"{len(cases)} cases, {workers} at a time, results in {results.path}")
    alone = [case for case in cases if case.alone]
    for share, at_once in (([case for case in cases if not case.alone], workers), (alone, 1)):
        work_off(share, min(at_once, len(share)), events, done)
    sys.stdout.write(table(lines) + "\n")
    return 0 if all(line["verdict"] == "passed" for line in lines) else 1


def revision() -> str:
    """The commit that is tested, with a `+` where files differ from it; "" outside of a repository."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--exclude=*", "--dirty=+"], capture_output=True, text=True, check=True,
            timeout=30,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""


def report(results: Results, document: Path | None) -> int:
    """The totals of everything in the ledger."""
    lines = list(results.lines().values())
    if not lines:
        say(f"{results.path} is empty or missing: run `python -m tests.faults` first")
        return 2
    text = f"{table(lines)}\n\n{worst(lines)}\n\n{goal(lines)}"
    sys.stdout.write(text + "\n")
    if document is not None:
        write(document, text)
        say(f"written into {document}")
    return 1 if totals(lines)["all"]["not passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
