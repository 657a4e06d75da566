"""The certificate of the API, as it was when the node started: when it expires, and what the operator hears about it.

Peers' certificates have no expiry (identity/tls.py): the registry ends them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from cryptography import x509

from notarium_ledger.encoding.json_file import iso_time
from notarium_node.health.reason import Reason, ReasonKind

_log = structlog.get_logger("notarium.node")

SOON_DAYS = 30
"""The operator is reminded from then on. Clients of public authorities renew 30 days before the end: they failed."""
_DAY_MS = 24 * 3600 * 1000
_REMEDY = 'renew it and start the node again ("Renew the API certificate" in docs/operations.md)'


def read_expiry_ms(path: Path) -> int | None:
    """When the first certificate of a PEM file, which is the node's own, expires; None, logged, if that is unreadable.

    OpenSSL loads some certificates that this library refuses. Clients may take them, so the node starts.
    """
    try:
        return round(x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp() * 1000)
    except (OSError, ValueError) as error:
        _log.warning("the expiry of the API's certificate cannot be read", file=str(path), error=str(error))
        return None


class CertificateWatch:
    """Compares the expiry with the clock."""

    def __init__(self, expires_ms: int | None, clock: Callable[[], int]) -> None:
        """Both in ms since 1970; `expires_ms`: None where the API has no certificate, or its expiry is unknown."""
        self._expires_ms = expires_ms
        self._clock = clock
        self._logged_days: int | None = None

    def look(self) -> None:
        """Called periodically: log the days that are left, once a day."""
        days = self._days_left()
        if days != self._logged_days and (text := self._text()):
            _log.warning("the API's certificate expires", days=days, text=text)
        self._logged_days = days

    def reasons(self) -> Iterator[Reason]:
        """It has expired."""
        days = self._days_left()
        if days is not None and days < 0:
            yield Reason(ReasonKind.CERTIFICATE_EXPIRED, self._text())

    def notes(self) -> Iterator[str]:
        """It expires soon."""
        days = self._days_left()
        if days is not None and 0 <= days < SOON_DAYS:
            yield self._text()

    def _days_left(self) -> int | None:
        """Whole days; below 0 from the moment of the expiry on."""
        return None if self._expires_ms is None else (self._expires_ms - self._clock()) // _DAY_MS

    def _text(self) -> str:
        """What to say now; "" while nothing is to be said."""
        days = self._days_left()
        if self._expires_ms is None or days is None or days >= SOON_DAYS:
            return ""
        when = iso_time(self._expires_ms)
        if days < 0:
            return f"the API's certificate has expired at {when}, and clients refuse it: {_REMEDY}"
        return f"the API's certificate expires in {days} days, at {when}: {_REMEDY}"
