"""The rules for Prometheus, as their files say them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
CASES = sorted((Path(__file__).parent / "cases").glob("*.yml"))


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Each rule of each group of each file; it has `alert` or `record`, and `expr`. Not to be changed."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return tuple(rule for group in groups for rule in group["rules"])


def alerts() -> list[dict[str, Any]]:
    """The alerting rules; one name may stand for two severities."""
    return [rule for rule in rules() if "alert" in rule]


def records() -> list[dict[str, Any]]:
    """The recording rules."""
    return [rule for rule in rules() if "record" in rule]
