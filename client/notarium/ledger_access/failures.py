"""Why a node gave no usable answer, in one line for people."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp

from notarium.errors import LyingNode
from notarium.ledger_access.answers import Refused, clean


def describe(error: Exception, url: str = "") -> str:
    """One line about why the node at `url` gave no usable answer."""
    if isinstance(error, Refused):
        return f"refused: {error.rejected.problem}"
    if isinstance(error, LyingNode):
        return f"its answer does not verify: {error.reason}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, socket.gaierror):
        # The numbers of getaddrinfo are not those of errno: strerror would call them unknown.
        return f"the host name {clean(error.host)} does not resolve"
    if isinstance(error, aiohttp.ClientSSLError):
        # Before the case below: the numbers of OpenSSL are not those of errno either.
        return _describe_tls(error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError) and url.startswith("http://"):
        # What a server does that expects TLS.
        return "it closed the connection without an answer. If it uses TLS, its address begins with https://."
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        # Its own text repeats host and port, and lists each address.
        return os.strerror(error.os_error.errno).lower()
    return clean(str(error)) or type(error).__name__


_HOSTNAME_MISMATCH = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL, which the module ssl does not name."""
_OUT_OF_DATE = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def _describe_tls(error: OSError) -> str:
    """Why there is no TLS connection, and what to do about it."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason if isinstance(error, ssl.SSLError) else "") or str(error)
        said = clean(reason).replace("_", " ").lower()
        return f"no TLS connection: {said}. If it does not use TLS, its address begins with http://."
    # An untrusted certificate may have these faults too, but OpenSSL looks at the chain of trust first.
    if error.verify_code in _HOSTNAME_MISMATCH:
        return "its certificate is for another host name. Use the address that the institution gave."
    if error.verify_code in _OUT_OF_DATE:
        return "its certificate has expired or is not valid yet. Check the clock here, or have the certificate renewed."
    return (
        "its certificate is not trusted (self-signed or from an unknown authority). "
        "Set SSL_CERT_FILE to the institution's CA certificate."
    )
