"""What is fuzzed: how its inputs are drawn, and what must hold for each of them.

An input is bytes, so that it can be kept and played again; `check` may raise nothing but what it says is wrong.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from shared.errors.catalogue import catalogue
from shared.errors.problem import Problem

HALF = re.compile("[\ud800-\udfff]")


class Wrong(AssertionError):
    """A rule that an input broke."""


@dataclass(frozen=True, slots=True)
class Target:
    """draw: an input out of a seeded generator; check: raises where a rule is broken, else a word for what came out."""

    name: str
    draw: Callable[[Random], bytes]
    check: Callable[[bytes], str]


def now_and_then(given: bytes) -> bool:
    """Whether this input gets the costly questions, too: one of four does, always the same."""
    return zlib.crc32(given) % 4 == 0


def require(holds: object, rule: str) -> None:
    """Raise Wrong with the rule where it does not hold."""
    if not holds:
        raise Wrong(rule)


def storable(value: Any, where: str) -> None:
    """Every text in it can be written to a database and a file: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        require("\0" not in value, f"{where}: a NUL")
        require(value.isascii() or not HALF.search(value), f"{where}: half a character")
    elif isinstance(value, dict):
        for name, each in value.items():
            storable(name, where)
            storable(each, where)
    elif isinstance(value, list | tuple):
        for each in value:
            storable(each, where)


def explained(problems: tuple[Problem, ...] | list[Problem], where: str) -> None:
    """There is at least one problem, each is in the catalogue, and can be stored."""
    require(problems, f"{where}: refused without a reason")
    for problem in problems:
        require(problem.code in catalogue(), f"{where}: {problem.code} is not in the catalogue")
        storable(problem.as_json(), where)
