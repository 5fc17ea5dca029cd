"""Rules, their unit tests and their runbooks, judged by Prometheus' own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from typer.main import get_command

from services.cli.__main__ import build
from tests.monitoring.rules import CASES, PROMETHEUS, ROOT, RULES, alerts, records
from tests.support.monitors import monitor

RUNBOOKS = ROOT / "docs" / "runbooks"
PARTS = ["## What it means", "## How to look", "## What to do", "## When it is over"]
COMMAND = re.compile(r"`connect ([^`]+)`")


def promtool(*arguments: str | Path, folder: Path = ROOT) -> str:
    """What promtool says; it has to be content."""
    command = [monitor("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("where", ["compose", "host"])
def test_promtool_finds_nothing_in_configuration_targets_and_rules(where: str, tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "targets").symlink_to(where)
    said = promtool("check", "config", "--lint=all", "prometheus.yml", folder=tmp_path)
    assert "SUCCESS" in said
    assert sum(map(int, re.findall(r"(\d+) rules found", said))) == len(alerts()) + len(records())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_rules_fire_when_they_should_and_not_else(case: Path) -> None:
    promtool("test", "rules", case)


def test_every_alert_is_tried_firing_and_quiet() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in CASES)
    asked = {
        name
        for pattern in re.findall(r'alertname=~?"([^"]+)"|alertname: (\w+)', text)
        for one in filter(None, pattern)
        for name in (rule["alert"] for rule in alerts())
        if re.fullmatch(one, name)
    }
    assert asked == {rule["alert"] for rule in alerts()}


def test_a_broken_rule_and_a_wrong_expectation_are_noticed(tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    broken = (tmp_path / "rules" / "infrastructure.yml").read_text().replace("vector(1)", "vector(1")
    (tmp_path / "rules" / "infrastructure.yml").write_text(broken)
    with pytest.raises(AssertionError, match="could not parse expression"):
        promtool("check", "rules", *sorted((tmp_path / "rules").glob("*.yml")))
    quiet = {"rule_files": [str(path) for path in RULES], "tests": [
        {"interval": "1m", "alert_rule_test": [{"eval_time": "1m", "alertname": "Watchdog", "exp_alerts": []}]}
    ]}  # fmt: skip
    (tmp_path / "case.yml").write_text(yaml.safe_dump(quiet))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", tmp_path / "case.yml")


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_what_it_is_and_where_to_read_on(rule: dict[str, dict[str, str]]) -> None:
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook"}
    assert rule["labels"]["severity"] in {"warning", "error", "none"}
    assert rule["labels"]["scope"] in {"flow", "infrastructure", "watch"}
    assert said["description"].rstrip()[-1] in ".}"
    assert said["runbook"] == f"docs/runbooks/{rule['alert']}.md"


def test_every_runbook_belongs_to_an_alert_and_every_alert_has_one() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == {rule["alert"] for rule in alerts()}
    listed = re.findall(r"\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted({rule["alert"] for rule in alerts()})


@pytest.fixture(scope="module")
def connect() -> click.Command:
    """The command line, built once."""
    return get_command(build())


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in alerts()}))
def test_a_runbook_is_short_and_its_commands_exist(name: str, connect: click.Command) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == PARTS
    parts = re.split("|".join(PARTS), text)[1:]
    assert all(part.strip()[-1] in ".`" and len(part.split()) >= 8 for part in parts[:2] + parts[3:])
    steps = re.findall(r"^\d+\. ", parts[2], re.MULTILINE)
    assert 1 <= len(steps) <= 5
    assert len(text.splitlines()) <= 40
    for command in COMMAND.findall(text):
        assert known(connect, command.split()), f"connect {command}"


def test_a_command_that_connect_does_not_have_is_noticed(connect: click.Command) -> None:
    assert known(connect, ["orders", "retry", "--filter", "state:failed"])
    assert not known(connect, ["orders", "mend", "4711"])
    assert not known(connect, ["orders", "retry", "--please"])


def known(command: click.Command, words: list[str]) -> bool:
    """Whether `connect` has this command, with these options."""
    while words and (inner := getattr(command, "commands", {}).get(words[0])) is not None:
        command, words = inner, words[1:]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return not hasattr(command, "commands") and all(word in options for word in words if word.startswith("-"))
