"""The results ledger: one line of JSON a case, only ever appended; shards and repeated runs add up in it.

The last line of a case counts, so that a case that was run again replaces its earlier verdict.
"""

from __future__ import annotations

import fcntl
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Line = dict[str, Any]
AFTER_THAW = ", after the thaw"


class Results:
    """A file of lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, line: Line) -> None:
        """Write one line, whole, whoever else writes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(line, sort_keys=True) + "\n")

    def lines(self) -> dict[str, Line]:
        """The last line of each case."""
        if not self.path.exists():
            return {}
        lines = (json.loads(text) for text in self.path.read_text(encoding="utf-8").splitlines() if text.strip())
        return {line["case"]: line for line in lines}

    def passed(self) -> set[str]:
        """The cases that need not be run again."""
        return {case for case, line in self.lines().items() if line["verdict"] == "passed"}


def group(case: str) -> str:
    """What a case counts under: the nemesis, its fault and the broker; failpoints by their action."""
    kind, *fault, broker, _ = case.split("/")
    return f"{kind} {fault[-1]}, {broker}"


def totals(lines: Iterable[Line]) -> Mapping[str, Line]:
    """The sums by group, and of all under `all`; recoveries as the worst of each kind."""
    found: dict[str, Line] = defaultdict(
        lambda: {"cases": 0, "faults": 0, "events": 0, "orders": 0, "lost": 0, "doubled": 0, "window": 0,
                 "not passed": 0, "flows": 0.0, "settled": 0.0}
    )  # fmt: skip
    for line in lines:
        for name in (group(line["case"]), "all"):
            row = found[name]
            row["cases"] += 1
            row["faults"] += sum(Counter(line.get("faults", {})).values())
            row["not passed"] += line["verdict"] != "passed"
            for term in ("events", "orders", "lost", "doubled", "window"):
                row[term] += line.get(term, 0)
            for name_, seconds in line.get("recovery", {}).items():
                if name_ == "quiet":
                    row["settled"] = max(row["settled"], *seconds)
                elif ", " not in name_ or name_.endswith(AFTER_THAW):
                    row["flows"] = max(row["flows"], *seconds)
    return dict(sorted(found.items(), key=lambda item: (item[0] == "all", item[0])))


GOAL = {"events": 1_000_000, "faults": 2_000}
"""What a whole run must reach, with nothing lost and nothing doubled."""


def goal(lines: Iterable[Line]) -> str:
    """Everything in the ledger against the goal, in one sentence, with the seeds."""
    lines = list(lines)
    sums = totals(lines)["all"]
    seeds = sorted({line["seed"] for line in lines})
    commits = sorted({line["revision"] for line in lines if line.get("revision")})
    reached = ", ".join(f"{sums[term]:,} of {least:,} {term}" for term, least in GOAL.items())
    return (
        f"{reached}; {sums['lost']} lost, {sums['doubled']} doubled, {sums['not passed']} of {sums['cases']} cases not"
        f" passed; seeds {', '.join(map(str, seeds))}" + (f"; at {', '.join(commits)}." if commits else ".")
    )


COLUMNS = ("cases", "faults", "events", "orders", "lost", "doubled", "window", "not passed", "flows", "settled")


def table(lines: Iterable[Line]) -> str:
    """The totals as a table in Markdown."""
    heads = [*COLUMNS[:-2], "events flow again, worst (s)", "all settled, worst (s)"]
    rows = ["| fault | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for name, row in totals(lines).items():
        cells = [f"{row[c]:,}" if isinstance(row[c], int) else f"{row[c]:.1f}" for c in COLUMNS]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
