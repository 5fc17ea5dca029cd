"""Sets up structlog: one JSON object a line, or coloured text on a terminal. No personal data, no secrets.

Only keys on the list get through; whatever else a caller adds is replaced by `…`, so that a forgotten e-mail address or
token cannot end up in a log.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from shared.outlet import Outlet

MOST_FRAMES = 20

ALLOWED: frozenset[str] = frozenset(
    (
        "attempt", "attempts", "batch", "claimed", "code", "codes", "count", "counts", "deadline", "error", "event",
        "event_id", "exception", "fates", "fingerprint", "flow", "host", "interface", "key", "keys", "kind", "level",
        "logger", "loop", "mail", "method", "migrations", "months", "name", "names", "operation", "origin", "outcome",
        "outcomes", "pid", "port", "problems", "published", "queue", "queues", "reason", "record", "records",
        "rejection", "rejections", "released", "revision", "role", "route", "seconds", "service", "settled", "side",
        "signal", "stacks", "stage", "state", "status", "thread", "timestamp", "trace_id", "url", "user", "version",
        "waited", "watermark", "what",
    )
)  # fmt: skip


def _only_allowed(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {key: value if key in ALLOWED else "…" for key, value in event.items()}


def _safe_error(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """An exception's text may quote data (Postgres names the offending value), so only its kind is logged."""
    error = event.get("error")
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
    return event


def _frames_as_data(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """For programs: where it happened and of what kind it is, and not what it says."""
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=MOST_FRAMES)
    return [_without_texts(one) for one in transform(exc_info)]


def _without_texts(stack: dict[str, Any]) -> dict[str, Any]:
    nested = [[_without_texts(one) for one in group] for group in stack.get("exceptions") or ()]
    return {**stack, "exc_value": "…", "exc_notes": [], "syntax_error": None, "exceptions": nested}


def _frames(exc_info: ExcInfo) -> str:
    """For a terminal: the same in lines."""
    lines: list[str] = []
    error: BaseException | None = exc_info[1]
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        lines += [f"{type(error).__module__}.{type(error).__qualname__}"]
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def _said_by(service: str) -> Processor:
    """Puts the service's name on the lines of every thread; contextvars would reach the calling thread only."""

    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return add


def _lost_of(service: str, renderer: Processor) -> Callable[[int], str]:
    """Makes the line that says how many were lost."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def say(count: int) -> str:
        event: EventDict = {"event": "log.lines-lost", "count": count, "service": service, "level": "warning"}
        line = renderer(None, "warning", stamp(None, "warning", event))
        return f"{line}\n" if isinstance(line, str) else ""

    return say


def set_up(service: str, log_format: str = "auto", level: int = logging.INFO) -> None:
    """Configure logging for this process; everything goes to stderr."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer: Processor = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _said_by(service),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _safe_error,
            structlog.processors.ExceptionRenderer(_frames if console else _frames_as_data),
            _only_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(Outlet(sys.stderr, _lost_of(service, renderer))),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    # pika prints a traceback for every lost connection, psycopg warns of every broken pipeline: we say it once.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)


def trace_id(traceparent: str | None) -> str | None:
    """The trace id out of a W3C traceparent, None if there is none."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else None
