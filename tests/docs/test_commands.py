"""Every command that a document names is run by a test, or can be typed; what no test runs is listed with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.commands import Named, named, wrong

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/runbooks").glob("*.md")),
    *sorted((ROOT / "docs/de").glob("*.md")),
    *sorted((ROOT / "shared/connectors").glob("*/README.md")),
    ROOT / "services/sandbox/README.md",
]
IDS = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]

RUN = {
    "docs/publishing.md": "docs/test_publishing.py",
    "docs/tutorial.md": "docs/test_tutorial.py",
    "docs/upgrade.md": "faults/test_release_before.py",
}
"""Documents whose blocks are typed from top to bottom, and by which test."""

ELSEWHERE = {
    "make run": "what `connect up --demo` is, by tests/flow/test_up.py; test_tutorial.py compares the Makefile",
    "make test": "this run",
    "docker compose": "needs a Docker engine; the file is checked by scripts/check",
    "kubectl": "needs a cluster; what is applied is rendered and checked by scripts/check",
    "pg_basebackup": "taken out of the document by tests/flow/test_backup.py",
    "pg_dump": "taken out of the document by tests/flow/test_backup.py",
    "psql": "taken out of the document by tests/flow/test_point_in_time.py",
    "connect archive run": "tests/flow/test_archive.py, with a folder of its own",
}
"""The beginnings of fenced commands that no test of a document types, and who stands for them, or why nobody does."""

OTHERS = ("docker", "rabbitmqctl", "kubectl", "psql", "pg_dump", "pg_basebackup", "curl")
"""Commands that are not ours: whether their options exist is theirs to say."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_command_can_be_typed(document: Path) -> None:
    found = named(document, ROOT)
    problems = [f"{one}\n    {problem}" for one in found if (problem := wrong(one.text, ROOT))]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_fenced_command_is_run_or_says_why_not(document: Path) -> None:
    left = [one for one in named(document, ROOT) if one.fenced and not _run(one)]
    assert not left, "\n".join(map(str, left))


def _run(one: Named) -> bool:
    if one.document in RUN:
        return (ROOT / "tests" / RUN[one.document]).is_file()
    return one.text.startswith(tuple(ELSEWHERE))


def test_no_reason_is_left_over() -> None:
    fenced = [one.text for document in DOCUMENTS for one in named(document, ROOT) if one.fenced]
    assert [start for start in ELSEWHERE if not any(text.startswith(start) for text in fenced)] == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("connect orders lsit", "no command lsit"),
        ("connect orders list --filtr state:failed", "--filtr"),
        ("connect orders list|shwo", "no command shwo"),
        ("connect interfaces show otto-de extra", "extra"),
        ("connect alarms backtest --days many", "valid integer"),
        ("connect 'orders", "shell"),
        ("make screenshot", "no target"),
        ("python -m services.cli.nothing", "no module"),
    ],
)
def test_a_wrong_command_is_noticed(command: str, says: str) -> None:
    assert says in wrong(command, ROOT)


@pytest.mark.parametrize(
    "command",
    [
        "connect orders show", "connect orders list|show …", "connect interfaces live SLUG --from 2026-11-26",
        "connect interfaces ping SLUG", "connect --lang de status", "make test TESTS=tests/unit", "connect orders",
        "connect audit --about otto-de", "connect rejections show ID", "connect interfaces live a --from $(date +%F)",
        "connect status --json | jq .",
    ],
)  # fmt: skip
def test_a_right_one_is_not(command: str) -> None:
    assert wrong(command, ROOT) == ""


def test_commands_are_found_in_blocks_and_in_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "Say `connect status` or\n`connect orders\nlist`, not `connect`.\n\n"
        "```sh\nexport A=$(connect tokens create a)\nconnect orders list \\\n  --json\n"
        "```\n```\nmake run    a demo\n```\n",
        encoding="utf-8",
    )
    found = {(one.text, one.fenced) for one in named(tmp_path / "a.md", tmp_path)}
    assert found == {
        ("connect status", False), ("connect orders list", False), ("connect tokens create a", True),
        ("connect orders list --json", True), ("make run", True),
    }  # fmt: skip
