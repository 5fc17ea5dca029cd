"""The files for running Connect elsewhere are valid and name only what exists. No engine, no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.metrics import Metrics
from shared.settings import PORTS, unknown

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHECKS = {
    "compose schema": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    "hadolint": ["hadolint", "--failure-threshold", "style", "deploy/Dockerfile"],
    "yamllint": ["yamllint", "--strict", "docker-compose.yml", "deploy", ".pre-commit-config.yaml", ".yamllint.yml"],
    "pre-commit": ["pre-commit", "validate-config"],
    "shell syntax": ["/bin/bash", "-n", ".ci/run"],
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
    defaults = re.findall(r"\$\{CONNECT_\w*(?:PASSWORD|SECRET|KEY)\w*:-([^}]*)\}", text)
    assert defaults
    assert all(value.startswith("dev-only-") for value in defaults)


def test_files_that_compose_mounts_exist() -> None:
    for service in compose()["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), mount


def test_prometheus_scrapes_our_services_every_two_seconds_where_they_listen() -> None:
    read = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert read["global"]["scrape_interval"] == "2s"
    targets = {
        target for job in read["scrape_configs"] for static in job["static_configs"] for target in static["targets"]
    }
    ours = {f"{name}:{PORTS[name]}" for name in OURS if name in PORTS}
    assert ours <= targets
    assert {target.split(":")[0] for target in targets} <= compose()["services"].keys()


def test_dashboards_ask_only_for_metrics_that_exist() -> None:
    exposed = set()
    for family in Metrics("importer", "0").registry.collect():
        exposed |= {family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_count"}
    for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        assert board["uid"] == path.stem
        asked = {
            name
            for panel in board["panels"]
            for target in panel["targets"]
            for name in re.findall(r"\bconnect_\w+", target["expr"])
        }
        assert asked
        assert asked <= exposed, asked - exposed
        assert all(panel["description"] for panel in board["panels"])


def test_the_image_runs_without_root() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users
    assert users[-1].split(":")[0] not in {"root", "0"}
