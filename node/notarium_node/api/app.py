"""The routes, and what happens when a handler raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from notarium_node.api.equivocations import EquivocationQueries
from notarium_node.api.events import Events
from notarium_node.api.openapi import document
from notarium_node.api.problems import ApiProblem, ProblemType, refused
from notarium_node.api.queries import Queries
from notarium_node.api.submit import Submissions
from notarium_node.config.sections import ApiSection
from notarium_node.health.metrics import CONTENT_TYPE
from notarium_node.node import Node
from notarium_store.errors import HistoryIncomplete, StoreError

_log = structlog.get_logger("notarium.api")

ALWAYS_ANSWERED = ("/healthz", "/readyz", "/metrics")
"""The operator needs these most when all places are taken."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(node: Node, limits: ApiSection, connections: Callable[[], int]) -> web.Application:
    """The aiohttp application of `node`; `connections` counts those open now."""
    app = web.Application(client_max_size=limits.max_request_bytes)
    submissions = Submissions(node, limits.max_request_bytes, limits.wait_ms)
    queries = Queries(node)
    equivocations = EquivocationQueries(node)
    events = Events(node)
    health = Health(node)
    routes: list[tuple[str, str, Handler]] = [
        ("POST", "/v1/entries", submissions.one),
        ("POST", "/v1/entries/batch", submissions.batch),
        ("GET", "/v1/entries/{id}", queries.entry),
        ("GET", "/v1/receipts/{id}", queries.receipt),
        ("GET", "/v1/search", queries.search),
        ("GET", "/v1/blocks", queries.blocks),
        ("GET", "/v1/blocks/{height}", queries.block),
        ("GET", "/v1/log", queries.log),
        ("GET", "/v1/proofs/inclusion", queries.inclusion),
        ("GET", "/v1/proofs/consistency", queries.consistency),
        ("GET", "/v1/equivocations", equivocations.listed),
        ("GET", "/v1/equivocations/{id}", equivocations.file),
        ("GET", "/v1/members", queries.members),
        ("GET", "/v1/genesis", queries.genesis),
        ("GET", "/v1/status", queries.status),
        ("GET", "/v1/events", events.stream),
        ("GET", "/healthz", health.alive),
        ("GET", "/readyz", health.ready),
        ("GET", "/metrics", health.metrics),
        ("GET", "/openapi.json", describe),
    ]
    for method, path, handler in routes:
        bounded = handler if path in ALWAYS_ANSWERED else limited(handler, connections, limits.max_clients)
        app.router.add_route(method, path, guarded(node, bounded))
    app.router.add_route("*", "/{anything:.*}", guarded(node, no_such_route))
    app.on_shutdown.append(events.close)
    return app


def limited(handler: Handler, connections: Callable[[], int], most: int) -> Handler:
    """Refuse while more than `most` connections are open, and close those above the limit."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if connections() > most:
            raise ApiProblem(
                ProblemType.BUSY,
                f"{most} connections are open already",
                remedy="Reuse connections, or ask another node.",
                retry_after_s=1,
                headers={"Connection": "close"},
                limit=most,
            )
        return await handler(request)

    return handle


def guarded(node: Node, handler: Handler) -> Handler:
    """Answer problems as problem details; log unexpected errors."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiProblem as problem:
            return problem.response()
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except HistoryIncomplete as error:
            # Not the error's own words, which have a remedy already.
            missing = f"the answer needs blocks from {error.history_height + 1} to {error.base_height}"
            return refused(node.incomplete(f"{missing}, which this node is still fetching")).response()
        except StoreError as error:
            _log.error("the store failed", path=request.path, error=str(error))
            remedy = "See the node's log, and run 'notarium-node check' there."
            return ApiProblem(ProblemType.INTERNAL, str(error), remedy=remedy).response()
        except Exception:
            _log.exception("a handler failed", path=request.path)
            detail = "the node has a defect; its log has the details"
            return ApiProblem(ProblemType.INTERNAL, detail).response()

    return handle


async def no_such_route(request: web.Request) -> web.StreamResponse:
    """Any other method or path."""
    raise ApiProblem(
        ProblemType.NOT_FOUND,
        f"{request.method} {request.path[:200]}: no such route",
        remedy="See /openapi.json for the routes of this API.",
    )


async def describe(request: web.Request) -> web.StreamResponse:
    """The OpenAPI description."""
    return web.json_response(document())


class Health:
    """For load balancers, Prometheus and the operator."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def alive(self, request: web.Request) -> web.StreamResponse:
        """The process runs."""
        return web.json_response({"status": "ok"})

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """Whether the node is ready; 503 with the reasons if not."""
        reasons = self._node.condition.not_ready()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Prometheus text format."""
        return web.Response(body=self._node.metrics.render(), headers={"Content-Type": CONTENT_TYPE})
