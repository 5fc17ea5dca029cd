"""A seed is a replay, and the events are as mixed as they are said to be."""

from __future__ import annotations

import random
from collections import Counter

from tests.faults.case import matrix, parse
from tests.faults.draw import BIG, draw
from tests.faults.poison import KINDS


def test_the_same_seed_draws_the_same_events() -> None:
    def bodies(seed: str) -> list[tuple[str, int]]:
        return [(event.id, len(event.body)) for event in draw("t", random.Random(seed), 400)]

    assert bodies("a") == bodies("a")
    assert bodies("a") != bodies("b")


def test_duplicates_disorder_poison_and_weight_are_among_them() -> None:
    events = draw("t", random.Random(1), 4000)
    kinds = Counter(event.kind for event in events)
    bodies = Counter(event.body for event in events)
    assert len(events) == 4000
    assert 150 <= sum(count - 1 for count in bodies.values()) <= 250
    assert 40 <= kinds["poison"] <= 130
    assert {event.fault for event in events if event.kind == "poison"} == set(KINDS)
    assert 15 <= sum(len(event.body) > BIG for event in events) <= 90
    places: dict[str, int] = {}
    early = 0
    for event in events:
        early += event.place < places.get(event.number, 0)
        places[event.number] = max(places.get(event.number, 0), event.place)
    assert early > 50


def test_a_case_is_its_id() -> None:
    cases = list(matrix(2))
    assert len({case.id for case in cases}) == len(cases)
    assert len({case.tag for case in cases}) == len(cases)
    assert all(parse(case.id) == case for case in cases)
