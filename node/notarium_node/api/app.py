"""The routes, and what happens when a handler raises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from notarium_node.api.costly import CostlyReads
from notarium_node.api.equivocations import EquivocationQueries
from notarium_node.api.events import Events
from notarium_node.api.guard import Guard, add_headers, allowed
from notarium_node.api.openapi import encoded
from notarium_node.api.problems import ApiProblem, ProblemType, full, refused
from notarium_node.api.queries import Queries
from notarium_node.api.search import Search
from notarium_node.api.shared import SharedAnswer
from notarium_node.api.submit import Submissions
from notarium_node.config.sections import ApiSection
from notarium_node.health.api_answers import CLIENT_LEFT
from notarium_node.health.metrics import CONTENT_TYPE
from notarium_node.http.places import Places
from notarium_node.http.sending import LARGE, send
from notarium_node.node import Node
from notarium_store.errors import HistoryIncomplete, StoreError

_log = structlog.get_logger("notarium.api")

ALWAYS_ANSWERED = ("/healthz", "/readyz", "/metrics")
"""The operator needs these most when all places are taken."""

MAX_LARGE_BYTES = 48 * 1024 * 1024
"""Sum of the larger answers that are being sent, half of it to one address."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(node: Node, limits: ApiSection, connections: Callable[[], int]) -> web.Application:
    """The aiohttp application of `node`; `connections` counts those open now."""
    app = web.Application(client_max_size=limits.max_request_bytes)
    guard = Guard(limits, lambda: (each.api for each in node.store.state.registry.nodes.values()), connections)
    submissions = Submissions(node, limits.max_request_bytes, limits.wait_ms, guard.address)
    costly = CostlyReads(guard.address)
    queries = Queries(node, costly)
    search = Search(node.store, costly)
    equivocations = EquivocationQueries(node, costly)
    events = Events(node, guard.address)
    health = Health(node)
    routes: list[tuple[str, str, Handler]] = [
        ("POST", "/v1/entries", submissions.one),
        ("POST", "/v1/entries/batch", submissions.batch),
        ("GET", "/v1/entries/{id}", queries.entry),
        ("GET", "/v1/receipts/{id}", queries.receipt),
        ("GET", "/v1/search", search.page),
        ("GET", "/v1/references/{id}", search.references),
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
    node.api_answers.refusals.update(dict.fromkeys(ProblemType, 0))  # A rate begins with its first sample.
    large = Places(MAX_LARGE_BYTES)
    served = _Served(node, guard, large)
    for path in dict.fromkeys(path for _, path, _ in routes):
        handlers = {method: handler for method, at, handler in routes if at == path}
        if "GET" in handlers and path != "/v1/events":
            handlers["HEAD"] = handlers["GET"]  # aiohttp sends no body then.
        methods = (*handlers, "OPTIONS")
        for method, handler in handlers.items():
            app.router.add_route(method, path, served.by(handler, path))
        app.router.add_route("OPTIONS", path, served.by(_options(methods), path))
        app.router.add_route("*", path, served.by(_no_such_method(methods), path))
    app.middlewares.append(_elsewhere(served.by(no_such_route, "other")))
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(events.close)
    return app


class _Served:
    """What every handler is wrapped in: limits, origin, problems, deadlines of large answers, counts."""

    def __init__(self, node: Node, guard: Guard, large: Places) -> None:
        """`large`: bytes of large answers that are being sent."""
        self._node = node
        self._guard = guard
        self._large = large

    def by(self, handler: Handler, path: str) -> Handler:
        """The handler of a route."""
        is_operators = path in ALWAYS_ANSWERED

        async def checked(request: web.Request) -> web.StreamResponse:
            if not is_operators:
                self._guard.check_crowd(request)
            self._guard.check_form(request)
            self._guard.check_origin(request)
            return await self._sent(request, await handler(request))

        answered = guarded(self._node, checked)

        async def handle(request: web.Request) -> web.StreamResponse:
            began_s, status = time.perf_counter(), CLIENT_LEFT
            try:
                answer = await answered(request)
                status = answer.status
            except web.HTTPException as error:
                status = error.status
                raise
            finally:
                self._node.api_answers.note(path, status, time.perf_counter() - began_s)
            return answer

        return handle

    async def _sent(self, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
        """A large answer is sent piece by piece, and only a bounded number of them at a time."""
        body = answer.body if isinstance(answer, web.Response) and not answer.prepared else None
        if not isinstance(answer, web.Response) or not isinstance(body, bytes) or len(body) <= LARGE:
            return answer
        address = self._guard.address(request)
        if (held := self._large.take(address, len(body))) is not None:
            raise full(held, "bytes of large answers", self._large)
        try:
            return await send(request, answer)
        finally:
            self._large.release(address, len(body))


def _options(methods: Collection[str]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers=allowed(methods))

    return handle


def _no_such_method(methods: Collection[str]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        raise ApiProblem(
            ProblemType.METHOD_NOT_ALLOWED,
            f"{request.method[:20]} {request.path[:200]}: its methods are {', '.join(sorted(methods))}",
            headers=allowed(methods),
        )

    return handle


def guarded(node: Node, handler: Handler) -> Handler:
    """Answer problems as problem details, and count them; log unexpected errors."""

    def answer(problem: ApiProblem) -> web.Response:
        node.api_answers.refusals[problem.kind] += 1
        return problem.response()

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiProblem as problem:
            return answer(problem)
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except HistoryIncomplete as error:
            # Not the error's own words, which have a remedy already.
            missing = f"the answer needs blocks from {error.history_height + 1} to {error.base_height}"
            return answer(refused(node.incomplete(f"{missing}, which this node is still fetching")))
        except StoreError as error:
            _log.error("the store failed", path=request.path, error=str(error))
            remedy = "See the node's log, and run 'notarium-node check' there."
            return answer(ApiProblem(ProblemType.INTERNAL, str(error), remedy=remedy))
        except Exception:
            _log.exception("a handler failed", path=request.path)
            detail = "the node has a defect; its log has the details"
            return answer(ApiProblem(ProblemType.INTERNAL, detail))

    return handle


def _elsewhere(elsewhere: Handler) -> Middleware:
    """Sends what no route takes, such as `OPTIONS *`, to `elsewhere`."""

    @web.middleware
    async def choose(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await (handler if request.match_info.http_exception is None else elsewhere)(request)

    return choose


async def no_such_route(request: web.Request) -> web.StreamResponse:
    """Any other method or path."""
    raise ApiProblem(
        ProblemType.NOT_FOUND,
        f"{request.method} {request.path[:200]}: no such route",
        remedy="See /openapi.json for the routes of this API.",
    )


async def describe(request: web.Request) -> web.StreamResponse:
    """The OpenAPI description."""
    return web.Response(body=encoded(), content_type="application/json")


class Health:
    """For load balancers, Prometheus and the operator."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._metrics = SharedAnswer(lambda: node.metrics.render())

    async def alive(self, request: web.Request) -> web.StreamResponse:
        """The process runs."""
        return web.json_response({"status": "ok"})

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """Whether the node is ready; 503 with the reasons if not."""
        reasons = self._node.condition.not_ready()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Prometheus text format."""
        return web.Response(body=self._metrics.body(request), headers={"Content-Type": CONTENT_TYPE})
