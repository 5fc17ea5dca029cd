"""docs/tutorial.md: a new user types it from top to bottom, and what it says comes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.docs.conftest import reader_of
from tests.docs.fenced import Block, blocks
from tests.support.installation import installation

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/tutorial.md"


def steps() -> Iterator[tuple[str, list[Block]]]:
    """The numbered sections with their blocks."""
    for section, found in groupby(blocks(DOCUMENT), key=lambda block: block.section):
        yield section, list(found)


def test_each_step_does_what_it_says(tmp_path: Path, subtests: pytest.Subtests) -> None:
    with installation(tmp_path, "pgmq") as made:
        reader = reader_of(made, made.start("--demo", seconds=600))
        for section, found in steps():
            came = False
            with subtests.test(section):
                assert reader.follow("docs/tutorial.md", found) > 0
                came = True
            if not came:
                pytest.fail(f"nobody gets further than {section}")
        # What a reader cannot see on the way: T-1 to T-4 are in the ERP, each once.
        numbers = [order["externalOrderNumber"] for order in made.control("xentral", "state")["salesOrders"]]
        assert [numbers.count(f"T-{number}") for number in range(1, 5)] == [1, 1, 1, 1]


def test_it_has_all_steps_and_begins_as_the_test_does() -> None:
    found = list(steps())
    assert [section[:2] for section, _ in found] == [f"{number}." for number in range(1, 8)]
    elsewhere = [block.text.strip() for block in blocks(DOCUMENT) if block.note == "another terminal"]
    assert elsewhere == ["make run"]
    assert re.search(r"^run:.*\n\t@exec .* up --demo ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
