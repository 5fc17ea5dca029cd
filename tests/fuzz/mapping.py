"""Whatever a remote system answers becomes an event, a draft, named problems, or a RemoteError; never anything else.

An input is `system\\n` and the answer's bytes. It goes the way of a real one: read as JSON by `http`, mapped, made an
event, decoded by intake, and, where intake takes it, drafted for each ERP.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from services.importer.polled import polled_event
from shared.connectors.contract import Draft, Mappings, SourceOrder
from shared.connectors.http import _parse
from shared.connectors.otto.mapping import source_order as otto
from shared.connectors.shopify.mapping import Rules
from shared.connectors.shopify.mapping import source_order as shopify
from shared.connectors.tryton.mapping import draft as tryton_draft
from shared.connectors.tryton.settings import TrytonSettings
from shared.connectors.vendure.mapping import Reading
from shared.connectors.vendure.mapping import source_order as vendure
from shared.connectors.xentral.mapping import draft as xentral_draft
from shared.connectors.xentral.webhook import hints
from shared.errors.problem import Problem
from shared.events.orders import Order
from shared.runtime.decode import Refused, decode
from tests.fuzz import corpus
from tests.fuzz.mutate import Path, bent, broken, odd, places, written
from tests.fuzz.target import Target, explained, now_and_then, require, storable

NOW = datetime(2040, 1, 1, tzinfo=UTC)
"""Later than any date of the samples, so that a date is refused for being none."""

RULES = Rules(frozenset({"invoice"}), "19", "free")
READING = Reading(announced_payments=("invoice",))
MAP: dict[str, Callable[[Any], SourceOrder]] = {
    "otto": otto,
    "shopify": lambda raw: shopify(raw, RULES),
    "vendure": lambda raw: vendure(raw, READING),
}
SYSTEMS = (*MAP, "order", "webhook")


@cache
def _documents(system: str) -> tuple[tuple[Any, list[Path]], ...]:
    if system == "order":
        found: tuple[Any, ...] = (corpus.ORDER, *(each["order"] for each in corpus.samples("xentral", "order-*.json")))
    elif system == "webhook":
        (listed,) = corpus.samples("xentral", "webhook-events.json")
        found = tuple(each.get("event", each) for each in (listed if isinstance(listed, list) else [listed]))
    else:
        found = corpus.orders(system)
    return tuple((each, places(each)) for each in found)


def draw(chance: Random) -> bytes:
    """A system, and an order of its samples that is bent."""
    system = chance.choice(SYSTEMS)
    document, where = chance.choice(_documents(system))
    kind = chance.random()
    if kind < 0.02:
        body = written(odd(chance), chance)
    else:
        body = written(bent(document, where, chance), chance)
        if kind > 0.95:
            body = broken(body, chance)
    return system.encode() + b"\n" + body


def check(given: bytes) -> str:
    """The way of an answer."""
    name, _, body = given.partition(b"\n")
    system = name.decode()
    if system == "webhook":
        return _webhook(body)
    raw, readable = _parse(body)
    if not readable:
        return "no JSON"
    if system == "order":
        return _drafted(raw)
    made = MAP[system](raw)
    costly = now_and_then(given)
    require(not costly or made == MAP[system](raw), "the same answer becomes two orders")
    require(made.changed_at.tzinfo is not None, "a change without a zone")
    event_hash, event = polled_event("otto-de", made)
    require(not costly or (event_hash, event) == polled_event("otto-de", made), "the same order becomes two events")
    found = decode(event, "order-imported", NOW)
    if isinstance(found, Refused):
        explained(found.problems, "refused")
        return f"{system} refused"
    _draft(found.data.order)
    return f"{system} {found.data.order.status}"


def _webhook(body: bytes) -> str:
    try:
        found = hints(body)
    except ValueError:
        return "no webhook"
    for hint in found:
        storable(hint.id, "hint")
        require(len(hint.id) > 0, "a hint of nothing")
    return f"{len(found)} hints"


def _drafted(raw: Any) -> str:
    try:
        order = Order.model_validate_json(json.dumps(raw))
    except ValueError:
        return "no order"
    try:
        storable(order.model_dump(mode="json"), "order")
    except AssertionError:
        return "no order"  # decode refuses it
    return _draft(order)


def _draft(order: Order) -> str:
    outcomes = []
    for each in (
        xentral_draft(order, _mappings("xentral"), Decimal("0.05"), "4"),
        tryton_draft(order, _mappings("tryton"), _tryton()),
    ):
        if isinstance(each, Draft):
            json.dumps(each.document, allow_nan=False)
            require((each.number, each.marketplace_id) == (order.number, order.marketplace_id), "another order's draft")
            for remark in each.remarks:
                _named(remark)
            outcomes.append("drafted")
        else:
            explained(each, "draft")
            for problem in each:
                _named(problem)
            outcomes.append("held back")
    return " ".join(outcomes)


def _named(problem: Problem) -> None:
    storable(problem.as_json(), "draft")
    storable(problem.key, "draft")


@cache
def _mappings(connector: str) -> Mappings:
    return Mappings(corpus.mappings(connector))


@cache
def _tryton() -> TrytonSettings:
    return TrytonSettings.model_validate(corpus.settings("tryton"))


TARGET = Target("mapping", draw, check)
