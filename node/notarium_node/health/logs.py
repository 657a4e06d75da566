"""Structured logs on stderr: one JSON object per line, or readable lines for a console. Times are UTC.

Records of the standard library's logging (aiohttp, asyncio) take the same path. No caller waits for a write
(log_writer.py), and of each kind so many lines are written in a minute (log_limits.py): neither a reader that does not
read nor a stranger who causes errors can stop the node or fill its disk.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from notarium_node.health.log_handler import FLUSH_S, LogHandler
from notarium_node.health.log_writer import Descriptor

SECRET_WORDS = ("seed", "secret", "password", "private")
REDACTED = "[redacted]"
STDERR = 2

_log = logging.getLogger("notarium.log")

Format = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]


def configure(level: Level = "info", format_: Format = "json", stream: TextIO | None = None) -> None:
    """Set up logging for this process; a later call replaces an earlier one. `stream`: instead of stderr."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        redact,
    ]
    if format_ == "json":
        ending: list[structlog.typing.Processor] = [
            # No local variables: they may hold keys.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(default=_printable),
        ]
    else:
        ending = [
            structlog.dev.ConsoleRenderer(
                colors=target is not None and target.isatty(),
                timestamp_key="time",
                exception_formatter=structlog.dev.plain_traceback,
                repr_native_str=True,  # What a peer sent may hold control characters.
            )
        ]
    structlog.configure(
        processors=[
            *(each for each in shared if not isinstance(each, structlog.stdlib.ExtraAdder)),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Tests configure more than once, and a cached logger saves little.
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, LogHandler):
            old.close()
    root.handlers[:] = [LogHandler(_take_stderr() if stream is None else _into(stream), formatter)]
    root.setLevel(threshold)
    logging.getLogger("asyncio").addFilter(_quieten_ended_tls)
    # Libraries log from warning on, or everything at level debug.
    for name in ("aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING) if level != "debug" else logging.DEBUG)


def _take_stderr() -> Descriptor:
    """Leave stderr to the log alone: what else Python writes there, a warning or an exception in a destructor, would
    block this process where nobody reads.
    """
    try:
        os.fstat(STDERR)
    except OSError:
        # It is closed. The next file to be opened would be number 2, and libraries write their errors there.
        _close_stderr()
    logging.captureWarnings(True)
    sys.unraisablehook = lambda failed: _log.error("exception ignored in %r", failed.object, exc_info=failed.exc_value)
    threading.excepthook = lambda failed: _log.error("a thread failed", exc_info=failed.exc_value)
    return Descriptor(os.dup(STDERR))  # finish() may replace number 2.


def finish() -> None:
    """Write the last lines, FLUSH_S at most. Where nobody reads them, what follows on stderr is dropped, too."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler) and not handler.writer.flush(FLUSH_S):
            _close_stderr()


def _close_stderr() -> None:
    """What is written to number 2 from now on is dropped."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != STDERR:
        os.dup2(null, STDERR)
        os.close(null)


def _into(stream: TextIO) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        stream.write(data.decode())

    return write


def _quieten_ended_tls(record: logging.LogRecord) -> bool:
    """uvloop's TLS layer may write once more after its connection was lost, and logs that as a fatal error with a
    trace. Whoever used the connection reports its end, so this is of level debug."""
    error = record.exc_info[1] if record.exc_info else None
    if (
        isinstance(error, RuntimeError)
        and record.getMessage().startswith("Fatal error on SSL protocol")
        and "the handler is closed" in str(error)
    ):
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
    return True


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every value, at any depth, whose name suggests a secret."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: object, value: object) -> object:
    if isinstance(name, str) and any(word in name.lower() for word in SECRET_WORDS):
        return REDACTED
    if isinstance(value, Mapping):
        return {key: _redacted(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(None, item) for item in value]
    return value


def _printable(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
