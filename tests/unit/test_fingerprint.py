"""A fingerprint names a fault, not a case: what changes from case to case does not change it."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from shared.errors.fingerprint import fingerprint

words = some.text("abcdefghijklmnopqrstuvwxyz äöüß", max_size=20)


@given(one=some.integers(), two=some.integers())
def test_numbers_do_not_count(one: int, two: int) -> None:
    assert fingerprint(ValueError(f"row {one} is gone")) == fingerprint(ValueError(f"row {two} is gone"))


@given(one=some.uuids(), two=some.uuids())
def test_ids_do_not_count(one: UUID, two: UUID) -> None:
    first, second = KeyError(f"order {one} of wsbk4c76bw"), KeyError(f"order {two} of x9fk2m11aa")
    assert fingerprint(first) == fingerprint(second)


@given(one=some.datetimes(), two=some.datetimes())
def test_dates_do_not_count(one: datetime, two: datetime) -> None:
    assert fingerprint(OSError(f"late since {one.isoformat()}")) == fingerprint(OSError(f"late since {two}"))


@given(one=words, two=words)
def test_quoted_values_do_not_count(one: str, two: str) -> None:
    for left, right in ("''", '""', "„“", "“”"):
        first, second = f"no article {left}{one}{right} found", f"no article {left}{two}{right} found"
        assert fingerprint(LookupError(first)) == fingerprint(LookupError(second))


@given(text=some.text())
def test_it_is_short_printable_and_repeatable_for_any_message(text: str) -> None:
    mark = fingerprint(RuntimeError(text))
    assert mark == fingerprint(RuntimeError(text))
    assert mark.startswith("RuntimeError-")
    assert len(mark) == len("RuntimeError-") + 8


def test_another_message_and_another_kind_are_another_fault() -> None:
    marks = {
        fingerprint(exc) for exc in (ValueError("row is gone"), ValueError("row is locked"), KeyError("row is gone"))
    }
    assert len(marks) == 3


def test_an_apostrophe_does_not_swallow_the_message() -> None:
    assert fingerprint(ValueError("can't read, won't stop")) != fingerprint(ValueError("can't write, won't stop"))


def test_the_place_in_our_code_counts_but_not_its_line() -> None:
    try:
        json.loads("{")
    except ValueError as exc:
        outside = fingerprint(exc)
    namespace = {"__name__": "services.importer.stage"}
    marks = []
    for blank_lines in ("", "\n\n"):
        exec(f"{blank_lines}def stage():\n    import json\n    json.loads('{{')\n", namespace)  # our code, moved down
        try:
            namespace["stage"]()  # type: ignore[operator]
        except ValueError as exc:
            marks.append(fingerprint(exc))
    assert marks[0] == marks[1] != outside
