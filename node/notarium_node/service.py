"""`notarium-node run`: opens the store, starts the node and its API, and stops both on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import ssl

import structlog
from aiohttp import web

from notarium.key_files import Purpose, load_key, load_seed
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import PublicKey
from notarium_node.api.app import make_app
from notarium_node.api.problems import bad_request
from notarium_node.catchup.sync import SyncSettings
from notarium_node.config.sections import NodeConfig
from notarium_node.entries.verifier import catch_up_workers, default_workers
from notarium_node.health.certificate import read_expiry_ms
from notarium_node.http.pace import STALL_S
from notarium_node.http.places import Places
from notarium_node.http.server import HardenedAppRunner
from notarium_node.http.tls_site import TlsSite
from notarium_node.identity.own_record import own_record
from notarium_node.node import Node
from notarium_node.settings import NodeSettings
from notarium_node.startup import (
    Check,
    StartupError,
    StartupFinding,
    load_genesis,
    note_vote_from,
    noted_vote_from,
    port_finding,
    stale_vote_from,
    use_first_start,
)
from notarium_store.store import Store

_log = structlog.get_logger("notarium.service")

SHUTDOWN_S = 2.0
"""How long open requests may take once the node stops."""

MAX_LINE_BYTES = 8_190
"""Of the path and query of a request. The longest useful one is a search with all filters, issuer and project of 255
characters of four bytes, each byte as %XX: 6,350."""
MAX_FIELD_BYTES = 5 * 1024
"""Of one header line: a cookie of 4 kB, which a browser sends to whatever listens on a name, fits."""
MAX_HEADERS = 64
"""Lines of a head: a browser sends 25, and the proxies before a node as many."""

OTHER_FILES = 1024
"""Open files besides the API's connections: peers, TLS handshakes, LevelDB's tables and logs, and a reserve."""


class NodeCrashed(Exception):
    """The node stopped after an unexpected error, which its log describes. Starting it again is safe."""


async def run(config: NodeConfig) -> None:
    """Run until SIGTERM or SIGINT.

    Raises StartupError or StoreError where the node cannot start, and NodeCrashed where it cannot go on.
    """
    allow_open_files(config.api.max_clients + OTHER_FILES)
    genesis = load_genesis(config)
    key = load_key(config.node.validator_key, Purpose.VALIDATOR)
    seed = load_seed(config.node.transport_key, Purpose.TRANSPORT)
    with Store.open(
        config.node.store_dir,
        genesis,
        cache_bytes=config.store.cache_bytes,
        write_buffer_bytes=config.store.write_buffer_bytes,
        min_free_bytes=config.store.min_free_bytes,
    ) as store:
        own = find_own(store, config, key.public)
        node = Node(genesis, store, own, key, seed, _settings(config, own))
        use_first_start(config.node.first_start_mark, node.recall)
        if node.recall.stale_word is not None:
            _log.warning(str(stale_vote_from(config, node.recall.stale_word)))
        elif config.consensus.vote_from is not None:
            note_vote_from(config.node.vote_from_note, config.consensus.vote_from)
        stopping = _on_signals()
        try:
            await node.start()
        except OSError as taken:
            raise StartupError(port_finding("peer", config.peer.host, config.peer.port, taken)) from taken
        api = await _start_api(node, config)
        _log.info(
            "node runs",
            member=own.member,
            role=own.role,
            height=store.state.height,
            peer_port=node.network.port,
            api=f"{config.api.host}:{config.api.port}",
            genesis=genesis.hash.hex(),
        )
        _relax_garbage_collector()
        failing, signalled = asyncio.create_task(node.driver.failure()), asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((failing, signalled), return_when=asyncio.FIRST_COMPLETED)
            _log.info("node stops", height=store.state.height)
        finally:
            await api.cleanup()
            await node.stop()
            signalled.cancel()
    if failing.done():
        # Also where it failed only while it stopped.
        error = failing.result()
        raise NodeCrashed(f"the node stopped after an unexpected error: {error!r}; see its log, then start it again")
    failing.cancel()
    _log.info("node stopped")


def allow_open_files(needed: int) -> None:
    """Raise this process's limit to `needed`, as far as the machine allows.

    The default is often 1,024. Connections to the API alone could use those up, and then no peer could connect and
    LevelDB could not open its next file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        _log.warning(
            "this machine allows too few open files",
            allowed=allowed,
            needed=needed,
            remedy="raise the limit (ulimit -Hn, LimitNOFILE), or lower api.max_clients",
        )


def find_own(store: Store, config: NodeConfig, key: PublicKey) -> NodeRecord:
    """This node's record in the registry, or on its card as long as the registry in the store does not have it.

    Raises StartupError or CardError.
    """
    record = own_record(store.state.registry, config.node.data_dir, key)
    if record is None:
        raise StartupError(
            StartupFinding(
                Check.IDENTITY,
                f"this node's key {key.hex()} is not in the registry: it was never there, or the node was removed",
                f"If members have just voted this node in, put its card into {config.node.data_dir}.",
            )
        )
    return record


def _settings(config: NodeConfig, own: NodeRecord) -> NodeSettings:
    checks = own.role == "observer" if config.sync.check_signatures is None else config.sync.check_signatures
    certificate = config.api.tls_certificate
    return NodeSettings(
        listen=(config.peer.host, config.peer.port),
        peer_limits=config.peer.limits(),
        base_timeout_ms=config.consensus.base_timeout_ms,
        max_timeout_ms=config.consensus.max_timeout_ms,
        resend_ms=config.consensus.resend_ms,
        vote_from=config.consensus.vote_from,
        block_entries=config.consensus.block_entries_target,
        block_bytes=config.consensus.block_bytes_target,
        mempool_entries=config.mempool.max_entries,
        mempool_bytes=config.mempool.max_bytes,
        verify_workers=default_workers() if config.mempool.verify_threads is None else config.mempool.verify_threads,
        catch_up_workers=catch_up_workers() if config.sync.verify_threads is None else config.sync.verify_threads,
        sync=SyncSettings(config.sync.snapshot_lag_blocks, checks),
        is_new=config.node.first_start_mark.exists(),
        vote_from_noted=noted_vote_from(config.node.vote_from_note),
        api_certificate_expires_ms=None if certificate is None else read_expiry_ms(certificate),
    )


async def _start_api(node: Node, config: NodeConfig) -> web.AppRunner:
    runner = HardenedAppRunner(
        make_app(node, config.api, lambda: len(runner.server.connections) if runner.server else 0),
        most=config.api.max_clients,
        places=Places(config.api.max_clients, config.api.max_clients_per_address),
        exempt=config.api.proxies,
        stall_s=STALL_S,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_HEADERS,
        auto_decompress=False,  # A body that is not what it claims to be would end in a traceback for each request.
        bad_request=bad_request,
        endings=node.api_endings,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_S,
    )
    await runner.setup()
    site: web.BaseSite = web.TCPSite(runner, config.api.host, config.api.port)
    if config.api.tls_certificate is not None and config.api.tls_key is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(config.api.tls_certificate, config.api.tls_key)
        site = TlsSite(
            runner,
            config.api.host,
            config.api.port,
            ssl_context=context,
            exempt=config.api.proxies,
            endings=node.api_endings,
        )
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        await node.stop()
        raise StartupError(port_finding("api", config.api.host, config.api.port, error)) from error
    return runner


def _relax_garbage_collector() -> None:
    """Collect less often: a full mempool is a million small objects without cycles, and to scan them took a quarter of
    a busy node's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 5, 5)


def _on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopping.set)
    return stopping
