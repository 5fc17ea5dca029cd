"""Keeps the demo alive: places an order every few seconds, mostly good, one in eight with a fault a shop really has.

ERPs go on with their own work at the same pace: what is there leaves, stock changes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

from services.sandbox.faults import Sandbox

DEFECTS = ("unknown-sku", "unmapped-payment", "missing-tax", "missing-address")
HICCUPS = ("500", "timeout_after_success")
MOST_PLACED = 2000
MOST_CREATED = 20_000


async def keep_placing(sandboxes: Mapping[str, Sandbox], every: float) -> None:
    """Run until cancelled: one order at each marketplace a step, so that one more of them slows down none. Marketplaces
    are the stand-ins that can place orders; the others have the hiccups.

    A stand-in with `carry_on` is called at each step, in a thread, because it may have much to do.
    """
    shops = [sandbox for sandbox in sandboxes.values() if hasattr(sandbox.app.state, "place")]
    erps = [sandbox for sandbox in sandboxes.values() if sandbox not in shops]
    count = 0
    while shops:
        await asyncio.sleep(every)
        count += 1
        for shop in shops:
            place_one(shop, erps)
        for erp in erps:
            if hasattr(erp.app.state, "carry_on"):
                await asyncio.to_thread(erp.app.state.carry_on)
        if count % 100 == 0:
            for each in sandboxes.values():
                each.app.state.trim(MOST_PLACED if each in shops else MOST_CREATED)


def place_one(shop: Sandbox, erps: list[Sandbox]) -> None:
    """One order; every eighth on average has a fault, or meets one on its way."""
    chance = random.Random()  # noqa: S311 - example data
    fault = chance.choice((*DEFECTS, "hiccup", "cancellation")) if chance.random() < 1 / 8 else None
    numbers = shop.app.state.place(1, (fault,) if fault in DEFECTS else ())
    if fault == "cancellation":
        # Late enough for the order to be on its way, and sometimes for the parcel too.
        asyncio.get_running_loop().call_later(chance.uniform(1, 20), shop.app.state.cancel, numbers[0])
    elif fault == "hiccup" and erps:
        erp = chance.choice(erps)
        # Hiccups that nothing met are not heaped up.
        if len(erp.faults) < 3:
            erp.add_fault("create-order", chance.choice(HICCUPS))
