"""The largest messages that honest nodes send fit the least limit that a configuration allows."""

from notarium_consensus.messages import JUSTIFICATION_BYTES, Proposal, encode_message
from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.validators import MAX_VALIDATORS
from notarium_ledger.entries.commitment import MAX_TIME_MS, PARAMETER_LIMITS
from notarium_ledger.trust.equivocation import MAX_EQUIVOCATION_BYTES
from notarium_ledger.types import MAX_HEIGHT, Hash, Height, PublicKey, Round, Signature
from notarium_node.entries import gossip
from notarium_node.peers import sizes, wire

HASH, KEY = Hash(b"h" * 32), PublicKey(b"k" * 32)


def largest_decision():
    """As many bytes as allowed in as many entries as allowed; what else a block has is as large as can be."""
    entries, size = PARAMETER_LIMITS["max_block_entries"][1], PARAMETER_LIMITS["max_block_bytes"][1]
    header = Header(
        HASH, Height(MAX_HEIGHT), HASH, MAX_TIME_MS, KEY, MAX_HEIGHT, HASH, HASH, Height(MAX_HEIGHT), HASH, HASH
    )
    block = Block(header, (bytes(size // entries),) * entries)
    seals = tuple(Seal(PublicKey(number.to_bytes(32, "big")), Signature(b"s" * 64)) for number in range(MAX_VALIDATORS))
    return Decision(block, QuorumCertificate(Height(MAX_HEIGHT), Round(2**32 - 1), block.hash, seals))


def test_the_largest_answer_fits_the_least_message():
    data = largest_decision().encode()
    assert len(data) <= sizes.MAX_DECISION_BYTES
    # As serving.py cuts: an answer ends with the block that exceeds BLOCKS_BYTES.
    before = wire.BLOCKS_BYTES // (wire.MAX_BLOCKS - 1)
    answer = wire.pack_list(wire.Kind.BLOCKS, [*[bytes(before)] * (wire.MAX_BLOCKS - 1), data])
    assert sizes.LARGEST_MESSAGE == "an answer with blocks"
    assert len(answer) <= sizes.MIN_MESSAGE_BYTES
    assert sizes.MIN_MESSAGE_BYTES - len(answer) < 32 * 1024, "the bound is not far above what there is"


def test_the_largest_proposal_fits_too():
    block = largest_decision().block
    proposal = Proposal(Height(MAX_HEIGHT), Round(2**32 - 1), block, (), (), KEY, Signature(b"s" * 64))
    assert 1 + len(encode_message(proposal)) + JUSTIFICATION_BYTES - 256 <= sizes.MIN_MESSAGE_BYTES
    assert len(encode_message(proposal)) <= sizes.MAX_BLOCK_BYTES + JUSTIFICATION_BYTES


def test_so_do_the_others():
    part = wire.SnapshotPart(Height(MAX_HEIGHT), 1 << 26, 0, bytes(wire.SNAPSHOT_PART_BYTES))
    assert len(wire.pack_snapshot(part)) <= sizes.LARGEST_MESSAGES["a part of a snapshot"]
    equivocations = [bytes(MAX_EQUIVOCATION_BYTES)] * wire.MAX_EQUIVOCATIONS
    assert len(wire.pack_list(wire.Kind.EQUIVOCATIONS, equivocations)) <= sizes.MIN_MESSAGE_BYTES
    gossiped = [b"x"] * wire.MAX_GOSSIP_ENTRIES
    assert gossip.MESSAGE_BYTES + len(wire.pack_list(wire.Kind.ENTRIES, gossiped)) <= sizes.MIN_MESSAGE_BYTES
