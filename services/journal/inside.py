"""Where a form may send the reader back to."""

from __future__ import annotations


def inside(target: str) -> str:
    """Only addresses of our own: a path, not another host (`//…`, `/\\…`), nothing that breaks a header; else `/`."""
    ours = target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable()
    return target if ours and target.isascii() else "/"
