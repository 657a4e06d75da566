"""Who may ask what: limits of each address, names of this node, and rules for what browsers send.

A web page that anybody wrote can make a visitor's browser ask this node, which may be in the visitor's own network. It
must not read through a name of its own (DNS rebinding: the Host header shows that), nor submit (Sec-Fetch-Site and
Origin show that).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address

from aiohttp import HttpVersion10, web
from yarl import URL

from notarium_node.api.problems import ApiProblem, ProblemType
from notarium_node.config.sections import ApiSection
from notarium_node.http.places import FORWARDED, address_of
from notarium_node.http.server import HardenedConnection

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer. Without Access-Control-Allow-Origin, no page of another origin reads an answer."""
ALWAYS_NAMED = ("localhost",)
SAFE = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(\[[^\]]*\]|[^\[\]:@/]+)(?::[0-9]*)?")
OWN_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site: this node's own pages, and what a person typed."""


class Guard:
    """Checks requests before their handlers see them."""

    def __init__(self, limits: ApiSection, urls: Callable[[], Iterable[str]], connections: Callable[[], int]) -> None:
        """`urls`: of the API in the registry, now. `connections`: how many are open."""
        self._limits = limits
        self._urls = urls
        self._connections = connections

    def address(self, request: web.BaseRequest) -> str:
        """The client's, as far as it is known."""
        forwarded = ",".join(request.headers.getall(FORWARDED, ()))
        return address_of(request.remote, forwarded, self._limits.proxies)

    def check_crowd(self, request: web.BaseRequest) -> None:
        """Raise ApiProblem, and close the connection, where too many are open."""
        more = {"Connection": "close"}
        if isinstance(request.protocol, HardenedConnection) and request.protocol.is_surplus:
            raise ApiProblem(
                ProblemType.TOO_MANY,
                "your address has as many connections as one address may have",
                remedy="Reuse connections, or ask another node.",
                retry_after_s=1,
                headers=more,
            )
        most = self._limits.max_clients
        if self._connections() > most:
            raise ApiProblem(
                ProblemType.BUSY,
                f"{most} connections are open already",
                remedy="Reuse connections, or ask another node.",
                retry_after_s=1,
                headers=more,
                limit=most,
            )

    def check_form(self, request: web.BaseRequest) -> None:
        """Raise ApiProblem, and close the connection, where the body has no announced length."""
        if "Transfer-Encoding" in request.headers:
            raise ApiProblem(
                ProblemType.LENGTH_REQUIRED,
                "Transfer-Encoding: bodies in chunks are not accepted",
                remedy="Send the body with its Content-Length.",
                headers={"Connection": "close"},
                field="Transfer-Encoding",
            )

    def check_origin(self, request: web.BaseRequest) -> None:
        """Raise ApiProblem where a browser asks for somebody else's page."""
        names = request.headers.getall("Host", [])
        host = _host_of(names[0]) if len(names) == 1 else ""
        # A browser always sends it, and a health check in HTTP/1.0 does not.
        is_left_out = not names and request.version == HttpVersion10
        if not is_left_out and not self._is_own(host):
            raise ApiProblem(
                ProblemType.WRONG_HOST,
                f"Host {', '.join(names)[:100]!r} is not a name of this node",
                remedy="Use its address or its API's name; its operator can add names to api.hosts.",
                field="Host",
            )
        if request.method in SAFE:
            return
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        is_foreign = site not in OWN_SITES if site is not None else origin is not None and _host_of_url(origin) != host
        if is_foreign:
            raise ApiProblem(
                ProblemType.CROSS_SITE,
                "a page of another site asks to submit",
                remedy="Submit from a program, or from a page of this node.",
                field="Sec-Fetch-Site" if site is not None else "Origin",
            )

    def _is_own(self, host: str) -> bool:
        if host in ALWAYS_NAMED or host in self._limits.hosts or _is_address(host):
            return True
        return bool(host) and any(host == _host_of_url(url) for url in self._urls())  # A node's URL may be empty.


def allowed(methods: Collection[str]) -> dict[str, str]:
    """The Allow header for a resource with these methods."""
    return {"Allow": ", ".join(sorted(methods))}


async def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Before an answer is sent."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


def _host_of(text: str) -> str:
    """Of a Host header, without the port, in lower case; "" where it is not a host and a port."""
    found = _HOST.fullmatch(text.strip().lower())
    return found[1].strip("[]").rstrip(".") if found else ""


def _host_of_url(url: str) -> str:
    try:
        return (URL(url).host or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
