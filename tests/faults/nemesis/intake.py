"""Broker and ERP are away while events come by HTTP: the Journal takes them in as ever, and all of it arrives later.

Only Postgres is on that path, so an answer must not take longer than otherwise (I11).
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx2

from services.cli.local.ports import any_free
from shared.db.connect import connect
from shared.people.tokens import create_token
from tests.faults.draw import Drawn
from tests.faults.scene import Scene
from tests.support.system import INTERFACE
from tests.support.waiting import until

POSTERS = 2
FOR_EVER = 1_000_000


def intake(scene: Scene) -> None:
    """Both go at once, in the middle of a flow of events, and come back after the last one was posted."""
    port, metrics = any_free(), any_free()
    with connect(scene.system.database_url, "faults-token") as conn:
        token = create_token(conn, scene.tag, "publisher", [INTERFACE])
    scene.until_started(scene.start())
    journal = scene.start(service="journal", port=str(port), metrics_port=str(metrics))
    until(lambda: _ready(metrics) or scene.struck(journal), "the Journal is ready", 60)
    post = _Post(scene, f"http://127.0.0.1:{port}/api/v1/events", token)
    post.all(scene.take(10))  # what is slow once is slow before
    for _ in range(scene.rounds):
        scene.driver.publish(scene.take(20 / scene.rounds))
        post.seconds.clear()
        scene.system.stand.fault("xentral", "503", "*", FOR_EVER)
        scene.ground.rabbit.kill()
        scene.fault("intake/away", 2)
        post.all(scene.take(50 / scene.rounds))
        scene.recovered("intake/away, p95", post.p95())
        scene.ground.rabbit.start()
        scene.system.stand.clear("xentral")
        healed = time.monotonic()
        share = scene.take(10 / scene.rounds)
        scene.driver.publish(share)
        scene.flows("intake/away", healed, share)
        scene.retry_waiting()
    scene.driver.publish(scene.rest())


class _Post:
    """Posts events one by one, as an upstream system would, and says to the driver's ledger what was answered."""

    def __init__(self, scene: Scene, url: str, token: str) -> None:
        self._scene, self._url = scene, url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
        self.seconds: list[float] = []

    def all(self, events: list[Drawn]) -> None:
        """Over a few connections; an event that is in the list twice is posted twice. Poison goes by the broker."""
        good = [event for event in events if event.kind != "poison"]
        bounds = [len(good) * n // POSTERS for n in range(POSTERS + 1)]
        with ThreadPoolExecutor(POSTERS) as pool:
            list(pool.map(lambda part: self._some(good[part[0] : part[1]]), pairwise(bounds)))

    def p95(self) -> float:
        """Of a hundred answers 95 came so soon, in seconds."""
        return sorted(self.seconds)[len(self.seconds) * 95 // 100]

    def _some(self, events: list[Drawn]) -> None:
        with httpx2.Client(timeout=30, trust_env=False, headers=self._headers) as client:
            for event in events:
                begun = time.monotonic()
                answer = client.post(self._url, content=event.body)
                self.seconds.append(time.monotonic() - begun)
                self._scene.driver.said(event, answer.status_code == 202)


def _ready(metrics: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{metrics}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
