"""Runs one case: nemesis, quiet, evidence, verdict."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.faults.case import EVENTS, Case
from tests.faults.check import Expected, check
from tests.faults.ground import Ground
from tests.faults.limits import late
from tests.faults.nemesis.broker import broker
from tests.faults.nemesis.cluster import cluster
from tests.faults.nemesis.crash import crash
from tests.faults.nemesis.database import database
from tests.faults.nemesis.erp import erp
from tests.faults.nemesis.failover import failover
from tests.faults.nemesis.intake import intake
from tests.faults.scene import QUIET_SECONDS, Scene

NEMESES: Mapping[str, Callable[[Scene], None]] = {
    "crash": crash, "broker": broker, "database": database, "erp": erp, "cluster": cluster,
    "failover": failover, "intake": intake,
}  # fmt: skip


def run(
    ground: Ground,
    case: Case,
    *,
    module: Sequence[str] = (),
    size: int = EVENTS,
    patience: float = QUIET_SECONDS,
    timed: bool = False,
) -> dict[str, Any]:
    """One line of the results: what was done, what was found. A harness that fails is an `error`, never a pass.

    timed: hold the LIMITS, too; not beside other tests, where they would say how busy the machine is.
    """
    begun = time.monotonic()
    result: dict[str, Any] = {"case": case.id, "seed": case.seed, "verdict": "error", "violations": [], "events": 0}
    scene: Scene | None = None
    try:
        scene = Scene(ground, case, module=module, size=size, patience=patience)
        NEMESES[case.kind](scene)
        scene.quiesce(scene.retry_waiting if case.kind in ("erp", "intake") else lambda: None)
        evidence = scene.close()
        expected = Expected(tuple(scene.driver.ledger.values()), tuple(scene.placed), scene.window)
        verdict = check(expected, evidence)
        if timed:
            late_by = "I11" if case.kind == "intake" else "recovery"
            verdict.violations += [(late_by, sentence) for sentence in late(scene.recoveries)]
        result |= {
            "verdict": "passed" if verdict.passed else "failed",
            "violations": [f"{name}: {sentence}" for name, sentence in verdict.violations[:50]],
            "violated": dict(Counter(name for name, _ in verdict.violations)),
            **{name: verdict.counts[name] for name in ("lost", "doubled", "window", "recovered", "orders", "creates")},
        }
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"[:500]
        result["trace"] = traceback.format_exc()[-2000:]
    if scene is not None:
        result |= {
            "events": scene.driver.published, "faults": dict(Counter(scene.faults)), "recovery": scene.recoveries,
            "notes": scene.notes,
        }  # fmt: skip
    if result["verdict"] != "passed":
        ground.abandon(case.place)
    return {**result, "seconds": round(time.monotonic() - begun, 1)}
