"""Every call of the API that is served: one line each. Called by `app`."""

from __future__ import annotations

from services.journal.api import (
    accounting,
    alarms,
    answers,
    audit,
    by_hand,
    events,
    facets,
    groups,
    interfaces,
    mappings,
    modes,
    overview,
    people,
    records,
    rejections,
    views,
    webhooks,
)

CALLS = (
    accounting,
    alarms,
    answers,
    audit,
    by_hand,
    events,
    groups,
    interfaces,
    mappings,
    modes,
    overview,
    people,
    rejections,
    views,
    webhooks,
)

OF_RESOURCES = (
    facets,
    records,
)
"""Served for orders, exports and articles each; a fixed name before `/{id}`."""
