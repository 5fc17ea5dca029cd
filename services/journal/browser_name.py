"""Which browser somebody uses, in words that they know it by: `Firefox · Windows`. For the list of sessions."""

from __future__ import annotations

from starlette.requests import Request

# The order matters: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser_of(request: Request) -> str | None:
    """Browser and system as far as the request says; None when it says nothing that is known."""
    said = request.headers.get("user-agent", "")[:500]
    found = [next((name for mark, name in known if mark in said), None) for known in (BROWSERS, SYSTEMS)]
    return " · ".join(name for name in found if name) or None
