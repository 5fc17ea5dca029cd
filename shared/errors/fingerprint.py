"""A stable name for an exception that nobody has classified yet, so that the same fault counts as one.

What differs from case to case (numbers, ids, dates, addresses, quoted values) is left out; the kind of exception,
the rest of its message and our function it passed through last remain.
"""

from __future__ import annotations

import hashlib
import re

QUOTED = re.compile(
    r"""(?<!\w)'[^'\n]*'(?!\w)|"[^"\n]*"|`[^`\n]*`|„[^“”\n]*[“”]|“[^”\n]*”|«[^»\n]*»|‹[^›\n]*›|‚[^‘\n]*‘"""
)
WITH_A_DIGIT = re.compile(r"[^\s,;()\[\]{}<>=]*\d[^\s,;()\[\]{}<>=]*")
"""A word that contains a digit is a number, an id, a date or a value, never the name of a fault."""

REPEATED = re.compile(r"#(?:[\s,;]*#)+")
OURS = ("services.", "shared.")


def fingerprint(exc: BaseException) -> str:
    """`<exception's name>-<8 hex digits>`, e.g. `KeyError-1f0a93bc`. Equal for two cases of one fault."""
    kind = f"{type(exc).__module__}.{type(exc).__qualname__}"
    digest = hashlib.sha256("\n".join((kind, _lasting(str(exc)), _passed_through(exc))).encode())
    return f"{type(exc).__name__}-{digest.hexdigest()[:8]}"


def _lasting(message: str) -> str:
    """The message without its changing parts; only the beginning, because drivers append whole statements."""
    text = QUOTED.sub("#", message)
    text = REPEATED.sub("#", WITH_A_DIGIT.sub("#", text))
    return " ".join(text.split()).casefold()[:300].encode("utf-8", "replace").decode()


def _passed_through(exc: BaseException) -> str:
    """Our innermost function; without line numbers, which move with every release."""
    found, trace = "", exc.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(OURS):
            found = f"{module}.{trace.tb_frame.f_code.co_qualname}"
        trace = trace.tb_next
    return found
