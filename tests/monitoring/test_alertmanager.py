"""Alertmanager's configuration, judged by its own tool: it is valid, and every alert goes where its scope says."""

from __future__ import annotations

import subprocess

import pytest

from tests.monitoring.rules import ROOT, alerts
from tests.support.monitors import monitor

CONFIGURATION = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
GOES = {"flow": "nobody", "infrastructure": "alert-service", "watch": "fallback-mail"}


def amtool(*arguments: str) -> str:
    """What amtool says; it has to be content."""
    done = subprocess.run(
        [monitor("amtool"), *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_valid() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIGURATION))


@pytest.mark.parametrize("scope", GOES)
def test_alerts_go_where_their_scope_says(scope: str) -> None:
    name = next(rule["alert"] for rule in alerts() if rule["labels"]["scope"] == scope and rule["alert"] != "Watchdog")
    assert goes(f"alertname={name}", f"scope={scope}", "severity=error") == GOES[scope]


def test_the_watchdog_goes_to_the_alert_service_though_it_is_about_the_watch() -> None:
    assert goes("alertname=Watchdog", "scope=watch", "severity=none") == GOES["infrastructure"]


def goes(*labels: str) -> str:
    """The receiver of an alert with these labels."""
    return amtool("config", "routes", "test", f"--config.file={CONFIGURATION}", *labels).strip()
