"""The entry of every service: settings, log, then `run`. Called by each `services/*/__main__.py` with its own."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared.log import set_up
from shared.runtime.lifecycle import EXIT_UNFIT
from shared.settings import Settings, SettingsError, load


def serve(service: str, run: Callable[[Settings], int]) -> int:
    """Run the service until it ends; returns the exit code. A SettingsError of `run` is logged and is EXIT_UNFIT."""
    try:
        settings = load()
        settings.only_at_home()
        set_up(service, settings.log_format)
        return run(settings)
    except SettingsError as error:
        set_up(service)
        structlog.get_logger().error("service.not-started", problems=str(error))
        return EXIT_UNFIT
