"""`python -m benchmarks [NAME …]`: starts its own servers, measures, checks every count, prints medians.

Results go to stdout (tables, or one JSON object per contender and line with --json), progress to stderr. Exit code 1
when a run was not exact or came to no result.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.driver import Failed, Plan, Run
from benchmarks.floors import FLOORS
from benchmarks.servers import Servers
from benchmarks.sizes import LONG, NAMES, SIZES, Size
from benchmarks.summary import Result, compared, line
from benchmarks.tables import machine, table, write_readme
from benchmarks.tasks import BY_THEMSELVES, CONTENDERS, missing, tasks


def main() -> int:
    """Parse, measure, print."""
    given = _arguments()
    size = SIZES[given.size]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    if absent := missing():
        say(f"not installed, so not compared with: {', '.join(absent)} (`make bench` installs them)")
    results: list[Result] = []
    sound = True
    with Servers(say) as servers:
        for name in given.names or size.names:
            found, whole = _measured(servers, _plan(name, given, size), given, size, say)
            results += found
            sound = sound and whole
    results = compared(results)
    if given.json:
        for result in results:
            print(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        print(f"{machine()}.\n\n{table(results)}")
    if given.readme:
        write_readme(results)
    say("done" if sound else "done, but not every run came to an exact result")
    return 0 if sound else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; none: all of them")
    names = [
        *(c.name for c in CONTENDERS),
        *(one.name for one in FLOORS),
        *dict.fromkeys(name for rows in BY_THEMSELVES.values() for name, *_ in rows),
    ]
    parser.add_argument("--only", action="append", choices=list(dict.fromkeys(names)), help="only this contender")
    parser.add_argument("--size", choices=list(SIZES), default="normal", help="how much (normal)")
    parser.add_argument("--runs", type=int, help="rounds; without it the size says how many, like all that follows")
    parser.add_argument("--orders", type=int, help="backlog of a run, a peer gets a fifth of it")
    parser.add_argument(
        "--events", type=int, help="how many go through one importer for memory, or are changes of stock"
    )
    parser.add_argument("--stored", type=int, help="the larger number of stored orders for growth")
    parser.add_argument("--paused", type=int, help="due orders of a paused interface beside claim")
    parser.add_argument("--records", type=int, help="how many records the database of journal has")
    parser.add_argument("--flush-ms", type=float, default=0.0, help="a slow disk: every commit takes so much longer")
    parser.add_argument("--snapshot", action="store_true", help="hold a transaction open meanwhile, as a dump does")
    parser.add_argument("--rate", type=float, default=200.0, help="orders a second for latency (200)")
    parser.add_argument("--json", action="store_true", help="one JSON object per contender and line")
    parser.add_argument("--readme", action="store_true", help="write tables and charts into benchmarks/README.md")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="record with py-spy (figures mean little then)")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in NAMES]:
        parser.error(f"there is no benchmark {', '.join(unknown)}, only {', '.join(NAMES)}")
    return given


def _plan(name: str, given: argparse.Namespace, size: Size) -> Plan:
    return Plan(
        name,
        _count(name, given, size),
        given.rate,
        size.seconds,
        given.profile,
        paused=size.paused if given.paused is None else given.paused,
        growth=(size.growth[0], given.stored or size.growth[1]),
        flush=given.flush_ms,
        snapshot=given.snapshot,
        records=given.records or size.records,
    )


def _count(name: str, given: argparse.Namespace, size: Size) -> int:
    """How many orders, events or changes a run of this benchmark has."""
    own: int = {"memory": size.events, "stock": size.changes}.get(name, 0)
    if name in ("erp", "whole"):
        return int(given.orders or size.sales)
    if name == "changes":
        return int(given.orders or size.shipped)
    count: int = (given.events or own) if own else given.orders or size.orders
    return count


def _measured(
    servers: Servers, plan: Plan, given: argparse.Namespace, size: Size, say: Callable[[str], None]
) -> tuple[list[Result], bool]:
    """Rounds, in each of them every contender once, so that a slow minute hits all; and whether all went well."""
    todo = tasks(plan, size, given.only)
    runs: dict[str, list[Run]] = {task.name: [] for task in todo}
    rounds = 1 if plan.job == "memory" else given.runs or (1 if plan.job in LONG else size.runs)
    sound = True
    for number in range(rounds):
        for task in todo:
            head = f"{plan.job} {task.name} {number + 1}/{rounds}"
            try:
                run = task.run(servers)
            except Failed as error:
                say(f"{head}: no result: {error}")
                sound = False
                continue
            sound = sound and not run.wrong
            runs[task.name].append(run)
            say(f"{head}: {line(run, plan)}")
    return [Result(plan, t.name, t.what, runs[t.name], t.peer) for t in todo if runs[t.name]], sound


if __name__ == "__main__":
    sys.exit(main())
