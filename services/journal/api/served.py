"""Every call of the API that is served: one line each. Called by `app`."""

from __future__ import annotations

from services.journal.api import (
    accounting,
    acts,
    alarms,
    answers,
    audit,
    by_hand,
    edit,
    events,
    facets,
    groups,
    interfaces,
    maintenance,
    mappings,
    me,
    modes,
    overview,
    people,
    privacy,
    records,
    rejections,
    reveals,
    runs,
    views,
    webhooks,
)

CALLS = (
    accounting,
    alarms,
    answers,
    audit,
    by_hand,
    edit,
    events,
    groups,
    interfaces,
    maintenance,
    mappings,
    me,
    modes,
    overview,
    people,
    privacy,
    rejections,
    runs,
    views,
    webhooks,
)

OF_RESOURCES = (
    facets,
    records,
    acts,
    reveals,
)
"""Served for orders, exports and articles each; a fixed name before `/{id}`."""
