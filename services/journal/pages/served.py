"""Every page that is served: one line each. Called by `app`."""

from __future__ import annotations

from services.journal.pages import (
    accounting,
    alarms,
    answers,
    audit,
    by_hand,
    filter_form,
    groups,
    interface_rooms,
    interfaces,
    login,
    mail_links,
    mappings,
    record_list,
    record_page,
    refused,
    request_form,
    static,
    theme,
    views,
)

PAGES = (
    accounting,
    mail_links,
    alarms,
    answers,
    audit,
    by_hand,
    groups,
    interfaces,
    interface_rooms,
    login,
    mappings,
    refused,
    static,
    theme,
    views,
)

OF_RESOURCES = (
    record_list,
    filter_form,
    request_form,
    record_page,
)
"""Served for orders, exports and articles each; a fixed name before `/{id}`."""
