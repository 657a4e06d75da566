"""Makes lines of log records, of each kind within limits, and gives them to the thread that writes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from notarium_node.health.log_limits import Kind, LogLimits
from notarium_node.health.log_writer import LogWriter

FLUSH_S = 2.0
"""How long the end of the process waits for the last lines."""

_log = logging.getLogger("notarium.log")


class LogHandler(logging.Handler):
    """Makes a line of each record, as far as the limits allow, and gives it to the writer."""

    def __init__(self, write: Callable[[bytes], None], formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._limits, self._limits_lock = LogLimits(), threading.Lock()
        self.repeated = 0
        """Lines left out as repetitions, since the start."""
        self.writer = LogWriter(write, self._describe_loss, self._describe_repeated)

    def emit(self, record: logging.LogRecord) -> None:
        """At level debug the operator wants all."""
        if record.levelno > logging.DEBUG and not self._allows(record):
            return
        try:
            line = self._line(record)
        except Exception as error:
            line = self._line(_warning("a log line could not be made", of=record.name, error=repr(error)))
        self.writer.put(line)

    def flush(self) -> None:
        """Wait until all is written, FLUSH_S at most; the standard library calls this at the end of the process."""
        self.writer.flush(FLUSH_S)

    def close(self) -> None:
        """The same, and end the thread."""
        self.writer.close(FLUSH_S)
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")

    def _describe_loss(self, count: int) -> bytes:
        return self._line(_warning("log lines were lost: they could not be written", count=count))

    def _allows(self, record: logging.LogRecord) -> bool:
        with self._limits_lock:
            is_allowed = self._limits.allows(_kind(record), time.monotonic())
            self.repeated += not is_allowed
            return is_allowed

    def _describe_repeated(self) -> None:
        """One line for each kind of which too many came."""
        with self._limits_lock:
            ended = self._limits.left_out(time.monotonic())
        for (*of, member), count in ended:
            named = {"member": member} if member else {}
            self.writer.put(self._line(_warning("log lines of one kind were left out", of=of, count=count, **named)))


def _kind(record: logging.LogRecord) -> Kind:
    """The text without its figures: structlog's event is in a dictionary, with the figures beside it."""
    event = record.msg if isinstance(record.msg, dict) else {}
    text = str(event.get("event", record.msg))
    return record.name, text.partition("\n")[0][:100], str(event.get("member", ""))


def _warning(text: str, **figures: Any) -> logging.LogRecord:
    return _log.makeRecord(_log.name, logging.WARNING, "", 0, text, (), None, extra=figures)


def lost() -> dict[str, int]:
    """Lines that this process did not write, by reason: `unwritten` and `repeated`."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, LogHandler)]
    return {
        "unwritten": sum(each.writer.lost for each in handlers),
        "repeated": sum(each.repeated for each in handlers),
    }
