"""The files for running Connect elsewhere are valid and name only what exists. No engine, no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli import metrics_page
from shared.broker import users
from shared.db import roles
from shared.settings import PORTS, unknown

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHECKS = {
    "compose schema": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    "hadolint": ["hadolint", "--failure-threshold", "style", "deploy/Dockerfile"],
    "yamllint": ["yamllint", "--strict", "docker-compose.yml", "deploy", ".pre-commit-config.yaml", ".yamllint.yml"],
    "pre-commit": ["pre-commit", "validate-config"],
    "shell syntax": ["/bin/bash", "-n", ".ci/run"],
    "shell syntax of what makes the database": ["/bin/sh", "-n", "deploy/postgres/10-connect.sh"],
}


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return read


OURS = {name: service for name, service in compose()["services"].items() if service.get("image") == "connect:local"}


@pytest.mark.parametrize("name", CHECKS)
def test_the_tools_find_nothing(name: str) -> None:
    command, *rest = CHECKS[name]
    done = subprocess.run([BIN / command, *rest], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_get_only_settings_that_exist(name: str) -> None:
    assert unknown(OURS[name]["environment"]) == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_have_no_rights_they_do_not_need(name: str) -> None:
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("privileged")


@pytest.mark.parametrize("name", sorted(OURS.keys() & PORTS.keys()))
def test_health_is_asked_on_the_service_s_own_port(name: str) -> None:
    assert OURS[name]["command"] == ["serve", name]
    assert f":{PORTS[name]}/livez" in OURS[name]["healthcheck"]["test"][-1]


def test_every_lasting_service_has_a_health_check_and_a_fixed_version() -> None:
    for name, service in compose()["services"].items():
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name
        assert "healthcheck" in service or service.get("restart") == "no", name


def test_ports_are_published_on_loopback_only() -> None:
    for name, service in compose()["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_every_default_secret_says_that_it_is_for_development() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    defaults = re.findall(r"\$\{CONNECT_\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*:-([^}]*)\}", text)
    assert defaults
    assert all(value.startswith("dev-only-") for value in defaults)


def test_a_variable_has_one_default() -> None:
    """Both sides of a secret have to agree about it."""
    found: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")):
        found.setdefault(name, set()).add(default)
    assert len(found) > 5
    assert not {name: values for name, values in found.items() if len(values) > 1}


def test_files_that_compose_mounts_exist() -> None:
    for service in compose()["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), mount


def test_prometheus_scrapes_our_services_every_two_seconds_where_they_listen() -> None:
    folder = ROOT / "deploy/prometheus"
    read = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
    (ours,) = [job for job in read["scrape_configs"] if job["job_name"] == "connect"]
    assert ours["scrape_interval"] == "2s"
    for where, names in (("compose", {name: name for name in PORTS}), ("host", dict.fromkeys(PORTS, "127.0.0.1"))):
        groups = yaml.safe_load((folder / where / "connect.yml").read_text(encoding="utf-8"))
        found = {group["labels"]["service"]: group["targets"] for group in groups}
        assert found == {name: [f"{names[name]}:{port}"] for name, port in PORTS.items()}
        jobs = {f"{job['job_name']}.yml" for job in read["scrape_configs"]}
        assert {path.name for path in (folder / where).iterdir()} == jobs
    for path in (folder / "compose").iterdir():
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert {target.split(":")[0] for target in group["targets"]} <= compose()["services"].keys(), path.name


def test_what_alertmanager_calls_is_there() -> None:
    read = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
    urls = [hook["url"] for receiver in read["receivers"] for hook in receiver.get("webhook_configs", [])]
    assert urls == [f"http://alerts:{PORTS['alerts']}/alertmanager"]
    assert read["global"]["smtp_smarthost"].split(":")[0] in compose()["services"]


def test_dashboards_and_rules_ask_only_for_metrics_that_exist() -> None:
    exposed = {word for line in metrics_page.markdown().splitlines() for word in re.findall(r"`(connect_\w+)`", line)}
    exposed |= {f"{name}_{kind}" for name in exposed for kind in ("bucket", "count", "sum")}
    files = [*(ROOT / "deploy/grafana/dashboards").glob("*.json"), *(ROOT / "deploy/prometheus/rules").glob("*.yml")]
    for path in files:
        text = path.read_text(encoding="utf-8")
        asked = set(re.findall(r"(?<![:\w])(connect_\w+)(?!\w*:)", text))
        assert asked or "rabbitmq_" in text, path.name
        assert asked <= exposed, (path.name, asked - exposed)


def test_the_image_runs_without_root() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users
    assert users[-1].split(":")[0] not in {"root", "0"}


def test_only_the_job_that_migrates_may_change_schema_and_topology() -> None:
    """Services, and what reads figures, log in as those who may not."""
    who: dict[str, set[str]] = {}
    for name, service in OURS.items():
        for text in service["environment"].values():
            if login := re.match(r"(?:postgresql|amqp)://([\w-]+):", str(text)):
                who.setdefault(name, set()).add(login[1])
    few = {roles.role("connect", "services"), users.name("connect", "services")}
    assert who == {**dict.fromkeys(PORTS, few), "migrate": {"connect"}}
    exporter = compose()["services"]["postgres-exporter"]["environment"]
    assert exporter["DATA_SOURCE_USER"] == roles.role("connect", "reading")
    asked = OURS["migrate"]["command"][0]
    assert all(f"{kind}=@postgres-{kind}" in asked for kind in roles.KINDS)
    assert all(f"{kind}=@rabbitmq-{kind}" in asked for kind in users.KINDS)
    assert f"amqp://{users.name('connect', 'declarer')}:" in asked


def test_what_compose_writes_into_a_container_is_not_for_one_that_is_read_only() -> None:
    """It refuses to start such a service: a configuration with its content in the file is copied into the container."""
    read = compose()
    inline = {name for name, entry in read["configs"].items() if "content" in entry}
    for name, service in read["services"].items():
        given = {entry["source"] for entry in service.get("configs", [])}
        assert not (service.get("read_only") and given & inline), name
        assert given <= read["configs"].keys(), name
