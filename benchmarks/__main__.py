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
from pathlib import Path

from benchmarks import connect_apart, connect_one_process, connect_pgmq, connect_rabbitmq
from benchmarks.driver import Failed, Plan, Run, measure
from benchmarks.peers import celery_contender, dramatiq_contender, faststream_contender, kombu_process, pika_process
from benchmarks.servers import Servers
from benchmarks.summary import Result, compared, line, machine, table, write_readme

OURS = (connect_rabbitmq, connect_apart, connect_one_process, connect_pgmq)
PEERS = (celery_contender, dramatiq_contender, faststream_contender, kombu_process, pika_process)
CONTENDERS = [module.CONTENDER for module in (*OURS, *PEERS)]
NAMES = ("pipeline", "intake", "claim", "latency")


def main() -> int:
    """Parse, measure in rounds (each contender once a round, so that a slow minute hits all), print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; none: all of them")
    parser.add_argument("--only", action="append", choices=[c.name for c in CONTENDERS], help="only this contender")
    parser.add_argument("--runs", type=int, default=3, help="rounds (3)")
    parser.add_argument("--orders", type=int, default=10_000, help="backlog of a run (10,000)")
    parser.add_argument("--rate", type=float, default=200.0, help="orders a second for latency (200)")
    parser.add_argument("--json", action="store_true", help="one JSON object per contender and line")
    parser.add_argument("--readme", action="store_true", help="write the results into benchmarks/README.md")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="record with py-spy (figures mean little then)")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in NAMES]:
        parser.error(f"there is no benchmark {', '.join(unknown)}, only {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    plans = [Plan(n, given.orders, given.rate, profile=given.profile) for n in given.names or NAMES]
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    results: list[Result] = []
    sound = True
    with Servers(say) as servers:
        for plan in plans:
            contenders = [c for c in CONTENDERS if c.commands(plan.job) and (not given.only or c.name in given.only)]
            runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
            for number in range(given.runs):
                for contender in contenders:
                    head = f"{plan.job} {contender.name} {number + 1}/{given.runs}"
                    try:
                        run = measure(servers, contender, plan)
                    except Failed as error:
                        say(f"{head}: no result: {error}")
                        sound = False
                        continue
                    sound = sound and not run.wrong
                    runs[contender.name].append(run)
                    say(f"{head}: {line(run, plan)}")
            results += [Result(plan, c.name, c.what, runs[c.name], c.peer) for c in contenders if runs[c.name]]
    results = compared(results)
    settings = (
        f"{given.orders:,} orders a run, {given.runs} rounds; latency: {given.rate:g}/s for {plans[0].seconds:g} s."
    )
    if given.json:
        for result in results:
            print(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        print(f"{machine()}. {settings}\n\n{table(results)}")
    if given.readme:
        write_readme(results, settings)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
