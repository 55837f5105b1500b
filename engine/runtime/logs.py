"""Log lines with constant events and fields, on stderr; secrets are cut out by name."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "api_key", "apikey")


def _redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "********"
    return event


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in text)


def _visible(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Show what would drive a terminal; JSON escapes it by itself.

    What stands in a line may be quoted from a ticket.
    """
    for name, value in event.items():
        if name == "exception":
            event[name] = "\n".join(_shown(line) for line in str(value).split("\n"))
        elif isinstance(value, str):
            event[name] = _shown(value)
    return event


def configure_logs(*, as_json: bool, level: str = "INFO") -> None:
    """Send every logger below `tiergate` to stderr, as JSON lines or for a person's eyes."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *([] if as_json else [_visible]),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("WARNING")
    logging.getLogger("tiergate").setLevel(level)
    # These libraries log request lines and bodies below WARNING.
    for chatty in ("jira", "pysnow", "urllib3", "ldap3", "apscheduler"):
        logging.getLogger(chatty).setLevel("WARNING")
    logging.getLogger("apscheduler.scheduler").setLevel("ERROR")
