"""What strikes during a soak: one fault at a time, drawn from the seed, each healed before the next."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from tests.faults.ground import Ground
from tests.soak.members import SERVICES, Members
from tests.soak.window import Freeze
from tests.support.sandbox import Stand

SHORTEST, LONGEST = 15.0, 40.0
"""Seconds between two faults."""

FROZEN = (1.0, 12.0)
"""Seconds: shorter than every lease, and longer than lease and call together."""

REMOTE_FAULTS = {
    "xentral": ("timeout_after_success", "500_after_success", "reset", "429", "500", "truncated", "html"),
    "otto": ("500", "reset", "429", "503", "truncated"),
}


class Nemesis:
    """Draws and injects. frozen: when each service stood still, for the window."""

    def __init__(self, ground: Ground, members: Members, stand: Stand, seed: int) -> None:
        self._ground, self._members, self._stand = ground, members, stand
        self._chance = random.Random(f"nemesis/{seed}")
        self.struck: Counter[str] = Counter()
        self.frozen: dict[str, list[Freeze]] = defaultdict(list)
        self.log: list[tuple[float, str]] = []

    def pause(self) -> float:
        """Seconds until the next fault."""
        return self._chance.uniform(SHORTEST, LONGEST)

    def strike(self) -> str:
        """Inject one fault and heal it; returns its name."""
        kinds: Mapping[str, tuple[float, Callable[[], str]]] = {
            "kill": (5, self._kill), "freeze": (3, self._freeze), "restart": (2, self._restart),
            "broker": (1.5, self._broker), "database": (1.5, self._database), "remote": (3, self._remote),
        }  # fmt: skip
        (kind,) = self._chance.choices(list(kinds), [weight for weight, _ in kinds.values()])
        begun = time.time()
        name = kinds[kind][1]()
        self.struck[name] += 1
        self.log.append((begun, name))
        return name

    def _kill(self) -> str:
        service = self._chance.choice(SERVICES)
        self._members.kill(service, signal.SIGKILL, self._chance.uniform(0, 2))
        return f"kill/{service}"

    def _restart(self) -> str:
        service = self._chance.choice(SERVICES)
        self._members.kill(service, signal.SIGTERM, self._chance.uniform(0, 2))
        return f"restart/{service}"

    def _freeze(self) -> str:
        service = self._chance.choice(SERVICES)
        seconds, began = self._chance.uniform(*FROZEN), time.time()
        woke = self._members.freeze(service, seconds)
        self.frozen[service].append(Freeze(began, woke))
        return f"freeze/{service}"

    def _broker(self) -> str:
        how = self._chance.choice(("restart", "kill"))
        rabbit = self._ground.rabbit
        (rabbit.stop if how == "restart" else rabbit.kill)()
        rabbit.start()
        return f"broker/{how}"

    def _database(self) -> str:
        how = self._chance.choice(("restart", "kill"))
        postgres = self._ground.postgres
        (postgres.stop if how == "restart" else postgres.kill)()
        postgres.start()
        return f"database/{how}"

    def _remote(self) -> str:
        side = self._chance.choice(list(REMOTE_FAULTS))
        fault = self._chance.choice(REMOTE_FAULTS[side])
        self._stand.fault(side, fault, "*", self._chance.randint(1, 6), seconds=3.0)
        time.sleep(3.0)
        self._stand.clear(side)
        return f"{side}/{fault}"
