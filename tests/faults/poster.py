"""Posts events to whichever Journal answers, as a client behind a load balancer does: again where no answer came."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence

import httpx2

from tests.faults.draw import Drawn
from tests.faults.driver import Driver

PATIENCE = 90.0


class Poster:
    """addresses: of the Journals, by place; may change meanwhile. answered: how often each of them did."""

    def __init__(self, addresses: Mapping[str, str], token: str, driver: Driver) -> None:
        self._addresses, self._driver = addresses, driver
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
        self._turn = itertools.count()
        self.answered: dict[str, int] = {}
        self.again = 0

    def post(self, events: Sequence[Drawn]) -> None:
        """One after the other, to the Journals in turn; AssertionError where one is refused or never answered."""
        for event in events:
            self._post(event)

    def _post(self, event: Drawn) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            places = sorted(self._addresses)
            place = places[next(self._turn) % len(places)]
            try:
                answer = httpx2.post(
                    f"{self._addresses[place]}/api/v1/events", content=event.body, headers=self._headers,
                    trust_env=False, timeout=30,
                )  # fmt: skip
            except httpx2.TransportError:
                self.again += 1
            else:
                assert answer.status_code == 202, answer.text
                assert answer.json()["results"][0]["outcome"] in ("accepted", "duplicate"), answer.text
                self.answered[place] = self.answered.get(place, 0) + 1
                self._driver.said(event, accepted=True)
                return
            assert time.monotonic() < end, f"no Journal answers: {dict(self._addresses)}"
