"""From a node's settings to those of its engine and of its block work."""

from tests.support.consortium import Consortium

from notarium_consensus.signing import KeySigner
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.sizes import MAX_BLOCK_BYTES
from notarium_node.settings import NodeSettings

CONSORTIUM = Consortium(1)
GENESIS, KEY = CONSORTIUM.genesis.hash, CONSORTIUM.validator_keys[0]
SETTINGS = NodeSettings(
    listen=("", 0),
    peer_limits=PeerLimits(),
    base_timeout_ms=300,
    max_timeout_ms=1_000,
    resend_ms=200,
    vote_from=7,
    block_entries=100,
    block_bytes=1 << 20,
    mempool_entries=1_000,
    mempool_bytes=1 << 22,
    verify_workers=0,
)


def test_the_engine_gets_what_concerns_it():
    config = SETTINGS.engine_config(GENESIS, KEY)
    assert (config.genesis, config.signer) == (GENESIS, KeySigner(KEY))
    assert (config.base_timeout_ms, config.max_timeout_ms, config.resend_ms) == (300, 1_000, 200)
    assert config.max_block_bytes == MAX_BLOCK_BYTES


def test_blocks_are_cut_where_the_settings_say():
    assert (SETTINGS.block_target.entries, SETTINGS.block_target.bytes) == (100, 1 << 20)
