"""Every page that is served: one line each. Called by `app`."""

from __future__ import annotations

from services.journal.pages import (
    accounting,
    acts,
    alarms,
    answers,
    audit,
    by_hand,
    edit,
    filter_form,
    groups,
    interface_rooms,
    interfaces,
    login,
    mail_links,
    maintenance,
    mappings,
    me,
    provided,
    record_list,
    record_page,
    refused,
    request_form,
    reveals,
    runs,
    static,
    status,
    theme,
    users,
    views,
)

PAGES = (
    accounting,
    mail_links,
    alarms,
    answers,
    audit,
    by_hand,
    edit,
    groups,
    interfaces,
    interface_rooms,
    login,
    maintenance,
    mappings,
    me,
    provided,
    refused,
    runs,
    static,
    status,
    theme,
    users,
    views,
)

OF_RESOURCES = (
    record_list,
    acts,
    filter_form,
    request_form,
    record_page,
    reveals,
)
"""Served for orders, exports and articles each; a fixed name before `/{id}`."""
